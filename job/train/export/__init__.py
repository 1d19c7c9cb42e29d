"""Networks in the formats of other runtimes, and networks that were saved elsewhere."""
