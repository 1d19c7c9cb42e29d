from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from support.files import Digits, make_digits

from job.storage import LocalStorage
from job.train.card.model_folder import TrainResult
from job.train.train_settings import TrainSettings
from job.train.training import train


def pytest_collection_modifyitems(items):
    """Keras reads TensorFlow's variables in a way that NumPy 2 deprecates; that is theirs to mend."""
    theirs = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(theirs)


def make_balanced(rows, seed=0):
    """Random pixels, and the labels 0 to 9 in turn, so that there are as many of each."""
    return Digits(make_digits(rows, seed).pixels, (np.arange(rows) % 10).astype(np.int8))


@pytest.fixture(scope="session")
def balanced():
    """Two hundred images, twenty of each digit; treat as read-only."""
    return make_balanced(200)


@dataclass
class Training:
    """One run of `train` and everything it called back."""

    texts: list[str] = field(default_factory=list)
    batches: list[tuple[int, int]] = field(default_factory=list)
    result: TrainResult | None = None


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A model trained for two epochs on scikit-learn's digits; treat as read-only."""
    training = Training()
    settings = TrainSettings("digits", str(tmp_path_factory.mktemp("trained") / "model"), epochs=2, seed=3)
    training.result = train(
        settings,
        LocalStorage(),
        mnist_dir=None,
        on_text=training.texts.append,
        on_batch=lambda done, total: training.batches.append((done, total)),
    )
    return training
