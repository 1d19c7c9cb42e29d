"""Which columns are the 784 pixels and which the label: by their names, or by their values."""
