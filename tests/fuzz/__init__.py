"""Coverage-guided fuzzing of the CSV reader and of the Parquet kernels: `make fuzz`."""
