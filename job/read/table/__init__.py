"""Tables of Arrow columns -> images: which columns, and their values in any type. `table_source` is the entry."""
