"""What `train`, `tune` and `export` share: the display of their phases, and the fields of the log's last event."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from job import log
from job.errors import requires_extra
from job.telemetry.progress import show_phases
from job.telemetry.recorder import peak_memory_bytes
from job.train.phases import Phases


@contextmanager
def followed(facts: dict[str, Any], command: str, log_format: log.LogFormat, *, is_quiet: bool) -> Iterator[Phases]:
    """Show the phases of the block, and put what is known of them into `facts`, however the block ends.

    If it succeeds, it adds its results, `outcome` among them. Raises UsageError without the train extra.
    """
    facts["command"] = command
    is_json = log.is_for_machines(log_format)
    with requires_extra("train"), show_phases(is_json=is_json, is_quiet=is_quiet) as show:
        phases = Phases(show)
        try:
            yield phases
        except BaseException:  # raised again
            if phases.current is not None:
                facts["phase"] = phases.current
            raise
        finally:
            facts.update(phases.summary(), peak_memory_bytes=peak_memory_bytes())
