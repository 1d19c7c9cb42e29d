"""The version, for the command, the documents and the package alike; imports nothing."""

__version__ = "0.1.0"
