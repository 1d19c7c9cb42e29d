"""Parquet: row groups -> batches. `parquet_source` is the entry."""
