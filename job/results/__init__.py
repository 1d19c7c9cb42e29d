"""Reads finished output: checks it, compares two runs, renders the page again."""
