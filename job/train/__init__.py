"""The train stage: images to a model folder, and tuning and exporting; the only code that imports TensorFlow."""
