"""Pictures of digits: PNG, JPEG and other image files of any size and mode -> 784 pixels."""
