"""Counts -> what people look at."""
