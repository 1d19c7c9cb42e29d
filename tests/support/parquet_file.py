"""A Parquet file around the pages of one column, whatever they hold (parquet.thrift in apache/parquet-format)."""

_I32, _I64, _BINARY, _LIST, _STRUCT = 5, 6, 8, 9, 12
_INT32, _INT64 = 1, 2
_MAGIC = b"PAR1"


def one_column_file(chunk, rows, width, *, is_snappy, has_levels):
    """A file of one row group with the column `pixel` of integers; has_levels: nulls are possible."""
    kind = {4: _INT32, 8: _INT64}[width]
    column = _struct(
        (1, _I32, kind), (2, _LIST, (_I32, [0])), (3, _LIST, (_BINARY, [b"pixel"])), (4, _I32, int(is_snappy)),
        (5, _I64, rows), (6, _I64, len(chunk)), (7, _I64, len(chunk)), (9, _I64, len(_MAGIC)),
    )  # fmt: skip
    schema = [
        _struct((4, _BINARY, b"schema"), (5, _I32, 1)),
        _struct((1, _I32, kind), (3, _I32, int(has_levels)), (4, _BINARY, b"pixel")),
    ]
    chunks = (_STRUCT, [_struct((2, _I64, len(_MAGIC)), (3, _STRUCT, column))])
    groups = (_STRUCT, [_struct((1, _LIST, chunks), (2, _I64, len(chunk)), (3, _I64, rows))])
    footer = _struct((1, _I32, 2), (2, _LIST, (_STRUCT, schema)), (3, _I64, rows), (4, _LIST, groups))
    return _MAGIC + chunk + footer + len(footer).to_bytes(4, "little") + _MAGIC


def varint(number):
    """A number in Thrift's compact protocol, seven bits a byte."""
    head = b""
    while number > 127:
        head += bytes([number & 127 | 128])
        number >>= 7
    return head + bytes([number])


def _struct(*fields):
    """Fields as (id, type, value), by id; a list's value is (type, values)."""
    content, last = b"", 0
    for number, kind, value in fields:
        content += bytes([(number - last) << 4 | kind]) + _value(kind, value)
        last = number
    return content + b"\0"


def _value(kind, value):
    if kind == _STRUCT:
        return value
    if kind == _BINARY:
        return varint(len(value)) + value
    if kind == _LIST:
        element, values = value
        return bytes([len(values) << 4 | element]) + b"".join(_value(element, each) for each in values)
    return varint(2 * value)
