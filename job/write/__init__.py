"""Writes scored batches to files: parts, predictions, rejects."""
