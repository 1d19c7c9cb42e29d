"""Whether promises about errors are kept: `make bench-promise`."""
