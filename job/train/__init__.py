"""The train stage; the only code that imports TensorFlow."""
