"""What stands above the first record of a CSV file: marks, comments, titles, ARFF's declarations; or other text.

`head` asks for the position of the header or first record, and goes on from there. A line is skipped only if the lines
below it leave no doubt that it is no record; the log names it.
"""

import itertools
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from job.contract import PIXELS
from job.errors import LayoutError
from job.read.csv.dialect import detect_delimiter, try_split
from job.read.layout.cell import is_image_cell
from job.read.layout.values import is_data

_log = logging.getLogger(__name__)

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
# Excel's declaration of the delimiter.
DECLARED: Final = re.compile(rb"sep=(?P<delimiter>[\t;|, ])(?:\r?\n|$)", re.IGNORECASE)
# Of NumPy, R and PowerShell (`#TYPE`), and of ARFF and MATLAB.
COMMENT_MARKS: Final = (b"#", b"%")
# How many lines below a title are searched for the header, and how many names at most a title may look like.
_SEARCHED_LINES: Final = 20
_TITLE_FIELDS: Final = 8
_SHOWN: Final = 60

# The ARFF format of Weka: https://waikato.github.io/weka-wiki/formats_and_processing/arff_stable/
_ARFF: Final = re.compile(rb"@(?:relation|attribute)\s", re.IGNORECASE)
_ATTRIBUTE: Final = re.compile(r"@attribute\s+(?P<name>'[^']*'|\"[^\"]*\"|\S+)\s", re.IGNORECASE)
_ARFF_DATA: Final = b"@data"

_LIBSVM: Final = re.compile(rb"\s*[-+\d.eE]+(?:\s+qid:\d+)?(?:\s+\d+:[-+\d.eE]+)+\s*(?:#.*)?")
_JSON: Final = re.compile(rb'\s*(?:\{\s*"|\[\s*\{|[\[{]\s*$)')


@dataclass(frozen=True, slots=True)
class Preamble:
    """Where the table begins.

    start: the position of the header or first record. delimiter: as the file declares it; None if it does not.
    names: of an ARFF file's attributes; None for CSV, where the table itself has them.
    """

    start: int
    delimiter: str | None = None
    names: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    start: int
    text: bytes

    def shown(self) -> str:
        return repr(self.text[:_SHOWN].decode(errors="replace"))


def find_table(head: bytes, where: str) -> Preamble:
    """Find the header or first record in a file's first bytes. `where` names the file in errors and in the log.

    Raises LayoutError for text other than a table of digits, such as JSON.
    """
    start = len(_BYTE_ORDER_MARK) if head.startswith(_BYTE_ORDER_MARK) else 0
    declared = DECLARED.match(head, start)
    delimiter = declared["delimiter"].decode() if declared else None
    comments: list[_Line] = []
    rest = _lines(head, declared.end() if declared else start)
    lines = []
    for line in rest:
        if _ARFF.match(line.text.lstrip()):
            return _after_arff_declarations(head, line.start, where)
        if not line.text.lstrip().startswith(COMMENT_MARKS):
            lines = [line, *itertools.islice(rest, _SEARCHED_LINES)]
            break
        comments.append(line)
    _refuse_other_text(lines, where)
    commented = _commented_header(comments, lines, delimiter)
    if commented is not None:
        return Preamble(commented, delimiter)
    if not lines:
        return Preamble(len(head), delimiter)
    return Preamble(_after_titles(lines, where, delimiter).start, delimiter)


def _lines(head: bytes, start: int) -> Iterator[_Line]:
    """The lines from `start` on that are not blank."""
    number = head.count(b"\n", 0, start) + 1
    while start < len(head):
        stop = head.find(b"\n", start)
        stop = len(head) if stop < 0 else stop
        if head[start:stop].strip():
            yield _Line(number, start, head[start:stop].removesuffix(b"\r"))
        start, number = stop + 1, number + 1


def _commented_header(comments: list[_Line], lines: list[_Line], delimiter: str | None) -> int | None:
    """The position of the names in the last comment, if it is the header: `savetxt(header=...)` writes `# label,..`."""
    if not comments:
        return None
    comment = comments[-1]
    names = comment.text.lstrip(b"#% \t")
    separator = delimiter or detect_delimiter(names)
    fields = [field.strip() for field in try_split(names, separator, is_aligned=separator == " ")]
    if is_data(fields) or not fields:
        return None
    if lines:
        record = try_split(lines[0].text, separator, is_aligned=separator == " ")
        if not is_data(record) and not any(map(is_image_cell, record)):
            return None
        if len(fields) != len(record) and len(fields) < PIXELS:
            return None
    elif len(fields) < PIXELS:
        return None
    return comment.start + len(comment.text) - len(names)


def _after_titles(lines: list[_Line], where: str, delimiter: str | None) -> _Line:
    """The first line of the table; the lines above it are titles. Raises LayoutError if they may be records."""
    for index, line in enumerate(lines):
        if not _begins_table(line, lines[index + 1 : index + 2], delimiter):
            continue
        if not index:
            return line
        title = lines[0]
        fields = _fields(line.text, delimiter)
        if is_data(fields) or any(map(is_image_cell, fields)) or any(b"\0" in each.text for each in lines[:index]):
            raise LayoutError(
                f"{where} line {title.number}: {title.shown()} is neither a header nor a record like line "
                f"{line.number}; remove it, or put a line of column names there"
            )
        _log.info("%s: skipped what stands above the header in line %d: %s", where, line.number, title.shown())
        return line
    return lines[0]


def _begins_table(line: _Line, below: list[_Line], delimiter: str | None) -> bool:
    """Whether a line is a header or a record: it has an image's number of fields, or an image in one field."""
    fields = _fields(line.text, delimiter)
    filled = sum(bool(field.strip()) for field in fields)
    if len(fields) >= PIXELS and (filled > _TITLE_FIELDS or is_data(fields)):
        return True
    if any(map(is_image_cell, fields)):
        return True
    record = _fields(below[0].text, delimiter or detect_delimiter(line.text)) if below else []
    return len(record) == len(fields) and any(map(is_image_cell, record))


def _fields(line: bytes, delimiter: str | None) -> list[str]:
    delimiter = delimiter or detect_delimiter(line)
    return try_split(line, delimiter, is_aligned=delimiter == " ")


def _after_arff_declarations(head: bytes, start: int, where: str) -> Preamble:
    """The attributes' names, and the position after `@data`."""
    names: list[str] = []
    for line in _lines(head, start):
        text = line.text.strip()
        if text.lower() == _ARFF_DATA:
            begin = head.find(b"\n", line.start) + 1 or len(head)
            records = (each for each in _lines(head, begin) if not each.text.lstrip().startswith(COMMENT_MARKS))
            first = next(records, None)
            if first and first.text.lstrip().startswith(b"{"):
                raise LayoutError(f"{where}: is a sparse ARFF file ({{index value, ..}}); save it as dense ARFF or CSV")
            return Preamble(first.start if first else len(head), ",", tuple(names))
        declared = _ATTRIBUTE.match(text.decode(errors="replace") + " ")
        if declared:
            name = declared["name"]
            names.append(name[1:-1] if name[0] in "'\"" else name)
    raise LayoutError(f"{where}: is an ARFF file without @data")


def _refuse_other_text(lines: list[_Line], where: str) -> None:
    """Raise LayoutError for text whose kind its first lines show."""
    if lines and _JSON.match(lines[0].text):
        raise LayoutError(f"{where}: is JSON, which is not read; convert it to CSV or Parquet")
    if any(_LIBSVM.fullmatch(line.text) for line in lines):
        raise LayoutError(
            f"{where}: is libsvm text (label index:value ..), which is not read; convert it to CSV or Parquet, for "
            "example with scikit-learn's load_svmlight_file"
        )
