"""From the counts of scored rows to the report: figures, examples, drift, and the page."""
