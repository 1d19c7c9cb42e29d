"""NumPy files of images, `.npy` and `.npz`, which are read without unpickling anything. `numpy_source` is the entry."""
