"""Networks, recipes and the training loop: a recipe and labelled images in, a trained network out."""
