"""A report's figures as PNG files for slides."""
