"""Which columns of a table are the pixels, the label and passthrough columns, decided by its schema.

Pixels are 784 columns of numbers, which `layout.names` finds by name, or one column of images, found here by its type;
only a column of text has to be looked into.
"""

import difflib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from job.contract import PIXELS
from job.errors import DataError, LayoutError
from job.flag_names import Flag
from job.read.arrow import (
    BYTES_FIELD,
    can_be_image,
    holds_numbers,
    is_list,
    is_text,
    is_vector,
    leaf_type,
    storage_type,
    width_bytes,
)
from job.read.layout.names import LABEL_NAMES, from_names
from job.read.table.numbers import is_number_column, is_text_column
from job.settings import ReadSettings

# Of one value that --keep copies. A CSV record is bounded by itself.
MAX_KEPT_BYTES: Final = 1 << 16
IMAGE_NAMES: Final = ("image", "pixels", "features", "img")


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns to read, by name.

    pixels: 784 columns, row-major; or one column of images. file_order: indices into `pixels`, in the file's order of
    columns. label: the label's column, or None. passthrough: in the user's order; empty if there are none. is_boolean:
    the pixels are booleans, of which true is full ink. are_integers: all pixel columns are. is_transposed: images are
    stored column by column. is_inverted: digits are dark on white. row_bytes: about how much memory a row takes, apart
    from text and byte strings. reader_names: what to ask Arrow's reader for. others: the columns that are skipped.
    pixel_types: in one line.
    """

    pixels: tuple[str, ...]
    file_order: tuple[int, ...]
    label: str | None
    passthrough: pa.Schema
    is_boolean: bool
    are_integers: bool
    is_transposed: bool
    is_inverted: bool
    row_bytes: int
    reader_names: tuple[str, ...]
    others: tuple[str, ...]
    pixel_types: str

    @property
    def is_image(self) -> bool:
        """Whether the pixels are one column of images."""
        return len(self.pixels) == 1

    @property
    def names_beside_pixels(self) -> tuple[str, ...]:
        """The label and the passthrough columns, each once."""
        return tuple(dict.fromkeys([*([] if self.label is None else [self.label]), *self.passthrough.names]))

    def passthrough_of(self, records: pa.RecordBatch, where: str) -> pa.RecordBatch | None:
        """The passthrough columns of some rows, dictionaries decoded; None if there are none.

        where: names the file in errors. Raises DataError for a text of more than MAX_KEPT_BYTES: a small file can hold
        one for millions of rows.
        """
        if not len(self.passthrough):
            return None
        columns = [records.column(name) for name in self.passthrough.names]
        for name, column in zip(self.passthrough.names, columns, strict=True):
            longest = _longest_text(column)
            if longest > MAX_KEPT_BYTES:
                raise DataError(
                    f"{where}: {Flag.KEEP} {name}: has a text of {longest:,} bytes, expected at most "
                    f"{MAX_KEPT_BYTES:,}; leave it out"
                )
        plain = [column.dictionary_decode() if pa.types.is_dictionary(column.type) else column for column in columns]
        return pa.RecordBatch.from_arrays(
            [column.cast(field.type) for column, field in zip(plain, self.passthrough, strict=True)],
            schema=self.passthrough,
        )


def _longest_text(column: pa.Array) -> int:
    """The bytes of the longest text in a column, in its dictionary if it has one; 0 for other columns."""
    values = column.dictionary if pa.types.is_dictionary(column.type) else column
    if not (pa.types.is_string(values.type) or pa.types.is_large_string(values.type)):
        return 0
    import pyarrow.compute as pc

    return pc.max(pc.binary_length(values)).as_py() or 0


def choose_columns(
    schema: pa.Schema, settings: ReadSettings, where: str, looks_like_images: Callable[[str], bool]
) -> Columns:
    """Settle which column is which. `where` names the file in errors. Raises LayoutError.

    looks_like_images: whether the first values of a column of text, or of lists of text, look like images.
    """
    # Once: Arrow makes a new list for each `schema.names`, and searches all columns for each `schema.field(name)`.
    all_names, fields = schema.names, list(schema)
    places = {name: index for index, name in enumerate(all_names)}
    image = _image_column(fields, settings, where, looks_like_images) if len(fields) < PIXELS else None
    if image is not None:
        _check_unique(all_names, where)
        label = _label_beside(image, all_names, settings, where)
        pixels: tuple[str, ...] = (image,)
    else:
        layout = from_names(all_names, settings, where)
        label = None if layout.label_field is None else all_names[layout.label_field]
        pixels = tuple(all_names[field] for field in layout.pixel_fields)
    types = [fields[places[name]].type for name in pixels]
    if image is None:
        _check_numbers(pixels, types, where)
    if label is not None:
        _check_label(fields[places[label]], where)
    passthrough = pa.schema([_passthrough_field(fields, places, name, where) for name in dict.fromkeys(settings.keep)])
    used = dict.fromkeys([*pixels, *([] if label is None else [label]), *passthrough.names])
    # A handful of types for hundreds of columns.
    kinds = Counter([*types, *passthrough.types])
    leaves = {leaf_type(type_) for type_ in set(types)}
    is_boolean = any(map(pa.types.is_boolean, leaves))
    if is_boolean and len(leaves) > 1:
        odd = next(name for name, type_ in zip(pixels, types, strict=True) if pa.types.is_boolean(type_))
        raise LayoutError(f"{where}: pixel column {odd!r} is of type bool, but others are not; expected one kind")
    return Columns(
        pixels,
        tuple(sorted(range(len(pixels)), key=lambda pixel: places[pixels[pixel]])),
        label,
        passthrough,
        is_boolean=is_boolean,
        are_integers=all(map(pa.types.is_integer, leaves)),
        is_transposed=settings.is_transposed,
        is_inverted=settings.is_inverted,
        row_bytes=sum(width_bytes(type_) * times for type_, times in kinds.items()),
        reader_names=tuple(dict.fromkeys(_reader_name(fields[places[name]]) for name in used)),
        others=tuple(name for name in all_names if name not in used),
        pixel_types=", ".join(sorted(str(type_) for type_ in set(types))),
    )


def _reader_name(field: pa.Field) -> str:
    """What to ask Arrow's reader for: of a picture's struct, only its bytes."""
    is_picture = pa.types.is_struct(field.type) and not is_vector(field.type)
    return f"{field.name}.{BYTES_FIELD}" if is_picture else field.name


def _image_column(
    fields: list[pa.Field], settings: ReadSettings, where: str, looks_like_images: Callable[[str], bool]
) -> str | None:
    """The only column whose type can hold images, or the one of several with a usual name; None if there is none."""
    taken = {settings.label_column, *settings.keep}
    free = [field for field in fields if field.name not in taken]
    found = [field.name for field in free if can_be_image(field.type)]
    if not found:
        written = [field.name for field in free if _can_be_written(field.type)]
        if written:
            _check_unique([field.name for field in fields], where)
        found = [name for name in written if looks_like_images(name)]
    named = [name for name in found if name.strip().lower() in IMAGE_NAMES]
    if len(found) > 1 and len(named) != 1:
        raise LayoutError(
            f"{where}: {', '.join(named or found)} could each be the images; "
            f"expected one such column, or one named {', '.join(IMAGE_NAMES[:-1])} or {IMAGE_NAMES[-1]}"
        )
    return next(iter(named or found), None)


def _can_be_written(type_: pa.DataType) -> bool:
    """Whether a column of a type may hold images as text, or as lists of text."""
    return is_text_column(type_) or (is_list(storage_type(type_)) and is_text(leaf_type(type_)))


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


def _passthrough_field(fields: list[pa.Field], places: dict[str, int], name: str, where: str) -> pa.Field:
    _check_known(name, list(places), where)
    type_ = fields[places[name]].type
    if pa.types.is_dictionary(type_):  # an encoding, which may differ between row groups
        type_ = type_.value_type
    if pa.types.is_string_view(type_) or pa.types.is_binary_view(type_):  # which no writer takes
        type_ = pa.large_string() if pa.types.is_string_view(type_) else pa.large_binary()
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


def _check_numbers(names: tuple[str, ...], types: list[pa.DataType], where: str) -> None:
    are_numbers = {type_: is_number_column(type_) for type_ in set(types)}
    for name, type_ in zip(names, types, strict=True):
        if not are_numbers[type_]:
            raise LayoutError(f"{where}: pixel column {name!r} is of type {type_}, expected a number")


def _check_label(field: pa.Field, where: str) -> None:
    type_ = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    if pa.types.is_boolean(type_) or not (holds_numbers(type_) or is_text(type_)):
        raise LayoutError(f"{where}: label column {field.name!r} is of type {field.type}, expected a number or text")
