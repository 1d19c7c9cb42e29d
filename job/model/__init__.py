"""The model folder, and running its network."""
