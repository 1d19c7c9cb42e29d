"""The arrays of a `.npy` file or a `.npz` archive, by their headers.

Nothing is unpickled, and no size that a header states is used before it is compared with what is there. Format: NumPy
enhancement proposal 1 (`numpy.lib.format`).
"""

import io
import warnings
import zipfile
from collections.abc import Iterable
from dataclasses import replace
from tokenize import TokenError
from typing import BinaryIO, Final

import numpy.lib.format as npy_format

from job.errors import DataError
from job.read.numpy_files.stored_array import NPY_SUFFIX, StoredArray, unpacked_member
from job.read.packed.compression import Compression
from job.read.packed.stream import opened, translated_damage
from job.read.packed.zip_archive import check_member, open_archive, plain_members
from job.read.packed.zip_member import content_offset
from job.storage import FileInfo, Storage

# NumPy itself refuses headers of more than 10,000 characters.
_MAX_HEADER_BYTES: Final = 1 << 14
# NumPy parses headers as Python, whose parser has a stack of its own: too deep a header is a MemoryError.
_BAD_HEADER: Final = (
    ValueError, EOFError, SyntaxError, TypeError, RecursionError, OverflowError, TokenError, MemoryError,
)  # fmt: skip
# Deflate's best case: 258 bytes for two bits.
_MAX_DEFLATION: Final = 1032


def is_array_archive(names: Iterable[str]) -> bool:
    """Whether an archive of files with such names is NumPy's: it has nothing but arrays."""
    found = list(names)
    return bool(found) and all(name.endswith(NPY_SUFFIX) for name in found)


def arrays_in(storage: Storage, file: FileInfo) -> list[StoredArray]:
    """The arrays of a `.npy` or `.npz` file, in its order. Raises LayoutError, DataError, StorageError."""
    with opened(storage, file) as content:
        if content.compression is not Compression.ZIP:
            found = _array(content.stream, file, "")
            return [_placed(found, 0, file.size) if content.compression is Compression.NONE else found]
        with translated_damage(file.path, Compression.ZIP), open_archive(content.raw) as archive:
            members = plain_members(archive)
            if len({member.filename for member in members}) != len(members):
                raise zipfile.BadZipFile("it has two members of one name")
            arrays = []
            for member in members:
                check_member(content.raw, member)
                name = member.filename.removesuffix(NPY_SUFFIX)
                stream = unpacked_member(content.raw, archive, member, f"{file.path} ({name})")
                array = _array(stream, file, name)
                _check_size(array, member, file)
                if member.compress_type == zipfile.ZIP_STORED:
                    array = _placed(array, content_offset(content.raw, member), member.file_size)
                arrays.append(array)
            return arrays


def _array(stream: BinaryIO, file: FileInfo, name: str) -> StoredArray:
    """The array whose header a stream begins with."""
    where = f"{file.path} ({name})" if name else file.path
    head = io.BytesIO(stream.read(_MAX_HEADER_BYTES))
    try:
        with warnings.catch_warnings(action="ignore"):  # NumPy says so of headers that Python 2 wrote
            version = npy_format.read_magic(head)
            read_header = npy_format.read_array_header_1_0 if version == (1, 0) else npy_format.read_array_header_2_0
            shape, is_fortran, dtype = read_header(head)
    except _BAD_HEADER as error:
        problem = str(error).partition("\n")[0] or type(error).__name__
        raise DataError(f"{where}: its header cannot be read as NumPy's: {problem}") from error
    if any(size < 0 for size in shape):
        raise DataError(f"{where}: its header announces a negative size: {shape}")
    return StoredArray(file, name, shape, dtype, is_fortran, head.tell(), None)


def _placed(array: StoredArray, offset: int, size: int) -> StoredArray:
    """An array whose file or member of `size` bytes begins at `offset` of the file. Raises DataError."""
    expected = array.start + array.rows * array.row_bytes
    is_read = array.is_image or array.is_label
    if is_read and not array.dtype.hasobject and (size != expected or offset + size > array.file.size):
        raise DataError(f"{array.where}: {size} bytes, expected {expected} for the shape {array.shape} of its header")
    return replace(array, offset=offset + array.start)


def _check_size(array: StoredArray, member: zipfile.ZipInfo, file: FileInfo) -> None:
    """Raise DataError for a member that cannot be as long as its header says."""
    if not (array.is_image or array.is_label) or array.dtype.hasobject:
        return
    expected = array.start + array.rows * array.row_bytes
    limits = {zipfile.ZIP_STORED: 1, zipfile.ZIP_DEFLATED: _MAX_DEFLATION}
    limit = member.compress_size * limits[member.compress_type] if member.compress_type in limits else expected
    if member.file_size != expected or member.compress_size > file.size or expected > limit:
        raise DataError(
            f"{array.where}: the archive's {member.compress_size} bytes, {member.file_size} unpacked, cannot hold the "
            f"{expected} of its header, for the shape {array.shape}"
        )
