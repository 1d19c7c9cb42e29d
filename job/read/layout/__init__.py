"""Which columns are the 784 pixels and which is the label: by name in `names`, by value in `values`."""
