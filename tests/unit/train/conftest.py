import hashlib
import logging
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from support.files import Digits, make_digits
from support.training_data import find_images

from job.model.bundle import open_bundle
from job.model.model_kind import find_model
from job.storage import LocalStorage
from job.train import training
from job.train.backend import fix_seed, import_keras
from job.train.card.foreign_model import convert
from job.train.card.model_folder import TrainResult
from job.train.export import formats
from job.train.fit.loop import FitResult
from job.train.phases import Phases
from job.train.train_settings import DataSettings, TrainSettings


def pytest_collection_modifyitems(items):
    """Keras reads TensorFlow's variables in a way that NumPy 2 deprecates; only Keras can fix that."""
    ignore = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(ignore)


def make_balanced(rows, seed=0):
    """Random pixels with the labels 0 to 9 in turn."""
    return Digits(make_digits(rows, seed).pixels, (np.arange(rows) % 10).astype(np.int8))


@pytest.fixture(scope="session")
def balanced():
    """Two hundred random images, twenty for each digit; treat as read-only."""
    return make_balanced(200)


@pytest.fixture(scope="session")
def optdigits():
    """Scikit-learn's 1,797 digits, as a Split; treat as read-only."""
    return find_images(LocalStorage(), "digits").images


@dataclass
class Training:
    """One run of `train`, everything that it called back, and its records in the log."""

    texts: list[str] = field(default_factory=list)
    shown: list[tuple[str, float | None]] = field(default_factory=list)
    records: list[logging.LogRecord] = field(default_factory=list)
    result: TrainResult | None = None


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A model trained for two epochs on scikit-learn's digits; treat as read-only."""
    run = Training()
    settings = TrainSettings(
        DataSettings(("digits",)), str(tmp_path_factory.mktemp("trained") / "model"), epochs=2, seed=3
    )
    run.settings = settings
    phases = Phases(lambda text, share: run.shown.append((text, share)))
    with logged(run.records):
        run.result = training.train(settings, LocalStorage(), mnist_dir=None, on_text=run.texts.append, phases=phases)
    return run


@contextmanager
def logged(records):
    """Append what the package logs in the block; for fixtures of the session, which cannot use caplog."""
    handler = logging.Handler()
    handler.emit = records.append
    package_log = logging.getLogger("job")
    level = package_log.level
    package_log.addHandler(handler)
    package_log.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        package_log.removeHandler(handler)
        package_log.setLevel(level)


@pytest.fixture(scope="session")
def layers():
    """Keras's layers, drawn with the same seed in each session."""
    fix_seed(1)
    return import_keras().layers


@pytest.fixture
def converted(storage, tmp_path):
    """A function that saves a stack of layers as a Keras file, converts it, and opens the model folder."""

    def run(*stack, name="mine.keras", **options):
        import_keras().Sequential(list(stack)).save(tmp_path / name)
        convert(storage, find_model(storage, str(tmp_path / name)), str(tmp_path / "model"), **options)
        return open_bundle(storage, str(tmp_path / "model"))

    return run


_conversions = {}


def _convert_once(name, convert):
    """A converter that remembers its result for each network."""

    def converted(model):
        weights = hashlib.sha256(b"".join(each.tobytes() for each in model.get_weights())).digest()
        key = name, model.name, weights
        if key not in _conversions:
            _conversions[key] = convert(model)
        return _conversions[key]

    return converted


@pytest.fixture
def convert_once(monkeypatch):
    """Convert equal networks once for all tests."""
    for name in ("for_scoring", "to_tflite", "_to_keras"):
        monkeypatch.setattr(formats, name, _convert_once(name, getattr(formats, name)))


@pytest.fixture
def no_fit(monkeypatch, convert_once):
    """Skip the training itself: the network stays untrained."""
    del convert_once
    monkeypatch.setattr(training, "fit", lambda model, *_args, **_named: FitResult(model, (), 0))
