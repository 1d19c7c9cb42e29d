"""A network in the formats of other runtimes, and networks from elsewhere."""
