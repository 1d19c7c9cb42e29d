"""Machine code: compiled by Numba once, cached in files, loaded by later runs without Numba."""
