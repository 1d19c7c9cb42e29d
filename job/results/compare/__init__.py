"""Compares two finished runs over the same inputs row by row: agreement, accuracy, and whether one is better.

comparer: the whole comparison. rows: aligns the two streams of predictions. pair_tally: counts. figures: counts ->
figures and verdict. text: figures -> lines to print.
"""
