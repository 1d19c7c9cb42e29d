"""Training and test images that come together: in a NumPy archive, as files of arrays, or in a DatasetDict's folders.

For `labelled_files`, which reads them. MNIST's own IDX files it knows by their names.
"""

import logging
from collections.abc import Sequence
from pathlib import PurePosixPath

from job.read.arrow_files.arrow_source import ArrowSource
from job.read.numpy_files.array_headers import arrays_in
from job.read.numpy_files.arrays import has_both_subsets, split_name
from job.read.numpy_files.numpy_source import NumpySource, numpy_source
from job.read.source import Source
from job.settings import ReadSettings
from job.storage import Storage

_log = logging.getLogger(__name__)


def training_and_test(
    storage: Storage, sources: Sequence[Source], settings: ReadSettings
) -> tuple[list[Source], list[Source]]:
    """Sources to train on, and to test with; of the latter there are none unless all names tell which are which.

    sources: as `look` returns them for training. A subset for validation is left out: training holds out its own.
    """
    tests: list[Source] = [
        numpy_source(storage, source.file, settings, "test")
        for source in sources
        if isinstance(source, NumpySource) and has_both_subsets(arrays_in(storage, source.file))
    ]
    by_subset: dict[str | None, list[Source]] = {}
    for source in (*sources, *tests):
        by_subset.setdefault(_subset(source), []).append(source)
    if None in by_subset or not {"train", "test"} <= set(by_subset):
        return list(sources), []
    for source in by_subset.get("val", []):
        _log.info("%s: skipped: training holds out its own images for validation", source.file.path)
    return by_subset["train"], by_subset["test"]


def _subset(source: Source) -> str | None:
    """The subset that a name tells: of the array or the file for NumPy, of the folder for Hugging Face's datasets."""
    path = PurePosixPath(source.file.path)
    if isinstance(source, NumpySource):
        return split_name(source.images.name)[0] or split_name(path.stem)[0]
    return split_name(path.parent.name)[0] if isinstance(source, ArrowSource) else None
