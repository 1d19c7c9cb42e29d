"""The command line: the only package that prints results, reads the environment or exits.

`app` has the entry point, `flags` the flags that commands share, `help_page` the help, `terminal` streams and signals;
each other module is one command and imports what runs it only when it is called. Every flag has an environment
variable, DIGIT_JOB_<FLAG>. Results go to standard output, the log to standard error.
"""
