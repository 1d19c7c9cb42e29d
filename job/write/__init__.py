"""Results -> files: committed parts, predictions, rejects."""
