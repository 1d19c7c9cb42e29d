"""The scoring stage: inputs -> parts -> predictions and report."""
