"""Coverage-guided fuzzing of the CSV reader: `make fuzz`."""
