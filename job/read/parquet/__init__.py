"""Parquet: a run of row groups -> batches."""
