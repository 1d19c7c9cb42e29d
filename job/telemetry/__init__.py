"""What the outside gets to know of a run: a progress display, log events, metrics, lineage, a profile, a last word.

`recorder` hears all that the scoring stage tells; each other module makes one thing of it. `score_run` puts them
together for one run. The scoring stage knows none of them.
"""
