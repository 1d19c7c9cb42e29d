"""Images of digits -> MNIST's form, which the network was trained on."""
