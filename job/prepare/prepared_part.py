"""A part of a `prepare` run: some pictures -> rows, rejects, counts and examples, committed together or not at all.

The file is an Arrow IPC stream of the rows with the rest as JSON in its metadata, and behind it a SHA-256 over the
part's identity and the file, as of the parts of `score`.
"""

import base64
import hashlib
import io
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Any, Final

import numpy as np
import pyarrow as pa

from job.contract import NO_LABEL, PIXELS, SIDE, Reason, Reject
from job.errors import PartDamaged
from job.prepare.digit_finder import DigitFinder, FoundDigit
from job.read.picture_folder import PictureFolder, picture_content, shown_problem
from job.read.pictures.decoding import BadPicture, Grey, Picture, decode
from job.settings import MIB
from job.storage import Storage, translated_errors

PART_BYTES: Final = 32 * MIB
EXAMPLES_PER_LABEL: Final = 4
PIXELS_COLUMN: Final = "pixels"
_THUMBNAIL_SIDE: Final = 112
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
    """A picture for the page: its name, label or None, a small JPEG of it, and the digits found, 784 bytes each."""

    id: str
    label: int | None
    size: str
    thumbnail: bytes
    digits: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class PreparedPart:
    """What became of some pictures. rows: as `schema_of`. rejects: rows count from the start of the part."""

    rows: pa.RecordBatch
    rejects: tuple[Reject, ...]
    counts: PreparedCounts
    examples: tuple[Example, ...]

    def to_bytes(self, identity: str) -> bytes:
        """The content of the part's file."""
        meta = {
            "rejects": [[each.row, each.reason.value, each.detail] for each in self.rejects],
            "counts": self.counts.to_json(),
            "examples": [
                [each.id, each.label, each.size, *map(_base64, (each.thumbnail, *each.digits))]
                for each in self.examples
            ],
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
            tuple(Example(id_, label, size, *_unpacked(pictures)) for id_, label, size, *pictures in meta["examples"]),
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
    source, span, prefix = pictures.source, pictures.span, pictures.prefix
    columns: dict[str, list[Any]] = {name: [] for name in schema.names}
    pixels: list[np.ndarray[Any, Any]] = []
    rejects: list[Reject] = []
    counts, examples = PreparedCounts(), _Examples()
    for number in range(*span):
        storage.check_stop()
        file = source.pictures[number]
        id_ = prefix + source.id_of(file)
        label = None if source.labels is None else int(source.labels[number])
        label = None if label == NO_LABEL else label
        try:
            with translated_errors(file.path):
                picture = decode(picture_content(storage, file), min_side=finder.min_side)
                found = finder.find(picture)
        except BadPicture as problem:
            rejects.append(Reject(number - span[0], Reason.BAD_IMAGE, f"{id_} {shown_problem(file, problem)}"))
            counts += PreparedCounts(1, 1)
            continue
        if bad := source.bad_labels.get(number):
            rejects.append(Reject(number - span[0], bad.reason, f"{id_}: {bad.detail}"))
        for digit in found:
            row = {"id": id_, "label": label, **digit.place}
            for name in columns.keys() - {PIXELS_COLUMN}:
                columns[name].append(row[name])
            pixels.append(_oriented(digit, is_transposed=source.is_transposed))
        size = f"{picture.width}x{picture.height}"
        labels = Counter({"none" if label is None else str(label): len(found)})
        counts += PreparedCounts(1, 0, len(found), Counter([f"{picture.kind} {picture.mode}"]), Counter([size]), labels)
        examples.add(id_, label, size, picture, pixels[len(pixels) - len(found) :])
    values = pa.array(np.concatenate([np.empty(0, np.uint8), *pixels]))
    arrays = [
        pa.FixedSizeListArray.from_arrays(values, PIXELS) if name == PIXELS_COLUMN else pa.array(columns[name], type_)
        for name, type_ in zip(schema.names, schema.types, strict=True)
    ]
    return PreparedPart(pa.record_batch(arrays, schema=schema), tuple(rejects), counts, tuple(examples.kept))


def _oriented(digit: FoundDigit, *, is_transposed: bool) -> np.ndarray[Any, Any]:
    return digit.pixels.reshape(SIDE, SIDE).T.reshape(PIXELS) if is_transposed else digit.pixels


class _Examples:
    """The first pictures of each label."""

    def __init__(self) -> None:
        self.kept: list[Example] = []
        self._seen: Counter[int | None] = Counter()

    def add(
        self, id_: str, label: int | None, size: str, picture: Picture, digits: Iterable[np.ndarray[Any, Any]]
    ) -> None:
        self._seen[label] += 1
        if self._seen[label] <= EXAMPLES_PER_LABEL:
            found = tuple(each.tobytes() for each in digits)
            self.kept.append(Example(id_, label, size, thumbnail(picture.grey), found))


def thumbnail(grey: Grey, side: int = _THUMBNAIL_SIDE) -> bytes:
    """A JPEG of a picture whose longer side is at most `side`."""
    from PIL import Image

    picture = Image.fromarray(grey)
    picture.thumbnail((side, side))
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
