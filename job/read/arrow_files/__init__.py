"""Arrow IPC files and streams, which Feather 2 and Hugging Face datasets are, too. `arrow_source` is the entry."""
