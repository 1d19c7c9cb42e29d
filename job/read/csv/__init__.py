"""Text: a CSV file, or a range of its bytes, -> batches."""
