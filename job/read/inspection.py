"""What a scoring run would make of an input, from the head of each file; needs neither model nor output.

`digit-job inspect` prints it. `source` recognises the files, `checks` finds what is odd about them.
"""

from dataclasses import dataclass
from typing import BinaryIO, Final

import numpy as np

from job.contract import CLASSES, NO_LABEL, Pixels
from job.flag_names import Flag
from job.log import visible
from job.normalize.decision import FormDecision, decide
from job.normalize.form import AS_STORED, Form
from job.read.checks import FirstRows, input_warnings, read_first_rows
from job.read.csv.csv_source import CsvSource
from job.read.idx import IdxSource
from job.read.numpy_files.numpy_source import NumpySource
from job.read.packed.compression import Compression
from job.read.packed.stream import opened
from job.read.partition import PartitionedSource
from job.read.picture_folder import PictureFolder
from job.read.source import Source, files_at, look
from job.read.table.table_source import TableSource
from job.settings import DEFAULT_PART_BYTES, MIB, PixelScale, ReadSettings
from job.storage import Storage

_FORMATS: Final = {
    "csv": "CSV",
    "parquet": "Parquet",
    "arrow": "Arrow",
    "idx": "IDX",
    "numpy": "NumPy",
    "pictures": "pictures",
}
_SAMPLE_BYTES: Final = 8 * MIB


@dataclass(frozen=True, slots=True)
class Inspection:
    """One input file. facts: values by name, in the order to show. warnings: sentences. head: the first records.

    form: how their images, which are as stored, are brought to MNIST's form.
    """

    path: str
    facts: dict[str, str]
    warnings: list[str]
    head: FirstRows
    form: Form = AS_STORED

    def __repr__(self) -> str:
        """What the command prints of a file, without pictures: readable where a notebook shows the result of a cell."""
        lines = [self.path, *self.fact_lines(), *(f"  warning: {each}" for each in self.warnings)]
        return "\n".join(map(visible, lines))

    def fact_lines(self) -> list[str]:
        """The facts as lines of text, their values aligned."""
        width = max(map(len, self.facts))
        return [f"  {name.ljust(width)}  {fact}" for name, fact in self.facts.items()]


class Inspections(list[Inspection]):
    """The inspections of several files, shown one below the other."""

    def __repr__(self) -> str:
        return "\n\n".join(map(repr, self))


def inspect(storage: Storage, location: str, settings: ReadSettings) -> Inspections:
    """Inspect the files that a location names, sorted by path.

    Raises NoInput, DataError, LayoutError, StorageError, as scoring them would.
    """
    sources = look(storage, files_at(storage, [location]), settings)
    return Inspections(_inspection(source, storage, settings) for source in sources)


def _inspection(source: Source, storage: Storage, settings: ReadSettings) -> Inspection:
    head = read_first_rows(source, storage)
    stored = source.inner if isinstance(source, PartitionedSource) else source
    decision = decide(settings, head.pixels, sureness=None)
    warnings = input_warnings(decision.form.apply(head.pixels), head.labels, settings)
    warnings += [] if decision.doubt is None else [decision.doubt]
    if head.rejected:
        warnings.insert(0, f"{head.rejected} of the first {head.rows} records would be rejected; scoring lists them")
    if head.bad_labels:
        labels = len(head.bad_labels) + (0 if head.labels is None else int((head.labels != NO_LABEL).sum()))
        warnings.append(
            f"{len(head.bad_labels)} of the first {labels} labels unreadable: first {head.bad_labels[0]!r}; "
            f"say what they mean with {Flag.LABEL_MAP} FILE"
        )
    facts = {
        "format": _format(stored),
        "columns": source.describe_columns(),
        "pixels": f"{_pixel_types(stored)}, {_scale(stored, head, settings)}",
        "form": _form(decision, settings),
        "labels": _labels(source, head),
        "records": _records(stored, storage, head),
        "parts": f"{len(source.split(DEFAULT_PART_BYTES))} of up to {DEFAULT_PART_BYTES // MIB} MiB",
    }
    return Inspection(source.file.path, facts, warnings, head, decision.form)


def _form(decision: FormDecision, settings: ReadSettings) -> str:
    """What becomes of the images, and why."""
    if settings.normalize == "none":
        return f"as stored, by {Flag.NORMALIZE} none"
    if decision.in_form is None:
        return "as stored: all images are blank"
    share = f"{100 * decision.in_form:.0f} % of the first images are in MNIST's form"
    return f"{decision.form}: {share}, scaled to 20x20 and centred by mass"


def _format(source: Source) -> str:
    text = _FORMATS[source.format]
    if isinstance(source, CsvSource):
        text += " with a header" if source.layout.names else " without a header"
    if isinstance(source, CsvSource | IdxSource) and source.compression is not Compression.NONE:
        text += f", compressed with {source.compression.value}"
    return f"{text}, {source.file.size:,} bytes"


def _pixel_types(source: Source) -> str:
    if isinstance(source, CsvSource):
        return "text"
    if isinstance(source, NumpySource):
        return str(source.images.dtype)
    return source.columns.pixel_types if isinstance(source, TableSource) else "uint8"


def _scale(source: Source, head: FirstRows, settings: ReadSettings) -> str:
    pixels = head.pixels
    seen = "none was seen"
    if len(pixels):
        stored = ~pixels if settings.is_inverted else pixels
        seen = f"highest value in the first {len(pixels)}: {_highest(stored, source.pixel_scale)}"
    reason = ", as the first records show" * (not isinstance(source, IdxSource | PictureFolder))
    if settings.scale != "auto":
        reason = f" by {Flag.SCALE}"
    changes = ", transposed" * settings.is_transposed + ", inverted" * settings.is_inverted
    return f"taken as 0-{source.pixel_scale}{reason} ({seen}){changes}"


def _highest(pixels: Pixels, scale: PixelScale) -> str:
    """In the file's own numbers: pixels are bytes by now."""
    highest = int(pixels.max())
    return f"{highest} of 255" if scale == "255" else f"{highest / 255:.3g} of 1"


def _labels(source: Source, head: FirstRows) -> str:
    if not source.has_labels:
        return "none"
    if head.labels is None or not len(head.labels):
        return "none was seen"
    counts = np.bincount(head.labels[head.labels != NO_LABEL], minlength=CLASSES).tolist()
    by_digit = ", ".join(f"{digit}: {count}" for digit, count in enumerate(counts))
    missing = int((head.labels == NO_LABEL).sum())
    origin = "".join(f" from {file.name}" for file in source.files if file != source.file)
    return f"of the first {len(head.labels)} records{origin}: {by_digit}" + (f", without: {missing}" if missing else "")


def _records(source: Source, storage: Storage, head: FirstRows) -> str:
    if source.rows is not None:
        return f"{source.rows:,}"
    if not head.is_full:
        return f"{head.rows:,}"
    return f"about {float(f'{_estimated_rows(source, storage):.2g}'):,.0f}"


def _estimated_rows(source: Source, storage: Storage) -> int:
    """How many lines a text file has if all of it is like its first 8 MiB."""
    with opened(storage, source.file) as file:
        head = _read_up_to(file.stream, _SAMPLE_BYTES)
        packed_bytes = len(head) if file.compression is Compression.NONE else file.raw.tell()
    lines = head.count(b"\n")
    return round(lines * max(1, source.file.size / packed_bytes))


def _read_up_to(stream: BinaryIO, size: int) -> bytes:
    pieces: list[bytes] = []
    while size > 0 and (piece := stream.read(size)):
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)
