"""Which columns of a Parquet file are the pixels, the label and passthrough columns, decided by its schema alone.

Pixels are 784 columns of numbers, which `layout.names` finds by name, or one column of images, found here by its type.
"""

import difflib
from collections import Counter
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from job.contract import PIXELS
from job.errors import LayoutError
from job.flag_names import Flag
from job.read.arrow import BYTES_FIELD, can_be_image, is_number, is_text, leaf_type, storage_type, width_bytes
from job.read.layout.names import LABEL_NAMES, from_names
from job.settings import ReadSettings

IMAGE_NAMES: Final = ("image", "pixels", "features", "img")


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns to read, by name.

    pixels: 784 columns, row-major; or one column of images. file_order: indices into `pixels`, in the file's order of
    columns. label: the label's column, or None. passthrough: in the user's order; empty if there are none. is_float:
    any pixel column is floating-point. is_transposed: images are stored column by column. row_bytes: about how much
    memory a row takes, apart from text and byte strings. reader_names: what to ask Arrow's reader for. others: the
    columns that are skipped.
    """

    pixels: tuple[str, ...]
    file_order: tuple[int, ...]
    label: str | None
    passthrough: pa.Schema
    is_float: bool
    is_transposed: bool
    row_bytes: int
    reader_names: tuple[str, ...]
    others: tuple[str, ...]

    @property
    def is_image(self) -> bool:
        """Whether the pixels are one column of images."""
        return len(self.pixels) == 1

    @property
    def names_beside_pixels(self) -> tuple[str, ...]:
        """The label and the passthrough columns, each once."""
        return tuple(dict.fromkeys([*([] if self.label is None else [self.label]), *self.passthrough.names]))

    def passthrough_of(self, records: pa.RecordBatch) -> pa.RecordBatch | None:
        """The passthrough columns of some rows, dictionaries decoded; None if there are none."""
        if not len(self.passthrough):
            return None
        columns = [records.column(name) for name in self.passthrough.names]
        plain = [column.dictionary_decode() if pa.types.is_dictionary(column.type) else column for column in columns]
        return pa.RecordBatch.from_arrays(plain, schema=self.passthrough)


def choose_columns(schema: pa.Schema, settings: ReadSettings, where: str) -> Columns:
    """Settle which column is which. `where` names the file in errors. Raises LayoutError."""
    # Once: Arrow makes a new list for each `schema.names`, and searches all columns for each `schema.field(name)`.
    all_names, fields = schema.names, {field.name: field for field in schema}
    image = _image_column(schema, settings, where) if len(schema) < PIXELS else None
    if image is not None:
        _check_unique(all_names, where)
        label = _label_beside(image, all_names, settings, where)
        pixels: tuple[str, ...] = (image,)
    else:
        layout = from_names(all_names, settings, where)
        label = None if layout.label_field is None else all_names[layout.label_field]
        pixels = tuple(all_names[field] for field in layout.pixel_fields)
        for name in pixels:
            _check_number(fields[name], where)
    if label is not None:
        _check_label(fields[label], where)
    passthrough = pa.schema([_passthrough_field(schema, name, where) for name in dict.fromkeys(settings.keep)])
    types = [fields[name].type for name in (*pixels, *passthrough.names)]
    used = dict.fromkeys([*pixels, *([] if label is None else [label]), *passthrough.names])
    places = {name: index for index, name in enumerate(all_names)}
    return Columns(
        pixels,
        tuple(sorted(range(len(pixels)), key=lambda pixel: places[pixels[pixel]])),
        label,
        passthrough,
        is_float=any(pa.types.is_floating(leaf_type(type_)) for type_ in types[: len(pixels)]),
        is_transposed=settings.is_transposed,
        row_bytes=sum(map(width_bytes, types)),
        reader_names=tuple(dict.fromkeys(_reader_name(fields[name]) for name in used)),
        others=tuple(name for name in all_names if name not in used),
    )


def _reader_name(field: pa.Field) -> str:
    """What to ask Arrow's reader for: of a struct, only its bytes."""
    return f"{field.name}.{BYTES_FIELD}" if pa.types.is_struct(field.type) else field.name


def _image_column(schema: pa.Schema, settings: ReadSettings, where: str) -> str | None:
    """The only column whose type can hold images, or the one of several with a usual name; None if there is none."""
    taken = {settings.label_column, *settings.keep}
    found = [field.name for field in schema if field.name not in taken and can_be_image(field.type)]
    named = [name for name in found if name.strip().lower() in IMAGE_NAMES]
    if len(found) > 1 and len(named) != 1:
        raise LayoutError(
            f"{where}: {', '.join(named or found)} could each be the images; "
            f"expected one such column, or one named {', '.join(IMAGE_NAMES[:-1])} or {IMAGE_NAMES[-1]}"
        )
    return next(iter(named or found), None)


def _label_beside(image: str, names: list[str], settings: ReadSettings, where: str) -> str | None:
    """The label's column in a file with a column of images."""
    if settings.is_label_ignored:
        return None
    if settings.label_column is not None:
        _check_known(settings.label_column, names, where)
        return settings.label_column
    found = [name for name in names if name != image and name.strip().lower() in LABEL_NAMES]
    if len(found) > 1:
        raise LayoutError(
            f"{where}: {', '.join(found)} could each be the label; say which with "
            f"{Flag.LABEL_COLUMN} NAME or {Flag.NO_LABEL}"
        )
    return found[0] if found else None


def _passthrough_field(schema: pa.Schema, name: str, where: str) -> pa.Field:
    _check_known(name, schema.names, where)
    type_ = schema.field(name).type
    if pa.types.is_dictionary(type_):  # an encoding, which may differ between row groups
        type_ = type_.value_type
    if pa.types.is_nested(storage_type(type_)):
        raise LayoutError(f"{where}: column {name!r} is of type {type_}, which cannot be kept; expected a flat column")
    return pa.field(name, type_)


def _check_known(name: str, names: list[str], where: str) -> None:
    if name not in names:
        close = difflib.get_close_matches(name, names, n=1)
        suggestion = f"; did you mean {close[0]!r}?" if close else f"; found {', '.join(names)[:100]}"
        raise LayoutError(f"{where}: has no column {name!r}{suggestion}")


def _check_unique(names: list[str], where: str) -> None:
    name, times = Counter(names).most_common(1)[0]
    if times > 1:
        raise LayoutError(f"{where}: column {name!r} appears {times} times; names must be unique")


def _check_number(field: pa.Field, where: str) -> None:
    if not is_number(field.type):
        raise LayoutError(f"{where}: pixel column {field.name!r} is of type {field.type}, expected a number")


def _check_label(field: pa.Field, where: str) -> None:
    type_ = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    if not (is_number(type_) or is_text(type_)):
        raise LayoutError(f"{where}: label column {field.name!r} is of type {field.type}, expected a number or text")
