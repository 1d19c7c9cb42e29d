"""How fast the job is: whole processes, against the loops that people write, on the same files. See `make bench`."""
