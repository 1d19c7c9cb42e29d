"""How fast training is: recipes against a plain `model.fit` on the same images. See `make bench-train`."""
