"""Scoring runs inside the test's own process, and the files that they write."""

import json
import re
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from job.model.bundle import predictor_of
from job.report.page import render
from job.score import run as score_run
from job.score.run import run
from job.settings import RejectLimit, ScoreSettings
from job.storage import LocalStorage
from job.telemetry.outlets import publish
from job.telemetry.recorder import Recorder

_CLOCK = re.compile(rb"^.*data-wall-clock.*\n", re.MULTILINE)
_TEMPORARY = re.compile(r"\.[0-9a-f]{32}\.tmp$")
_RANDOM = re.compile(r"\.[0-9a-f]{32}\.(?=tmp$|old\b)")
_OF_UNFINISHED_RUN = re.compile(r"(_parts|\._parts\.[0-9a-f]{32}\.old)/|\.manifest\.json\.[0-9a-f]{32}\.old$")


class SilentObserver:
    """An observer that does nothing."""

    def planned(self, plan, parts, size_bytes): ...

    def advanced(self, rows, rejected, size_bytes): ...

    def committed(self, part): ...

    def spent(self, stage, wall_s, cpu_s): ...


def settings_for(inputs, output, model, **settings):
    """ScoreSettings; by default, any number of rejects is allowed."""
    inputs = inputs if isinstance(inputs, list | tuple) else [inputs]
    settings = {"max_rejects": RejectLimit.parse("100%"), **settings}
    return ScoreSettings(tuple(map(str, inputs)), str(output), str(model), **settings)


def score(inputs, output, model, *, storage=None, check_stop=lambda: None, observer=None, **settings):
    """Run the scoring stage."""
    run_settings = settings_for(inputs, output, model, **settings)
    return run(run_settings, (storage or LocalStorage()).stopping(check_stop), observer or SilentObserver())


@contextmanager
def repeated_runs():
    """Within the block, runs with the same model and results share the loaded network and the rendered page.

    Neither is an operation on files, so that each run still does all of those.
    """
    predictors, pages = {}, {}

    def shared_predictor(bundle, _check_stop):
        if bundle.digest not in predictors:
            predictors[bundle.digest] = predictor_of(bundle)
        return predictors[bundle.digest]

    def shared_page(report, timings):
        key = json.dumps(report)
        if key not in pages:
            pages[key] = render(report, timings)
        return pages[key]

    with (
        patch("job.score.run.predictor_of", shared_predictor),
        patch("job.score.gather.render", shared_page),
    ):
        yield


class PlannedOnce:
    """Within `with` blocks of this object, runs open their model and inspect their inputs only the first time.

    Later runs with the same settings begin with their first operation on the output folder. Neither the model nor the
    inputs may change. Blocks may be nested.
    """

    def __init__(self):
        self._models, self._sources, self._patches = {}, {}, []

    def __enter__(self):
        open_model, find_sources = score_run._open_model, score_run._sources

        def opened_once(storage, settings):
            if settings.model not in self._models:
                self._models[settings.model] = open_model(storage, settings)
            return self._models[settings.model]

        def found_once(storage, settings, output):
            key = settings.inputs, settings.read
            if key not in self._sources:
                self._sources[key] = find_sources(storage, settings, output)
            return self._sources[key]

        self._patches.append(patch.multiple(score_run, _open_model=opened_once, _sources=found_once))
        self._patches[-1].start()

    def __exit__(self, *_):
        self._patches.pop().stop()


def score_observed(inputs, output, model, *, check_stop=lambda: None, telemetry, **settings):
    """Run the scoring stage with the given TelemetrySettings; returns the recorder."""
    run_settings = settings_for(inputs, output, model, **settings)
    recorder = Recorder()
    with publish(recorder, run_settings, telemetry):
        recorder.result = run(run_settings, LocalStorage().stopping(check_stop), recorder)
    return recorder


def files_below(folder):
    """Every file's bytes by its relative path."""
    folder = Path(folder)
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def write_files(folder, files):
    """Write files by their relative path, and the folders that they are in."""
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)


def stable_files(folder):
    """Every file that must not depend on how the run went: all but the manifest, the page without its line of times."""
    return stable(files_below(folder))


def stable(files):
    """The same of files by their relative path."""
    return {
        path: _CLOCK.sub(b"", content) if "report.html" in path else content
        for path, content in files.items()
        if path != "manifest.json"
    }


def is_temporary(path):
    """Whether a path is that of a temporary file."""
    return bool(_TEMPORARY.search(path))


def results_among(files):
    """Of files by their relative path, those that are results: no parts, and nothing that a run is removing."""
    return {path: content for path, content in files.items() if not _OF_UNFINISHED_RUN.match(path)}


def state_of(files):
    """Files by their relative path, without what differs from run to run: times and the names of temporary files."""
    manifest = {"manifest.json": b""} if "manifest.json" in files else {}
    return frozenset((_RANDOM.sub(".", path), content) for path, content in {**stable(files), **manifest}.items())
