"""Scoring runs inside the test's own process, and what they left behind."""

import re
from pathlib import Path

from job.score.run import run
from job.settings import RejectLimit, ScoreSettings
from job.storage import LocalStorage
from job.telemetry.outlets import publish
from job.telemetry.recorder import Recorder

_CLOCK = re.compile(rb"^.*data-wall-clock.*\n", re.MULTILINE)
_TEMPORARY = re.compile(r"\.[0-9a-f]{32}\.tmp$")


class SilentObserver:
    """The observer of a test that looks at the output alone."""

    def planned(self, plan, parts, size_bytes):
        """See job.score.observer.Observer."""

    def advanced(self, rows, rejected, size_bytes):
        """See job.score.observer.Observer."""

    def committed(self, part):
        """See job.score.observer.Observer."""

    def spent(self, stage, wall_s, cpu_s):
        """See job.score.observer.Observer."""


def settings_for(inputs, output, model, **settings):
    """ScoreSettings; any number of rejects is fine unless said otherwise."""
    inputs = inputs if isinstance(inputs, list | tuple) else [inputs]
    settings = {"max_rejects": RejectLimit.parse("100%"), **settings}
    return ScoreSettings(tuple(map(str, inputs)), str(output), str(model), **settings)


def score(inputs, output, model, *, storage=None, check_stop=lambda: None, observer=None, **settings):
    """Run the scoring stage."""
    asked = settings_for(inputs, output, model, **settings)
    return run(asked, (storage or LocalStorage()).stopping(check_stop), observer or SilentObserver())


def score_observed(inputs, output, model, *, check_stop=lambda: None, telemetry, **settings):
    """Run the scoring stage with all that TelemetrySettings asks for; the recorder."""
    asked = settings_for(inputs, output, model, **settings)
    recorder = Recorder()
    with publish(recorder, asked, telemetry):
        recorder.result = run(asked, LocalStorage().stopping(check_stop), recorder)
    return recorder


def files_below(folder):
    """Every file's bytes by its relative path."""
    folder = Path(folder)
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def stable_files(folder):
    """What must not depend on how the run went: all files but the manifest, without the page's line about time."""
    return {
        path: _CLOCK.sub(b"", content) if "report.html" in path else content
        for path, content in files_below(folder).items()
        if path != "manifest.json"
    }


def is_temporary(path):
    """Whether a path below an output folder is that of a file not yet under its final name."""
    return bool(_TEMPORARY.search(path))


def state_of(folder):
    """What stands in a folder, but for what differs from run to run: temporary names, and times."""
    folder = Path(folder)
    stable = stable_files(folder) if folder.exists() else {}
    if (folder / "manifest.json").exists():
        stable["manifest.json"] = b""
    return frozenset((_TEMPORARY.sub(".tmp", path), content) for path, content in stable.items())
