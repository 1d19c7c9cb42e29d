"""Two finished runs over the same inputs, row by row: agreement, accuracy, and whether one is better."""
