"""Parquet files written by hand, around any pages of columns (parquet.thrift in apache/parquet-format).

No number is checked: files may announce what they do not hold.
"""

from support.files import PIXEL_NAMES
from support.thrift_numbers import BINARY, I32, I64, LIST, STRUCT, varint, zigzag

_INT32, _INT64 = 1, 2
_MAGIC = b"PAR1"
_DATA_PAGE, _DICTIONARY_PAGE = 0, 2
_PLAIN, _RLE, _RLE_DICTIONARY = 0, 3, 8
_SHORT_LIST = 15


def one_column_file(chunk, rows, width, *, is_snappy, has_levels):
    """A file of one row group with the column `pixel` of integers; has_levels: nulls are possible."""
    return columns_file(chunk, rows, width, ["pixel"], is_snappy=is_snappy, has_levels=has_levels)


def columns_file(chunk, rows, width, names=PIXEL_NAMES, *, is_snappy=False, has_levels=False, groups=1):
    """A file whose columns of integers all share one chunk, in `groups` row groups of `rows` rows each."""
    kind = {4: _INT32, 8: _INT64}[width]
    names = [name.encode() for name in names]
    schema = [
        _struct((4, BINARY, b"schema"), (5, I32, len(names))),
        *(_struct((1, I32, kind), (3, I32, int(has_levels)), (4, BINARY, name)) for name in names),
    ]
    chunks = [
        _struct((2, I64, len(_MAGIC)), (3, STRUCT, _struct(
            (1, I32, kind), (2, LIST, (I32, [0])), (3, LIST, (BINARY, [name])), (4, I32, int(is_snappy)),
            (5, I64, rows), (6, I64, len(chunk)), (7, I64, len(chunk)), (9, I64, len(_MAGIC)),
        )))
        for name in names
    ]  # fmt: skip
    group = _struct((1, LIST, (STRUCT, chunks)), (2, I64, len(chunk)), (3, I64, rows))
    footer = _struct(
        (1, I32, 2), (2, LIST, (STRUCT, schema)), (3, I64, rows * groups), (4, LIST, (STRUCT, [group] * groups))
    )
    return _MAGIC + chunk + footer + len(footer).to_bytes(4, "little") + _MAGIC


def constant_chunk(values, width, bits):
    """Zeros as a dictionary of one value, and one run of `values` indices of `bits` bits each."""
    run = bytes([bits]) + varint(values << 1) + bytes(bits > 0)
    head = _struct((1, I32, 1), (2, I32, _PLAIN))
    return _page(_DICTIONARY_PAGE, (7, STRUCT, head), bytes(width)) + _data_page(values, run, _RLE_DICTIONARY)


def endless_chunk():
    """A page whose negative size leads from its end back to its header."""
    size = 0
    while True:
        header = _struct((1, I32, _DATA_PAGE), (2, I32, 8), (3, I32, size), (5, STRUCT, _struct((1, I32, 1))))
        if len(header) == -size:
            return header
        size = -len(header)


def plain_chunk(values, content):
    """A page that announces plain values, with any content."""
    return _data_page(values, content, _PLAIN)


def _data_page(values, content, encoding):
    head = _struct((1, I32, values), (2, I32, encoding), (3, I32, _RLE), (4, I32, _RLE))
    return _page(_DATA_PAGE, (5, STRUCT, head), content)


def _page(kind, head, content):
    return _struct((1, I32, kind), (2, I32, len(content)), (3, I32, len(content)), head) + content


def _struct(*fields):
    """Fields as (id, type, value), by id; a list's value is (type, values)."""
    content, last = b"", 0
    for number, kind, value in fields:
        content += bytes([(number - last) << 4 | kind]) + _value(kind, value)
        last = number
    return content + b"\0"


def _value(kind, value):
    if kind == STRUCT:
        return value
    if kind == BINARY:
        return varint(len(value)) + value
    if kind == LIST:
        element, values = value
        count = len(values)
        head = [count << 4 | element] if count < _SHORT_LIST else [_SHORT_LIST << 4 | element]
        long = varint(count) if count >= _SHORT_LIST else b""
        return bytes(head) + long + b"".join(_value(element, each) for each in values)
    return zigzag(value)
