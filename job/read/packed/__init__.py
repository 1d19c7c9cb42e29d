"""Compressed files: recognised by their first bytes, read as a plain stream."""
