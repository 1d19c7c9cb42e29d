"""What a run tells the outside: progress, log events, metrics, lineage, a profile, and a termination message.

`recorder` observes the scoring stage, which knows nothing of telemetry; `outlets` publishes what it has recorded.
"""
