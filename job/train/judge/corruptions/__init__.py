"""Fifteen ways in which an image of a digit goes wrong, in the manner of MNIST-C."""
