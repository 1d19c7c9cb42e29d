"""`--data SRC` -> labelled images, split into training, validation and test images."""
