"""The numbers in Thrift's compact protocol, each of which can be replaced (doc/specs/thrift-compact-protocol.md).

`numbers_of` finds every number of a structure: the values of fields, the counts of lists and the lengths of strings.
Used by `crafted_parquet`, which makes files that lie.
"""

from dataclasses import dataclass

TRUE, FALSE, I8, I16, I32, I64, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = range(1, 13)
_LONG_LIST = 15


@dataclass(frozen=True)
class Number:
    """A number at the bytes [start, stop), named by the ids of its fields and its places in lists.

    form: how it is written. A count or length is named as its list or string, followed by `#`.
    """

    path: tuple
    form: str
    value: int
    start: int
    stop: int
    element: int = 0

    def encoded(self, value):
        """Another value in the place of this number, in the same form."""
        if self.form == "zigzag":
            return zigzag(max(min(value, 2**63 - 1), -(2**63)))
        value &= 2**64 - 1
        if self.form == "varint":
            return varint(value)
        if value < _LONG_LIST:
            return bytes([value << 4 | self.element])
        return bytes([_LONG_LIST << 4 | self.element]) + varint(value)


def varint(number):
    """An unsigned number, seven bits a byte, the lowest first."""
    head = b""
    while number > 127:
        head += bytes([number & 127 | 128])
        number >>= 7
    return head + bytes([number])


def zigzag(number):
    """A signed number of 64 bits."""
    return varint(((number << 1) ^ (number >> 63)) & (2**64 - 1))


def numbers_of(content, at=0):
    """All numbers of the structure at offset `at`, in its order, and the offset after it."""
    reader = _Reader(content, at)
    reader.struct(())
    return reader.found, reader.at


class _Reader:
    def __init__(self, content, at):
        self._content = content
        self.at = at
        self.found = []

    def struct(self, path):
        last = 0
        while (head := self._byte()) != 0:
            last = last + (head >> 4) if head >> 4 else self._signed()
            self._value(head & 15, (*path, last))

    def _value(self, kind, path):
        if kind in (I16, I32, I64):
            start, value = self.at, self._signed()
            self._add(path, "zigzag", value, start)
        elif kind == I8:
            self.at += 1
        elif kind == DOUBLE:
            self.at += 8
        elif kind == BINARY:
            start, length = self.at, self._unsigned()
            self._add((*path, "#"), "varint", length, start)
            self.at += length
        elif kind in (LIST, SET):
            self._list(path)
        elif kind == STRUCT:
            self.struct(path)
        else:
            assert kind in (TRUE, FALSE), kind

    def _list(self, path):
        start, head = self.at, self._byte()
        count, element = head >> 4, head & 15
        if count == _LONG_LIST:
            count = self._unsigned()
        self._add((*path, "#"), "list", count, start, element)
        for place in range(count):
            self._value(element, (*path, place))

    def _add(self, path, form, value, start, element=0):
        self.found.append(Number(path, form, value, start, self.at, element))

    def _byte(self):
        self.at += 1
        return self._content[self.at - 1]

    def _signed(self):
        value = self._unsigned()
        return (value >> 1) ^ -(value & 1)

    def _unsigned(self):
        value = shift = 0
        while (byte := self._byte()) > 127:
            value |= (byte & 127) << shift
            shift += 7
        return value | byte << shift
