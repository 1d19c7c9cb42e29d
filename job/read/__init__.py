"""Bytes -> PixelBatch: every kind of pixel file, whatever its columns are called."""
