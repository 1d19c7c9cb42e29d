"""Fuzzing of the CSV reader, of the readers of binary formats and of the Parquet kernels: `make fuzz`."""
