"""Training data from one source, as most tests have it."""

from job.settings import ReadSettings
from job.train.data import dataset, origin
from job.train.train_settings import DataSettings


def find_images(storage, source, read=None, **how):
    """The images of one source."""
    (found,) = origin.find_images(storage, [source], read or ReadSettings(), **how)
    return found


def load(storage, source, read=None, *, seed, validation_share=None, test_share=None, **how):
    """The data set of one source."""
    data = DataSettings((source,), read or ReadSettings(), (), test_share, validation_share)
    return dataset.load(storage, data, seed=seed, **how)
