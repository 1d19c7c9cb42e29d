"""A part of a `prepare` run: some pictures -> rows, rejects, counts and examples, committed together or not at all.

The file is an Arrow IPC stream of the rows with the rest as JSON in its metadata, and behind it a SHA-256 over the
part's identity and the file, as of the parts of `score`.
"""

import base64
import hashlib
import io
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from job.contract import NO_LABEL, PIXELS, SIDE, Pixels, Reason, Reject
from job.errors import PartDamaged
from job.prepare.digit_finder import DigitFinder, FoundDigit
from job.read.picture_folder import PictureFolder, picture_content, shown_problem
from job.read.pictures.decoding import BadPicture, Grey, Picture, decode_pages
from job.settings import MIB
from job.storage import Storage, translated_errors

if TYPE_CHECKING:
    from PIL import Image

PART_BYTES: Final = 32 * MIB
EXAMPLES_PER_LABEL: Final = 4
PIXELS_COLUMN: Final = "pixels"
DIGITS_PER_EXAMPLE: Final = 60
_THUMBNAIL_SIDE: Final = 112
_PAGE_SIDE: Final = 900
# Around the box of a digit, in pixels of its page.
_MARGIN: Final = 4
_BOX_COLOUR: Final = (200, 30, 60)
_META: Final = b"digit_job"
_DIGEST_BYTES: Final = hashlib.sha256().digest_size


@dataclass(frozen=True, slots=True)
class PreparedCounts:
    """What is counted over pictures.

    kinds, sizes: pictures by format and mode, and by width and height. labels: digits by label, or `none`.
    """

    pictures: int = 0
    rejected: int = 0
    digits: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    sizes: Counter[str] = field(default_factory=Counter)
    labels: Counter[str] = field(default_factory=Counter)

    def __add__(self, other: "PreparedCounts") -> "PreparedCounts":
        return PreparedCounts(
            self.pictures + other.pictures,
            self.rejected + other.rejected,
            self.digits + other.digits,
            self.kinds + other.kinds,
            self.sizes + other.sizes,
            self.labels + other.labels,
        )

    def to_json(self) -> dict[str, Any]:
        """As `counts_from` takes them."""
        return {each.name: getattr(self, each.name) for each in fields(self)}


@dataclass(frozen=True, slots=True)
class Example:
    """A picture for the page: its name, label or None, a small JPEG of it, and digits found, 784 bytes each.

    found: how many digits, of which the first ones are kept. is_page: it is a page with the digits' boxes drawn.
    """

    id: str
    label: int | None
    size: str
    thumbnail: bytes
    digits: tuple[bytes, ...]
    found: int = 1
    is_page: bool = False


@dataclass(frozen=True, slots=True)
class PreparedPart:
    """What became of some pictures. rows: as `schema_of`. rejects: rows count from the start of the part.

    doubts: about what was found, a sentence each.
    """

    rows: pa.RecordBatch
    rejects: tuple[Reject, ...]
    counts: PreparedCounts
    examples: tuple[Example, ...]
    doubts: tuple[str, ...] = ()

    def to_bytes(self, identity: str) -> bytes:
        """The content of the part's file."""
        meta = {
            "rejects": [[each.row, each.reason.value, each.detail] for each in self.rejects],
            "counts": self.counts.to_json(),
            "examples": [
                [
                    each.id,
                    each.label,
                    each.size,
                    each.found,
                    each.is_page,
                    *map(_base64, (each.thumbnail, *each.digits)),
                ]
                for each in self.examples
            ],
            "doubts": self.doubts,
        }
        file = io.BytesIO()
        schema = self.rows.schema.with_metadata({_META: json.dumps(meta).encode()})
        with pa.ipc.new_stream(file, schema) as writer:
            writer.write_batch(self.rows.replace_schema_metadata(schema.metadata))
        content = file.getvalue()
        return content + hashlib.sha256(identity.encode() + content).digest()

    @classmethod
    def from_bytes(cls, content: bytes, identity: str, path: str) -> "PreparedPart":
        """Raises PartDamaged if the content is not what was written for this part."""
        body, digest = content[:-_DIGEST_BYTES], content[-_DIGEST_BYTES:]
        if hashlib.sha256(identity.encode() + body).digest() != digest:
            raise PartDamaged(f"{path}: was changed or damaged; run the same command again")
        [rows] = pa.ipc.open_stream(body)
        meta = json.loads(rows.schema.metadata[_META])
        return cls(
            rows.replace_schema_metadata(None),
            tuple(Reject(row, Reason(reason), detail) for row, reason, detail in meta["rejects"]),
            counts_from(meta["counts"]),
            tuple(
                Example(id_, label, size, *_unpacked(pictures), found, is_page)
                for id_, label, size, found, is_page, *pictures in meta["examples"]
            ),
            tuple(meta["doubts"]),
        )


def schema_of(finder: DigitFinder, *, has_labels: bool) -> pa.Schema:
    """The columns of the output: id, label where there are any, the finder's own, pixels."""
    fields = [pa.field("id", pa.string())]
    if has_labels:
        fields.append(pa.field("label", pa.int8()))
    return pa.schema([*fields, *finder.columns, pa.field(PIXELS_COLUMN, pa.list_(pa.uint8(), PIXELS))])


@dataclass(frozen=True, slots=True)
class PictureSpan:
    """Some pictures of a source: [first, last + 1). prefix: of their ids."""

    source: PictureFolder
    span: tuple[int, int]
    prefix: str

    def __len__(self) -> int:
        return self.span[1] - self.span[0]


def prepare_part(storage: Storage, pictures: PictureSpan, finder: DigitFinder, schema: pa.Schema) -> PreparedPart:
    """Find the digits in some pictures. Raises InputChanged, StorageError."""
    rows = _Rows(pictures, finder, schema)
    for number in range(*pictures.span):
        storage.check_stop()
        file = pictures.source.pictures[number]
        page = 0
        try:
            with translated_errors(file.path):
                for picture in decode_pages(
                    picture_content(storage, file),
                    min_side=finder.min_side,
                    is_single=not finder.has_pages,
                    max_pixels=finder.max_pixels,
                ):
                    page = picture.page
                    rows.add(number, picture)
        except BadPicture as problem:
            shown = shown_problem(file, problem)
            rows.reject(number, f"page {page + 1} {shown}" if page else shown)
        if bad := pictures.source.bad_labels.get(number):
            rows.reject_label(number, bad)
    return rows.part()


class _Rows:
    """What the pictures of a part become."""

    def __init__(self, pictures: PictureSpan, finder: DigitFinder, schema: pa.Schema) -> None:
        self._source, self._first, self._prefix = pictures.source, pictures.span[0], pictures.prefix
        self._finder, self._schema = finder, schema
        self._columns: dict[str, list[Any]] = {name: [] for name in schema.names if name != PIXELS_COLUMN}
        self._pixels: list[Pixels] = []
        self._rejects: list[Reject] = []
        self._doubts: list[str] = []
        self._counts, self._examples = PreparedCounts(), _Examples()

    def add(self, number: int, picture: Picture) -> None:
        """Find the digits in a picture, or a page of one, and take them or the reason why there are none."""
        place = f"page {picture.page} " if picture.pages > 1 else ""
        try:
            found = self._finder.find(picture)
        except BadPicture as problem:
            self.reject(number, f"{place}{problem}")
            return
        id_ = self._id(number)
        label = None if self._source.labels is None else int(self._source.labels[number])
        label = None if label == NO_LABEL else label
        for digit in found.digits:
            row = {"id": id_, "label": label, **digit.place}
            for name, values in self._columns.items():
                values.append(row[name])
        pixels = [_oriented(digit, is_transposed=self._source.is_transposed) for digit in found.digits]
        self._pixels += pixels
        self._doubts += [f"{id_} {place}{doubt}" for doubt in found.doubts]
        size = f"{picture.width}x{picture.height}"
        labels = Counter({"none" if label is None else str(label): len(pixels)})
        kinds = Counter([f"{picture.kind} {picture.mode}"])
        self._counts += PreparedCounts(1, 0, len(pixels), kinds, Counter([size]), labels)
        name = f"{id_} {place}".rstrip()
        if self._examples.wants(label):
            self._examples.add(example_of(name, label, picture, found.digits, pixels))

    def reject(self, number: int, reason: str) -> None:
        """A picture or page without a digit."""
        self._rejects.append(Reject(number - self._first, Reason.BAD_IMAGE, f"{self._id(number)} {reason}"))
        self._counts += PreparedCounts(1, 1)

    def reject_label(self, number: int, bad: Reject) -> None:
        """A picture whose label cannot be read."""
        self._rejects.append(Reject(number - self._first, bad.reason, f"{self._id(number)}: {bad.detail}"))

    def part(self) -> PreparedPart:
        """All of it."""
        values = pa.array(np.concatenate([np.empty(0, np.uint8), *self._pixels]))
        arrays = [
            pa.FixedSizeListArray.from_arrays(values, PIXELS)
            if name == PIXELS_COLUMN
            else pa.array(self._columns[name], type_)
            for name, type_ in zip(self._schema.names, self._schema.types, strict=True)
        ]
        rows = pa.record_batch(arrays, schema=self._schema)
        return PreparedPart(rows, tuple(self._rejects), self._counts, tuple(self._examples.kept), tuple(self._doubts))

    def _id(self, number: int) -> str:
        return self._prefix + self._source.id_of(self._source.pictures[number])


def _oriented(digit: FoundDigit, *, is_transposed: bool) -> Pixels:
    return digit.pixels.reshape(SIDE, SIDE).T.reshape(PIXELS) if is_transposed else digit.pixels


class _Examples:
    """The first pictures of each label."""

    def __init__(self) -> None:
        self.kept: list[Example] = []
        self._seen: Counter[int | None] = Counter()

    def wants(self, label: int | None) -> bool:
        """Whether there are too few of this label yet."""
        return self._seen[label] < EXAMPLES_PER_LABEL

    def add(self, example: Example) -> None:
        self._seen[example.label] += 1
        self.kept.append(example)


def example_of(
    name: str, label: int | None, picture: Picture, found: Sequence[FoundDigit], pixels: Sequence[Pixels]
) -> Example:
    """A picture for the page, with the first of its digits."""
    boxes = [each.box for each in found if each.box]
    digits = tuple(each.tobytes() for each in pixels[:DIGITS_PER_EXAMPLE])
    size = f"{picture.width}x{picture.height}"
    return Example(name, label, size, _before(picture, boxes), digits, len(pixels), bool(boxes))


def _before(picture: Picture, boxes: Sequence[tuple[int, int, int, int]]) -> bytes:
    """A JPEG of a picture; of a page, larger and with the boxes of its digits drawn."""
    from PIL import Image, ImageDraw

    if not boxes:
        return thumbnail(picture.grey)
    page = Image.fromarray(picture.grey)
    page.thumbnail((_PAGE_SIDE, _PAGE_SIDE))
    page = page.convert("RGB")
    draw = ImageDraw.Draw(page)
    factor = page.size[0] / picture.width
    for left, top, width, height in boxes:
        corners = (left - _MARGIN, top - _MARGIN, left + width + _MARGIN, top + height + _MARGIN)
        draw.rectangle([corner * factor for corner in corners], outline=_BOX_COLOUR, width=2)
    return _jpeg(page)


def thumbnail(grey: Grey, side: int = _THUMBNAIL_SIDE) -> bytes:
    """A JPEG of a picture whose longer side is at most `side`."""
    from PIL import Image

    picture = Image.fromarray(grey)
    picture.thumbnail((side, side))
    return _jpeg(picture)


def _jpeg(picture: "Image.Image") -> bytes:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=75)
    return file.getvalue()


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _unpacked(pictures: list[str]) -> tuple[bytes, tuple[bytes, ...]]:
    first, *digits = map(base64.b64decode, pictures)
    return first, tuple(digits)


def counts_from(content: dict[str, Any]) -> PreparedCounts:
    """The counts that were written as JSON."""
    numbers = (content[name] for name in ("pictures", "rejected", "digits"))
    return PreparedCounts(*numbers, *(Counter(content[name]) for name in ("kinds", "sizes", "labels")))
