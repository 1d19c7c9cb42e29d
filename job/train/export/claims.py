"""What a Keras file claims to hold, checked before Keras makes arrays of it: zip members, HDF5 datasets, layers.

`foreign` calls these in this order. The limits are those of `job.model.bounds`.
"""

import io
import math
import zipfile
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any

from job.errors import ModelInvalid
from job.model.bounds import MAX_EXPANSION, MAX_FILE_BYTES, MAX_LAYER_VALUES, MAX_PARAMETERS
from job.model.trial import tried
from job.train.damage import damage_of

if TYPE_CHECKING:
    import keras


def members_of(content: bytes, names: Collection[str], where: str) -> dict[str, bytes]:
    """Those members of a zip archive that have one of the names; all others are ignored.

    where: its path, for errors. Raises ModelInvalid if it claims too much.
    """
    with (
        damage_of(where, lambda error: f"{where}: its zip archive is damaged: {error!s:.100}; save or copy it again"),
        zipfile.ZipFile(io.BytesIO(content)) as archive,
    ):
        _check_expansion(sum(each.file_size for each in archive.infolist()), len(content), where)
        return {name: archive.read(name) for name in names if name in archive.namelist()}


def check_hdf5(content: bytes, where: str) -> None:
    """Raise ModelInvalid unless the datasets of an HDF5 file are in the file, and no larger than what is there.

    Every one is read, in a process of its own: libhdf5 is known to crash on files that were made for it.
    """
    tried(read_hdf5, content, where)


def read_hdf5(content: bytes, where: str) -> None:
    """What `check_hdf5` does, for `trial`."""
    import h5py

    with (
        damage_of(where, lambda error: f"{where}: is damaged or cut off: {error!s:.150}; save or copy the model again"),
        h5py.File(io.BytesIO(content)) as file,
    ):
        claimed = 0
        for each in _datasets(file, where):
            claimed += _dataset_bytes(each, where)
            if claimed > MAX_FILE_BYTES:
                raise ModelInvalid(f"{where}: claims to hold {claimed:,} bytes, expected at most {MAX_FILE_BYTES:,}")
            each[()]
            dict(each.attrs)


def _check_expansion(claimed: int, size: int, where: str) -> None:
    if claimed > min(MAX_FILE_BYTES, MAX_EXPANSION * size):
        raise ModelInvalid(
            f"{where}: has {size:,} bytes and claims to hold {claimed:,}; expected at most {MAX_FILE_BYTES:,}, and at "
            f"most {MAX_EXPANSION} times its size"
        )


def _datasets(file: Any, where: str) -> Iterator[Any]:
    """The datasets of an open HDF5 file; links, which may lead into other files, are refused."""
    import h5py

    groups, seen = [file], set()
    while groups:
        group = groups.pop()
        for name in group:
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise ModelInvalid(f"{where}: its entry {name!r:.50} is a link, expected weights in the file")
            each = group[name]
            if isinstance(each, h5py.Dataset):
                yield each
            elif each.id not in seen:
                seen.add(each.id)
                groups.append(each)


def _dataset_bytes(dataset: Any, where: str) -> int:
    """The size of a dataset that is in the file."""
    size, stored = int(dataset.nbytes or 0), int(dataset.id.get_storage_size())
    if dataset.external or dataset.is_virtual:
        raise ModelInvalid(f"{where}: its weights {dataset.name!r:.50} are in another file, expected them in this one")
    if size > MAX_EXPANSION * stored:
        raise ModelInvalid(
            f"{where}: its weights {dataset.name!r:.50} claim {size:,} bytes and take {stored:,} in the file"
        )
    return size


def check_layers(model: "keras.Model", where: str) -> None:
    """Raise ModelInvalid where a network has too many parameters, or makes too many values of one image.

    Takes a network whose variables are declared only, see `foreign`.
    """
    parameters = sum(math.prod(each.shape) for each in model.weights)
    if parameters > MAX_PARAMETERS:
        raise ModelInvalid(f"{where}: has {parameters:,} parameters, expected at most {MAX_PARAMETERS:,}")
    for layer in getattr(model, "layers", ()):
        shape = getattr(getattr(layer, "output", None), "shape", ())
        values = math.prod(each or 1 for each in shape)
        if values > MAX_LAYER_VALUES:
            raise ModelInvalid(
                f"{where}: its layer {layer.name!r:.50} makes {values:,} values of an image, expected at most "
                f"{MAX_LAYER_VALUES:,}"
            )
