"""digit-job: train a small digit classifier and score files of pixels with it, in batch."""

from importlib.metadata import version

__version__ = version("digit-job")
