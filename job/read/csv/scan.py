"""The compiled scanner as the reader calls it: a layout in the kernel's terms, and arrays as addresses."""

from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from job.compiled.machine_code import can_pack, kernel
from job.contract import PIXELS
from job.read.csv.block import Records, Scanned, Text
from job.read.layout.names import Layout

# What a field is to the kernel, where it is no pixel; the kept columns follow downwards.
IGNORED: Final = -1
LABEL: Final = -2
KEPT: Final = -3
_ABSENT: Final = -1


def can_scan(layout: Layout) -> bool:
    """Whether each field has one purpose, as the kernel needs it."""
    return not {*layout.kept_fields} & {*layout.pixel_fields, layout.label_field}


def prepare() -> None:
    """Load the compiled code, or compile it: before a file is opened, whose trouble it is not."""
    kernel("job.read.csv.scan_kernel", "scan")


def scan_records(text: Text, layout: Layout, records: Records) -> Scanned:
    """Find records and parse those that are plain; see `block.Scanner`. Only for layouts that it `can_scan`."""
    purposes, run = _purposes(layout)
    content = np.frombuffer(text.content, np.uint8)
    result = np.zeros(3, np.int64)
    kernel("job.read.csv.scan_kernel", "scan")(
        content.ctypes.data, text.begin, text.end, text.limit, text.is_final,
        purposes.ctypes.data, len(purposes), run, len(layout.kept_fields),
        ord(layout.delimiter), ord(layout.decimal), layout.scale == "1", can_pack(),
        records.pixels.ctypes.data, records.labels.ctypes.data, records.kept.ctypes.data,
        records.starts.ctypes.data, records.stops.ctypes.data, records.lines.ctypes.data,
        records.needs_patience.ctypes.data, len(records.starts), result.ctypes.data,
    )  # fmt: skip
    rows, position, lines = result.tolist()
    return Scanned(rows, position, lines)


@lru_cache(maxsize=16)
def _purposes(layout: Layout) -> tuple[npt.NDArray[np.int64], int]:
    """For each field its pixel or another purpose, int64 (fields,); and where all 784 pixels stand in order, or -1."""
    purposes = np.full(layout.field_count, IGNORED, np.int64)
    purposes[list(layout.pixel_fields)] = np.arange(PIXELS)
    purposes[list(layout.kept_fields)] = KEPT - np.arange(len(layout.kept_fields))
    if layout.label_field is not None:
        purposes[layout.label_field] = LABEL
    first = layout.pixel_fields[0]
    return purposes, first if layout.pixel_fields == tuple(range(first, first + PIXELS)) else _ABSENT
