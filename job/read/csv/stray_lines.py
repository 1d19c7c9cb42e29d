"""Lines inside the data that are no records: a second header, where files were joined, and comments.

`block` asks about records that it would reject, so that a file without such lines pays nothing. A stray line keeps its
row in the predictions, without a prediction, and is counted apart from rejects.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from job.contract import PIXELS, Reason
from job.errors import LayoutError
from job.read.csv.dialect import try_split
from job.read.csv.preamble import COMMENT_MARKS, DECLARED
from job.read.labels import BadRecord
from job.read.layout.layout import Layout
from job.read.layout.names import from_names
from job.read.layout.values import parse_number

_SHOWN: Final = 3


class OtherColumns(Exception):
    """A header inside the data that names other columns than the file's, or in another order; the message says which.

    Whatever follows would be read by positions that are wrong for it.
    """

    def __init__(self, detail: str, byte_offset: int = 0) -> None:
        super().__init__(detail)
        self.byte_offset = byte_offset


def stray_line(record: bytes, layout: Layout) -> BadRecord | None:
    """What a line is that is no record; None if it is a record, though perhaps a bad one. Raises OtherColumns."""
    fields = try_split(record, layout.delimiter, is_aligned=layout.is_aligned)
    if _is_comment(record, fields, layout) or DECLARED.fullmatch(record):
        return BadRecord(Reason.COMMENT_LINE, "a comment, which is not a record")
    names = [field.strip() for field in fields]
    if layout.cell is not None:
        return _repeated_names(names, layout)
    if len(names) >= layout.field_count + PIXELS - 1:
        _check_behind_record(names[layout.field_count - 1 :], layout)
        return None
    return _header(names, layout)


def _header(names: list[str], layout: Layout) -> BadRecord | None:
    """What a line is that names columns; None if it does not. Raises OtherColumns."""
    # Records have many equal pixels; so a look at the names costs bad records nothing.
    if len(names) < PIXELS or len(set(names)) < PIXELS:
        return None
    try:
        found = from_names(names, replace(layout.settings, keep=()), "")
    except LayoutError:
        if _numbers(names) > len(names) // 2:
            return None
        raise OtherColumns(_orders("column names that are not understood", names, layout)) from None
    if _means_the_same(found, names, layout):
        return BadRecord(Reason.REPEATED_HEADER, "the header again, which is not a record")
    raise OtherColumns(_orders("column names in another order", names, layout))


def _check_behind_record(names: list[str], layout: Layout) -> None:
    """Raise OtherColumns for another header behind a record on its line: the first file had no line end at its end.

    names: from the record's last field on, which ends with the first name.
    """
    _header([names[0].lstrip("0123456789.").strip('"'), *names[1:]], layout)


def _is_comment(record: bytes, fields: Sequence[str], layout: Layout) -> bool:
    """A comment mark begins the line; but a text column in front may begin with one, too."""
    if not record.lstrip().startswith(COMMENT_MARKS):
        return False
    count = layout.field_count if layout.cell is None else layout.field_count - PIXELS + 1
    return len(fields) != count or layout.cell == 0 or 0 not in layout.other_fields


def _repeated_names(names: Sequence[str], layout: Layout) -> BadRecord | None:
    """For a file with images in one field, whose header is short: only its own names are a header."""
    own = _cell_names(layout)
    if own is None or sorted(names) != sorted(own):
        return None
    if names == own:
        return BadRecord(Reason.REPEATED_HEADER, "the header again, which is not a record")
    raise OtherColumns(_orders("column names in another order", names, layout))


def _cell_names(layout: Layout) -> list[str] | None:
    if layout.names is None or layout.cell is None:
        return None
    return [*layout.names[: layout.cell], layout.cell_name, *layout.names[layout.cell + PIXELS :]]


def _means_the_same(found: Layout, names: Sequence[str], layout: Layout) -> bool:
    """Whether the records below a header would be read as those above it."""
    kept = [names[field] if field < len(names) else None for field in layout.passthrough_fields]
    return (
        found.pixel_fields == layout.pixel_fields
        and found.label_field == layout.label_field
        and kept == [layout.column_name(field) for field in layout.passthrough_fields]
    )


def _numbers(names: Sequence[str]) -> int:
    return sum(parse_number(name) is not None for name in names)


def _orders(what: str, names: Sequence[str], layout: Layout) -> str:
    own = layout.names if layout.cell is None else _cell_names(layout)
    above = _summary(own) if own else layout.expected
    return f"{what}: {_summary(names)}; above it: {above}; score the two tables as separate files"


def _summary(names: Sequence[str]) -> str:
    first = ", ".join(names[:_SHOWN])
    return f"{first}, .. {names[-1]}" if len(names) > _SHOWN else first
