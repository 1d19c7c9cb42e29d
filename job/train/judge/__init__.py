"""Whether a trained network, and each export of it, is as good as it must be."""
