"""Machine code made by Numba: compiled once, cached in files, loaded without Numba."""
