"""The compiled scanner, called from Python: `scan_kernel` with a layout in its terms and arrays as addresses."""

from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from job.compiled.machine_code import can_pack, kernel
from job.contract import PIXELS
from job.errors import InternalError
from job.read.csv.block import SPARE_BYTES, Records, ScanResult, TextSlice
from job.read.layout.layout import Layout

# The purpose of a field that is not a pixel; passthrough fields are numbered downwards from PASSTHROUGH.
IGNORED: Final = -1
LABEL: Final = -2
PASSTHROUGH: Final = -3
_ABSENT: Final = -1


def can_scan(layout: Layout) -> bool:
    """Whether each field has only one purpose, and a comma only one meaning, as the kernel needs."""
    if layout.cell is not None or layout.decimal == layout.delimiter:
        return False
    return not {*layout.passthrough_fields} & {*layout.pixel_fields, layout.label_field}


def prepare() -> None:
    """Load the compiled scanner, or compile it. Call it before a file is opened: its errors are not the file's."""
    kernel("job.read.csv.scan_kernel", "scan")


def scan_records(text: TextSlice, layout: Layout, records: Records) -> ScanResult:
    """A `block.Scanner` that parses plain records, for layouts that it `can_scan`.

    Raises InternalError unless SPARE_BYTES follow the text in its memory.
    """
    if len(text.content) < text.end + SPARE_BYTES:
        raise InternalError(f"a text of {text.end} bytes lies in {len(text.content)}, without {SPARE_BYTES} to spare")
    purposes, run = _purposes(layout)
    content = np.frombuffer(text.content, np.uint8)
    result = np.zeros(3, np.int64)
    kernel("job.read.csv.scan_kernel", "scan")(
        content.ctypes.data, text.begin, text.end, text.limit, text.is_final,
        purposes.ctypes.data, len(purposes), run, len(layout.passthrough_fields),
        ord(layout.delimiter), ord(layout.decimal), layout.pixel_scale == "1", layout.is_aligned, can_pack(),
        records.pixels.ctypes.data, records.labels.ctypes.data, records.passthrough.ctypes.data,
        records.starts.ctypes.data, records.stops.ctypes.data, records.lines.ctypes.data,
        records.needs_slow_parser.ctypes.data, len(records.starts), result.ctypes.data,
    )  # fmt: skip
    rows, position, lines = result.tolist()
    return ScanResult(rows, position, lines)


@lru_cache(maxsize=16)
def _purposes(layout: Layout) -> tuple[npt.NDArray[np.int64], int]:
    """The pixel or other purpose of each field, int64 (fields,); and the first of 784 pixels in order, or -1."""
    purposes = np.full(layout.field_count, IGNORED, np.int64)
    purposes[list(layout.pixel_fields)] = np.arange(PIXELS)
    purposes[list(layout.passthrough_fields)] = PASSTHROUGH - np.arange(len(layout.passthrough_fields))
    if layout.label_field is not None:
        purposes[layout.label_field] = LABEL
    first = layout.pixel_fields[0]
    return purposes, first if layout.pixel_fields == tuple(range(first, first + PIXELS)) else _ABSENT
