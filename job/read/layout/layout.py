"""`Layout`: where a record's pixels and label are, and how they are written. `names` makes it, readers follow it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from job.contract import PIXELS
from job.read.layout.values import DecimalMark
from job.settings import LabelMap, PixelScale, ReadSettings

# The first records of a file, each with as many fields as a complete record.
Rows = Sequence[Sequence[str]]

# `windows-1252`: a record that is not UTF-8 is Windows-1252, which contains Latin-1's letters.
Encoding = Literal["utf-8", "windows-1252"]


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a record's pixels and label are, and how they are written.

    field_count: the number of fields of a complete record.
    pixel_fields: the field index of each of the 784 pixels, row-major.
    label_field: the label's field index, or None.
    names: the fields' names, or None if the file has no header.
    delimiter: the ASCII character between fields of text.
    passthrough_fields: the fields to copy to the predictions, in the user's order.
    pixel_scale: the stored value of a fully inked pixel.
    decimal: the decimal mark.
    is_aligned: runs of the delimiter, a space, separate two fields.
    encoding: of text that is not ASCII.
    cell: the field that holds a whole image as text; fields are counted with its 784 numbers in its place. None if
        each pixel has a field.
    settings: the user's choices, by which a header inside the file is understood in the same way.
    """

    field_count: int
    pixel_fields: tuple[int, ...]
    label_field: int | None
    names: tuple[str, ...] | None = None
    delimiter: str = ","
    passthrough_fields: tuple[int, ...] = ()
    pixel_scale: PixelScale = "255"
    decimal: DecimalMark = "."
    is_aligned: bool = False
    encoding: Encoding = "windows-1252"
    cell: int | None = None
    settings: ReadSettings = field(default=ReadSettings(), compare=False)

    @property
    def label_map(self) -> LabelMap | None:
        """The digits of labels that are not digits."""
        return self.settings.label_map

    def column_name(self, field: int) -> str:
        """The name of a field in messages: its column's name, or its number from 1."""
        return self.names[field] if self.names else f"column {field + 1}"

    @property
    def passthrough_names(self) -> tuple[str, ...]:
        """The names of the passthrough columns, in the user's order."""
        return tuple(self.column_name(field) for field in self.passthrough_fields)

    @property
    def cell_name(self) -> str:
        """The name of the column that holds whole images as text; `image` if the file has no header."""
        if self.names is None or self.cell is None:
            return "image"
        return self.names[self.cell].removesuffix("[0]")

    @property
    def other_fields(self) -> tuple[int, ...]:
        """The fields that are neither pixel nor label, ascending."""
        return tuple(sorted({*range(self.field_count)} - {*self.pixel_fields, self.label_field}))

    @property
    def expected(self) -> str:
        """What a complete record holds, for messages."""
        others = self.field_count - PIXELS - (self.label_field is not None)
        parts = ["label"] if self.label_field is not None else []
        parts += [f"{PIXELS} pixels"] + ([f"{others} other"] if others else [])
        return f"{self.field_count} ({' + '.join(parts)})"
