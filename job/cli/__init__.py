"""Commands and flags; the only package that prints a result, reads the environment, or exits.

`app` has the entry point, `flags` what commands share, `terminal` streams and signals, and each other module one
command, which imports what runs it only when it is called. Every flag has an environment variable, DIGIT_JOB_<FLAG>.
Results go to standard output, logs to standard error.
"""
