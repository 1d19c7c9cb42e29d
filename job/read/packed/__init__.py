"""Compressed files, recognised by their first bytes and read as plain streams. `stream` is the entry."""
