"""A recipe and images -> a trained network."""
