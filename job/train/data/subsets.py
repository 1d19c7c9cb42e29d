"""Training, validation and test images that come together: files or folders named so, or arrays of a NumPy archive.

For `labelled_files`, which reads them. MNIST's own IDX files it knows by their names.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Final

from job.read.numpy_files.array_headers import arrays_in
from job.read.numpy_files.arrays import Subset, image_subsets, split_name
from job.read.numpy_files.numpy_source import NumpySource, numpy_source
from job.read.pictures.kinds import has_picture_name
from job.read.source import Source, folder_named, look
from job.report.words import some
from job.settings import ReadSettings
from job.storage import FileInfo, Storage

_log = logging.getLogger(__name__)

_ROLES: Final[dict[Subset, str]] = {"train": "to train on", "val": "to validate with", "test": "to test with"}


@dataclass(frozen=True)
class Subsets:
    """Sources by what they are for. validation, test: None where some of the others are to be held out for that."""

    train: Sequence[Source]
    validation: Sequence[Source] | None = None
    test: Sequence[Source] | None = None


def look_by_subset(
    storage: Storage, named: Sequence[str], files: Sequence[FileInfo], settings: ReadSettings
) -> Subsets:
    """Recognise the formats of files, as `look` does, and tell which are to train on, to validate and to test with.

    Names tell: `mnist_train.csv` beside `mnist_test.csv`, folders `train` and `test`, arrays `x_train` and `x_test`.
    Without such a pair, all files are to train on. Beside one, files whose names do not tell are left out with a
    warning, unless the user named them by themselves; and those to test or validate with that have no labels are left
    out, such as Kaggle's test.csv. named: the paths that the user named; of folders, only names below them count.
    Raises LayoutError, DataError, StorageError.
    """
    told = [_told(file, named) for file in files]
    # The pictures of a subset are one source.
    files = [replace(file, found_in=path) if path else file for file, (path, _) in zip(files, told, strict=True)]
    subsets = {path or file.path: subset for file, (path, subset) in zip(files, told, strict=True)}
    if not {"train"} < set(subsets.values()) - {None}:
        return _by_array_name(storage, look(storage, files, settings, subset="train"), settings)
    subsets |= {path: "train" for path in named if path in subsets and subsets[path] is None}
    unknown = [path for path, subset in subsets.items() if subset is None]
    if unknown:
        _log.warning(
            "%s: left out: unlike those of other files, the names do not tell whether to train on them", some(unknown)
        )
    taken = [file for file, (path, _) in zip(files, told, strict=True) if subsets[path or file.path]]
    return _by_file_name(look(storage, taken, settings, subset="train"), subsets)


def _told(file: FileInfo, named: Sequence[str]) -> tuple[str | None, Subset | None]:
    """The subset that the first telling name tells: of a folder below those that the user named, or of the file.

    Of a picture, only folders tell; then the path of that folder goes first.
    """
    path = PurePosixPath(file.path)
    folders = (each if path.is_relative_to(each) else folder_named(each, is_folder=False) for each in named)
    above = next((each for each in folders if each != file.path and path.is_relative_to(each)), str(path.parent))
    parts = path.relative_to(above).parts
    is_picture = has_picture_name(file.name)
    for place, part in enumerate(parts[:-1] if is_picture else parts, start=1):
        if subset := split_name(part)[0]:
            return (str(PurePosixPath(above, *parts[:place])) if is_picture else None), subset
    return None, None


def _by_file_name(sources: Sequence[Source], subsets: Mapping[str, Subset | None]) -> Subsets:
    found: dict[Subset, list[Source]] = {
        subset: [each for each in sources if subsets[each.file.path] == subset] for subset in _ROLES
    }
    # Of some, as of Kaggle's test.csv, nobody knows the digits.
    labelled = {subset: of_subset for subset, of_subset in found.items() if any(each.has_labels for each in of_subset)}
    for subset, role in _ROLES.items():
        paths = some([each.file.path for each in found[subset]])
        if subset in labelled or subset == "train":
            _log.info("%s: %s, as the names say", paths, role)
        elif paths:
            _log.info("%s: left out: no labels; some of the images to train on are held out instead", paths)
    return Subsets(found["train"], labelled.get("val"), labelled.get("test"))


def _by_array_name(storage: Storage, sources: Sequence[Source], settings: ReadSettings) -> Subsets:
    """The subsets of archives that each have images to train on and others; other sources are to train on."""
    archives = [each.file for each in sources if isinstance(each, NumpySource)]
    subsets = [image_subsets(arrays_in(storage, file)) for file in archives]
    shared = set.intersection(*subsets) if subsets and len(archives) == len(sources) else set()
    for file, found in zip(archives, subsets, strict=True):
        unused = sorted(each for each in found - shared - {"train"} if each)
        if "train" in found and unused:
            _log.warning("%s: its arrays %s are left out: other files have none", file.path, some(unused))

    def of(subset: Subset) -> Sequence[Source] | None:
        is_there = {"train", subset} <= shared
        return [numpy_source(storage, file, settings, subset) for file in archives] if is_there else None

    return Subsets(sources, of("val"), of("test"))
