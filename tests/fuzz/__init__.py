"""Looking for input that breaks the reader, guided by which of its lines an input reaches. See `make fuzz`."""
