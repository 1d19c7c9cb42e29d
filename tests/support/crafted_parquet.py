"""Parquet files that lie: any number of a written file, in its footer or in the headers of its pages, is replaced.

`LyingFile` takes a file apart; `lie` puts it together with other numbers. What a change of a page's header moves is
moved in the footer, so that only the number itself is wrong. Field ids are those of parquet.thrift in
apache/parquet-format. Used by `fuzz` and by the tests of hostile files.
"""

import io
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from support.files import PIXEL_NAMES, make_digits
from support.parquet_file import columns_file, constant_chunk
from support.thrift_numbers import numbers_of

# Numbers around which arithmetic wraps, or memory ends. The million is the most that Arrow takes as a list's length.
_POWERS = (0, 1, 7, 8, 15, 16, 20, 31, 32, 33, 40, 60, 61, 62, 63)
VALUES = sorted({sign * 2**power + near for power in _POWERS for sign in (1, -1) for near in (-1, 0, 1)} | {10**6})
FEW_VALUES = (0, 10**6, 2**31 - 1, 2**32, 2**61, 2**63 - 1, -1, -(2**63))

ROWS, GROUP_ROWS = 24, 15
_TAIL_BYTES = 8
_SCHEMA, _GROUPS, _COLUMNS, _META_DATA = 2, 4, 1, 3
_PACKED_BYTES, _DATA_PAGE, _DICTIONARY_PAGE = 7, 9, 11
_PACKED_PAGE_BYTES = 3
_OFFSETS = {(_DATA_PAGE,), (10,), (_DICTIONARY_PAGE,), (14,)}


@dataclass(frozen=True)
class Lie:
    """Another value for a number. name: as in `LyingFile.names`.

    `*` in it stands for every row group, column or part of the schema; `("every", n)` for all numbers that are n.
    """

    name: tuple
    value: int


class LyingFile:
    """A Parquet file whose numbers can be replaced."""

    def __init__(self, content):
        self.content = content
        size = int.from_bytes(content[-_TAIL_BYTES:-4], "little")
        self.footer_start = len(content) - _TAIL_BYTES - size
        self._footer = content[self.footer_start : -_TAIL_BYTES]
        self._numbers, _ = numbers_of(self._footer)
        self._values = {number.path: number.value for number in self._numbers}
        self._pages = self._page_numbers()
        # The last columns and row groups are like the first; one lie about all of them, and one about the first.
        footer = {_generic(number.path) for number in self._numbers} | {
            number.path for number in self._numbers if max((p for p in number.path[1::2] if p != "#"), default=0) == 0
        }
        # A lie about a page's header is one about all pages of its kind, or about the first.
        self.names = sorted(
            [("footer", *path) for path in footer]
            + [("page", *path) for path, _ in self._pages]
            + [("every", rows) for rows in {ROWS, GROUP_ROWS, ROWS - GROUP_ROWS}]
            + [("tail",)],
            key=str,
        )

    def lie(self, lies):
        """The file with some numbers replaced, the last lie about a number holding."""
        wanted = {lie.name: lie.value for lie in lies}
        content, moved = self._with_pages(wanted)
        parts, last = [], 0
        for number in self._numbers:
            value = moved.get(number.path, number.value)
            for name in (("every", number.value), ("footer", *_generic(number.path)), ("footer", *number.path)):
                value = wanted.get(name, value)
            if value != number.value:
                parts += [self._footer[last : number.start], number.encoded(value)]
                last = number.stop
        footer = b"".join([*parts, self._footer[last:]])
        size = wanted.get(("tail",), len(footer)) & (2**32 - 1)
        return content + footer + size.to_bytes(4, "little") + self.content[-4:]

    def _page_numbers(self):
        """The numbers of the pages of the first column of the first row group: (path, number)."""
        base = (_GROUPS, 0, _COLUMNS, 0, _META_DATA)
        start = self._values.get((*base, _DICTIONARY_PAGE)) or self._values[(*base, _DATA_PAGE)]
        at, stop, page, found = start, start + self._values[(*base, _PACKED_BYTES)], 0, []
        while at < stop and page < 3:
            numbers, at = numbers_of(self.content, at)
            found += [((page, *number.path), number) for number in numbers]
            at += next(number.value for number in numbers if number.path == (_PACKED_PAGE_BYTES,))
            page += 1
        return found

    def _with_pages(self, wanted):
        """What precedes the footer, and the numbers of the footer that its changes have moved."""
        parts, last, moved = [], 0, dict(self._values)
        for path, number in self._pages:
            value = wanted.get(("page", *path), wanted.get(("every", number.value)))
            if value is None:
                continue
            encoded = number.encoded(value)
            parts += [self.content[last : number.start], encoded]
            last = number.stop
            growth = len(encoded) - (number.stop - number.start)
            moved[(_GROUPS, 0, _COLUMNS, 0, _META_DATA, _PACKED_BYTES)] += growth
            for place, offset in self._values.items():
                if place[0] == _GROUPS and place[5:] in _OFFSETS and offset > number.start:
                    moved[place] += growth
        return b"".join([*parts, self.content[last : self.footer_start]]), moved


def _generic(path):
    """A path with `*` for the place of a row group, a column or a part of the schema."""
    if path[:1] == (_SCHEMA,) and len(path) > 2:
        return (_SCHEMA, "*", *path[2:])
    if path[:1] != (_GROUPS,) or len(path) < 3:
        return path
    path = (path[0], "*", *path[2:])
    return (*path[:3], "*", *path[4:]) if path[2] == _COLUMNS and len(path) > 4 else path


def written_files():
    """Files in all forms that are read, as (name, file), of ROWS digits each."""
    digits = make_digits(ROWS)
    labels = {"label": digits.labels}
    images = [row.tobytes() for row in digits.pixels]
    vectors = [
        {"type": 0, "size": 784, "indices": list(np.flatnonzero(row)), "values": row[row > 0].astype(float)}
        for row in digits.pixels
    ]

    def columns(type_, convert=np.asarray):
        return {name: pa.array(convert(digits.pixels[:, place]), type_) for place, name in enumerate(PIXEL_NAMES)}

    yield "bytes", _written({"image": images, **labels})
    yield "zstd", _written({"image": images, **labels}, compression="zstd", data_page_version="2.0")
    yield "fixed", _written({"image": pa.array(images, pa.binary(784)), **labels})
    yield "plain", _written({"image": pa.array(images, pa.binary(784))}, compression="none", use_dictionary=False)
    yield "delta", _written({"image": images}, use_dictionary=False, column_encoding={"image": "DELTA_BYTE_ARRAY"})
    yield (
        "lengths",
        _written({"image": images}, use_dictionary=False, column_encoding={"image": "DELTA_LENGTH_BYTE_ARRAY"}),
    )
    yield "lists", _written({"image": digits.pixels.tolist(), **labels})
    yield "squares", _written({"image": digits.pixels.reshape(-1, 28, 28).tolist()}, data_page_version="2.0")
    yield "pictures", _written({"image": [{"bytes": each, "path": ""} for each in images], "label": list("x" * ROWS)})
    yield "vectors", _written({"features": vectors, **labels})
    yield "columns", _written(columns(pa.uint8()))
    yield "longs", _written(columns(pa.int64()), compression="none", use_dictionary=False)
    yield "numbers", _written(columns(pa.float32()), use_dictionary=False, column_encoding="BYTE_STREAM_SPLIT")
    yield "text", _written(columns(pa.string(), lambda pixels: list(map(str, pixels))))
    yield "decimals", _written(columns(pa.decimal128(9, 2), lambda pixels: [Decimal(int(each)) for each in pixels]))
    yield "shared", LyingFile(columns_file(constant_chunk(ROWS, 8, bits=0), ROWS, 8))


def _written(columns, **options):
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file, row_group_size=GROUP_ROWS, **options)
    return LyingFile(file.getvalue())
