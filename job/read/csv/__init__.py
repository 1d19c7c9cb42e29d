"""CSV: a file, or a range of its bytes -> batches. `csv_source` is the entry."""
