"""Files that mean harm, or nothing at all: each costs a bounded amount of time and memory, and a clear message."""

import bz2
import gzip
import io
import json
import lzma
import os
import re
import struct
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.batches import joined
from support.files import PIXEL_NAMES, csv_lines, csv_text, make_digits, write_csv, write_parquet
from support.memory_storage import PATH, looked_at
from support.outcome import assert_ended, call, measured
from support.pictures import png
from support.runs import files_below

from job.errors import DataError, LayoutError
from job.settings import ReadSettings

needs_proc = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from Linux's /proc")

DIGITS = make_digits(20)
TEXT = csv_text(DIGITS).encode()
HEADER = TEXT.partition(b"\n")[0]
BOMB_BYTES = 64 << 20

# Names


NAMES = [
    b"with space.csv", b"two\nlines.csv", "ünï-数字.csv".encode(), b"no\xff\xfeutf8.csv", b"-dash.csv", b"--help.csv",
    b'quote".csv', b"<script>alert(1)<.csv", b"tab\t.csv", b"colour\x1b[31m.csv", b"[red]mark[bold].csv",
    b"back\\slash.csv", b"a,b;c.csv", b"%41.csv", b"{}.csv", b"..csv.csv", b"...csv", b"~.csv", b"*.csv",
]  # fmt: skip


@pytest.fixture
def named(tmp_path):
    """A folder of files whose names nobody should have to write, one record of each of which is bad."""
    folder = tmp_path / "in"
    folder.mkdir()
    lines = csv_lines(DIGITS)
    for name in NAMES:
        (folder / os.fsdecode(name)).write_text("\n".join([*lines, "1,2,3", ""]))
    return folder


def test_names_of_files_are_any_bytes(named, tmp_path, model, capfd):
    """Whatever files are called, their predictions are called the same, and no file appears anywhere else."""
    before = set(files_below(tmp_path))
    result = call(
        capfd, "score", "--input", named, "--output", tmp_path / "out", "--model", model, "--max-rejects", "10%"
    )
    assert_ended(result, 0)
    visible = {name for name in map(os.fsdecode, NAMES) if not name.startswith(".")}
    assert {path.name for path in (tmp_path / "out/predictions").iterdir()} == visible
    assert {path.name for path in (tmp_path / "out/rejects").iterdir()} == {f"{name}.jsonl" for name in visible}
    added = set(files_below(tmp_path)) - before
    assert all(name.startswith("out/") for name in added)


def test_names_are_whole_in_everything_that_tells_them(named, tmp_path, model, capfd):
    """The JSON files give back each name; the page is UTF-8 and holds no markup that a name brought along."""
    output = tmp_path / "out"
    call(capfd, "score", "--input", named, "--output", output, "--model", model, "--max-rejects", "10%")
    visible = sorted(name for name in map(os.fsdecode, NAMES) if not name.startswith("."))
    for name in ("report.json", "manifest.json"):
        told = json.loads((output / name).read_text())["inputs"]
        assert sorted(Path(each["path"]).name for each in told) == visible
    for name in visible:
        [line] = (output / f"rejects/{name}.jsonl").read_bytes().splitlines()
        assert json.loads(line)["file"] == name
    assert "<script>" not in (output / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES, ids=repr)
@pytest.mark.parametrize("log_format", ["text", "json"])
def test_every_name_can_be_told_on_one_line(tmp_path, model, capfd, name, log_format):
    """An error about a file stays on one line, is text in the terminal's encoding, and holds no control character."""
    path = tmp_path / os.fsdecode(name)
    path.write_bytes(b"1,2,3\n")
    result = call(
        capfd, "score", "--input", path, "--output", tmp_path / "out", "--model", model, "--log-format", log_format
    )
    assert result.returncode == 65, result.stderr
    lines = result.stderr.splitlines()
    assert all(line.isprintable() for line in lines)
    if log_format == "json":
        assert json.loads(lines[-1])["message"].startswith(str(path))
    else:
        assert len(lines) == 1


def test_results_tell_names_on_lines_of_their_own(tmp_path, model, capfd):
    """Standard output, too, holds no character that commands a terminal, and takes names that are no UTF-8."""
    name = os.fsdecode(b"a\nb\xff\x1b[31m.csv")
    write_csv(tmp_path / name, DIGITS)
    shown = call(capfd, "inspect", tmp_path / name)
    assert_ended(shown, 0)
    assert shown.stdout.splitlines()[0] == f"{tmp_path}/a\\x0ab\\udcff\\x1b[31m.csv"
    scored = call(capfd, "score", "--input", tmp_path / name, "--output", tmp_path / name[:-4], "--model", model)
    assert_ended(scored, 0)
    assert "a\\x0ab\\udcff\\x1b[31m/report.html" in scored.stdout


@pytest.mark.parametrize("location", ["file://[x/a.csv", "http://[x", "a://b\nc", "://"])
def test_locations_that_are_no_uri(tmp_path, model, capfd, location):
    """A location that looks like a URI and is none is refused, or is not found."""
    result = call(capfd, "score", "--input", location, "--output", tmp_path / "out", "--model", model)
    assert result.returncode in {2, 66}
    assert_ended(result, result.returncode)


def test_a_file_uri_may_spell_any_bytes(tmp_path, model, capfd):
    """A URI of a file whose name is no UTF-8 is found."""
    path = tmp_path / os.fsdecode(b"\xff#?.csv")
    write_csv(path, DIGITS)
    assert_ended(call(capfd, "score", "--input", path.as_uri(), "--output", tmp_path / "out", "--model", model), 0)


def test_links_that_leave_the_folder_write_nothing_there(tmp_path, model, capfd):
    """A link to a file elsewhere is scored under the link's own name; a link to a folder is not followed."""
    write_csv(tmp_path / "elsewhere.csv", DIGITS)
    (tmp_path / "other").mkdir()
    write_csv(tmp_path / "other/b.csv", DIGITS)
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.csv").symlink_to("../elsewhere.csv")
    (tmp_path / "in/folder").symlink_to("../other")
    before = files_below(tmp_path)
    source = tmp_path / "in/../other/../in"
    assert_ended(call(capfd, "score", "--input", source, "--output", tmp_path / "out", "--model", model), 0)
    after = files_below(tmp_path)
    assert [name for name in after if name.startswith("out/predictions")] == ["out/predictions/a.csv"]
    assert {name: content for name, content in after.items() if not name.startswith("out/")} == before


def test_names_in_an_archive_name_no_output(tmp_path, model, capfd):
    """A member called ../../x is read, and its name used for nothing."""
    (tmp_path / "in").mkdir()
    with zipfile.ZipFile(tmp_path / "in/a.csv.zip", "w") as archive:
        archive.writestr("../../escaped.csv", TEXT)
    assert_ended(call(capfd, "score", "--input", tmp_path / "in", "--output", tmp_path / "out", "--model", model), 0)
    assert not list(tmp_path.parent.rglob("escaped*"))


# Nothing there


def _folder(path):
    path.mkdir()


@pytest.mark.parametrize(
    ("make", "code", "words"),
    [
        (_folder, 66, "found no file there"),
        (lambda path: path.write_bytes(b""), 65, "is empty"),
        (lambda path: path.write_bytes(b"\n\n\n"), 65, "is empty"),
        (lambda path: path.write_bytes(b"\xef\xbb\xbf"), 65, "is empty"),
        (lambda path: path.write_bytes(gzip.compress(b"")), 65, "is empty"),
        (lambda _: None, 66, "found no file there"),
    ],
    ids=["folder", "empty", "blank", "mark", "packed", "absent"],
)
def test_where_there_is_nothing_to_read(tmp_path, model, capfd, make, code, words):
    """A folder where a file is expected, and a file of nothing, are told as such, and nothing is written."""
    make(tmp_path / "a.csv")
    source = tmp_path / "a.csv"
    assert_ended(call(capfd, "score", "--input", source, "--output", tmp_path / "o", "--model", model), code, words)
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize("location", ["in/*.csv", "in/**/*.parquet", "in"])
def test_a_pattern_or_folder_of_no_files(tmp_path, model, capfd, location):
    """Zero matching files end with 66; folders that are named like files are none."""
    (tmp_path / "in/a.csv").mkdir(parents=True)
    result = call(capfd, "score", "--input", tmp_path / location, "--output", tmp_path / "o", "--model", model)
    assert_ended(result, 66, "found no file there")


@pytest.mark.parametrize("content", [HEADER, HEADER + b"\n"], ids=["cut", "whole"])
def test_a_header_and_no_record(tmp_path, model, capfd, content):
    """A header alone is a file of no records, which has no predictions and is no error."""
    (tmp_path / "a.csv").write_bytes(content)
    source = tmp_path / "a.csv"
    assert_ended(call(capfd, "score", "--input", source, "--output", tmp_path / "o", "--model", model), 0)
    assert (tmp_path / "o/predictions/a.csv").read_bytes() == b"prediction,confidence,label,reject\n"
    assert json.loads((tmp_path / "o/report.json").read_text())["rows"] == {"read": 0, "scored": 0, "rejected": 0}


@pytest.mark.parametrize("name", ["_parts", "predictions", "report.json", "_SUCCESS"])
def test_something_else_stands_where_the_output_goes(tmp_path, model, capfd, name):
    """A folder where a file goes, or a file where a folder goes, is other people's: 73, and it stays."""
    source = write_csv(tmp_path / "a.csv", DIGITS)
    (tmp_path / "o").mkdir()
    place = tmp_path / "o" / name
    place.mkdir() if "." in name or name == "_SUCCESS" else place.write_bytes(b"mine")
    before = files_below(tmp_path)
    result = call(capfd, "score", "--input", source, "--output", tmp_path / "o", "--model", model)
    assert result.returncode in {73, 74}
    assert_ended(result, result.returncode, str(tmp_path / "o"))
    assert files_below(tmp_path) == before


def test_the_output_folder_is_a_file(tmp_path, model, capfd):
    """A file where the output folder should be stays, and is named."""
    source = write_csv(tmp_path / "a.csv", DIGITS)
    (tmp_path / "o").write_bytes(b"mine")
    result = call(capfd, "score", "--input", source, "--output", tmp_path / "o", "--model", model)
    assert_ended(result, 74, str(tmp_path / "o"))
    assert (tmp_path / "o").read_bytes() == b"mine"


# Too much of it


def _line_without_end(path, size):
    with path.open("wb") as file:
        file.write(TEXT)
        file.truncate(len(TEXT) + size)


def _score_measured(tmp_path, model, source, *more, **how):
    return measured(
        tmp_path, "score", "--input", source, "--output", tmp_path / "out", "--model", model, "--threads", "2",
        "--max-rejects", "10%", *more, **how,
    )  # fmt: skip


@needs_proc
@pytest.mark.parametrize("size", [BOMB_BYTES, pytest.param(2 << 30, marks=pytest.mark.soak)])
def test_a_line_without_end(tmp_path, model, size):
    """However long a line is, it is one rejected record, and the others are scored."""
    _line_without_end(tmp_path / "a.csv", size)
    assert_ended(_score_measured(tmp_path, model, tmp_path / "a.csv", seconds=120), 0)
    [line] = (tmp_path / "out/rejects/a.csv.jsonl").read_bytes().splitlines()
    assert json.loads(line)["reason"] == "over_long_record"
    assert len((tmp_path / "out/predictions/a.csv").read_bytes().splitlines()) == 1 + len(DIGITS) + 1


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"7" * (8 << 20), "without a line end"),
        (b'"' * (8 << 20), "without a line end"),
        (b"1," * (4 << 20), "without a line end"),
        (bytes(8 << 20), "zero bytes"),
        ((bytes(100) + b"\n") * 1000, "zero bytes"),
        (b",".join(b"c%d" % index for index in range(10**6)) + b"\n", "without a line end"),
        (b"1," * 399_999 + b"1\n", "400000 values"),
        (b",".join(b"c%d" % index for index in range(10**5)) + b"\n", "100000 columns"),
    ],
    ids=["digits", "quotes", "fields", "zeros", "lines of zeros", "million names", "400,000 values", "100,000 names"],
)
def test_text_that_is_no_table_of_digits(tmp_path, model, capfd, content, words):
    """Lines without end, zero bytes and a million columns are refused by what they are, before any work."""
    (tmp_path / "a.csv").write_bytes(content)
    source = tmp_path / "a.csv"
    assert_ended(call(capfd, "score", "--input", source, "--output", tmp_path / "o", "--model", model), 65, words)
    assert not (tmp_path / "o").exists()


def test_columns_beyond_counting_beside_the_pixels(tmp_path, model, capfd):
    """A hundred thousand columns beside the pixels are passed over; in one record alone they cost that record."""
    (tmp_path / "a.csv").write_bytes(
        HEADER + b"".join(b",c%d" % index for index in range(10**5)) + b"\n" + b"1," * (10**5 + 784) + b"1\n"
    )
    (tmp_path / "b.csv").write_bytes(TEXT + b"1," * 99_999 + b"1\n")
    result = call(
        capfd, "score", "--input", tmp_path, "--output", tmp_path / "o", "--model", model, "--max-rejects", "10%"
    )
    assert_ended(result, 0)
    assert b'"reason": "too_many_fields"' in (tmp_path / "o/rejects/b.csv.jsonl").read_bytes()


def _zip(content):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", content)
    return packed.getvalue()


PACKERS = {
    "gzip": gzip.compress, "bzip2": bz2.compress, "zip": _zip,
    "xz": lambda content: lzma.compress(content, preset=0),
    "zstd": lambda content: pa.compress(content, codec="zstd", asbytes=True),
}  # fmt: skip


@needs_proc
@pytest.mark.parametrize("kind", PACKERS)
def test_a_bomb_of_zeros_costs_one_record(tmp_path, model, kind):
    """What swells to a thousand times its size is read through in bounded memory, and is one record without end."""
    (tmp_path / "a.csv.packed").write_bytes(PACKERS[kind](TEXT + bytes(BOMB_BYTES)))
    assert_ended(_score_measured(tmp_path, model, tmp_path / "a.csv.packed"), 0)
    assert len((tmp_path / "out/rejects/a.csv.packed.jsonl").read_bytes().splitlines()) == 1


@pytest.mark.parametrize("kind", PACKERS)
def test_a_bomb_in_a_bomb_is_not_lit(tmp_path, model, capfd, kind):
    """One layer is unpacked; what is in it is no text, and refused."""
    (tmp_path / "a.csv.packed").write_bytes(PACKERS[kind](PACKERS[kind](bytes(4 << 20))))
    result = call(capfd, "score", "--input", tmp_path / "a.csv.packed", "--output", tmp_path / "o", "--model", model)
    assert_ended(result, 65, "a.csv.packed")


# IDX


def _idx(tmp_path, *, announced, labels, pack=bytes):
    images = struct.pack(">IIII", 0x803, announced, 28, 28) + DIGITS.pixels[:3].tobytes()
    (tmp_path / "in").mkdir()
    (tmp_path / "in/images-idx3-ubyte").write_bytes(pack(images))
    (tmp_path / "in/labels-idx1-ubyte").write_bytes(pack(labels))
    return tmp_path / "in"


@needs_proc
@pytest.mark.parametrize("is_packed", [False, True])
@pytest.mark.parametrize("label_bytes", [3, BOMB_BYTES], ids=["short labels", "many labels"])
def test_headers_of_idx_that_promise_four_billion_images(tmp_path, model, is_packed, label_bytes):
    """What a header announces is never set aside in memory: the file is found to be shorter."""
    labels = struct.pack(">II", 0x801, 2**32 - 1) + bytes(label_bytes)
    folder = _idx(tmp_path, announced=2**32 - 1, labels=labels, pack=gzip.compress if is_packed else bytes)
    result = _score_measured(tmp_path, model, folder, preexec_fn=_without_gigabytes)
    assert_ended(result, 65, "-idx")


def _without_gigabytes():
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))


@pytest.mark.parametrize("count", [0, 2, 4, 2**32 - 1])
def test_labels_of_idx_that_are_not_as_many(tmp_path, model, capfd, count):
    """Labels whose header announces another number than the images are refused, and nothing is written."""
    folder = _idx(tmp_path, announced=3, labels=struct.pack(">II", 0x801, count) + bytes(3))
    result = call(capfd, "score", "--input", folder, "--output", tmp_path / "o", "--model", model)
    assert_ended(result, 65, "expected an IDX file of 3 labels")
    assert not (tmp_path / "o/_SUCCESS").exists()


# Parquet


def test_pictures_that_are_bombs_are_rejected_one_by_one(tmp_path, model, capfd):
    """A PNG of another size, one that claims gigapixels, and rubbish cost their own row each, and no warning."""
    good = png(DIGITS.pixels[0])
    huge = good[:16] + struct.pack(">II", 2**31 - 1, 2**31 - 1) + good[24:]
    wide = good[:16] + struct.pack(">II", 30_000, 30_000) + good[24:]
    pictures = [good, huge, wide, good[:40], b"", b"GIF89a" + bytes(50), good]
    pq.write_table(pa.table({"image": pictures}), tmp_path / "a.parquet")
    source = tmp_path / "a.parquet"
    result = call(capfd, "score", "--input", source, "--output", tmp_path / "o", "--model", model, "--max-rejects", "5")
    assert_ended(result, 0)
    rejected = [json.loads(line) for line in (tmp_path / "o/rejects/a.parquet.jsonl").read_text().splitlines()]
    assert [(each["row"], each["reason"]) for each in rejected] == [(row, "bad_image") for row in range(1, 6)]


def _columns(digits):
    return {"label": digits.labels} | {name: digits.pixels[:, place] for place, name in enumerate(PIXEL_NAMES)}


def _parquet(kind, digits, **how):
    """The bytes of a Parquet file of one of three kinds."""
    columns = {
        "columns": lambda: _columns(digits),
        "bytes": lambda: {"image": [row.tobytes() for row in digits.pixels], "label": list(map(str, digits.labels))},
        "lists": lambda: {"image": digits.pixels.tolist(), "label": digits.labels},
    }[kind]()
    content = io.BytesIO()
    pq.write_table(pa.table(columns), content, **how)
    return content.getvalue()


def _rows_read(content):
    """How many rows a file gives, or None where it is refused for what it is; and how many its footer announces."""
    try:
        storage, source = looked_at(content, ReadSettings())
        spans = source.split(1)
        return len(joined(batch for span in spans for batch in source.read(storage, span, 7)).pixels), source.rows
    except (DataError, LayoutError) as error:
        message = str(error)
    assert message.startswith(PATH)
    assert "\n" not in message
    return None, None


@pytest.mark.parametrize(
    ("kind", "count"),
    [
        ("bytes", 300), ("lists", 200), ("columns", 30),
        *(pytest.param(kind, 10_000, marks=pytest.mark.soak) for kind in ("bytes", "lists", "columns")),
    ],
)  # fmt: skip
def test_flipped_bytes_in_parquet(kind, count):
    """A Parquet file with bytes that are not its own is refused, or gives the rows that its footer announces."""
    whole = _parquet(kind, DIGITS, row_group_size=8)
    footer = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    refused = 0
    # Of each kind the first, and those that ended the process once: a codec, or a column's data, that there is not.
    seeds = {*range(count), 104, 278, 694, 907, 1163}
    for seed in sorted(seeds):
        random = np.random.default_rng(seed)
        content = bytearray(whole)
        for place in random.integers(footer if seed % 2 else 4, len(content), random.integers(1, 4)):
            content[place] = random.integers(256)
        found, announced = _rows_read(bytes(content))
        assert found == announced
        refused += found is None
    assert 0 < refused < len(seeds)


def _varint(number):
    """A number as Thrift's compact protocol has it: zigzag, seven bits a byte."""
    rest, content = (number << 1) ^ (number >> 63), bytearray()
    rest &= (1 << 64) - 1
    while rest > 0x7F:
        content.append(rest & 0x7F | 0x80)
        rest >>= 7
    return bytes([*content, rest])


@pytest.mark.parametrize("number", [0, 1, -1, -242, 241, 243, 2**31, 2**40, 2**62, -(2**62)])
@pytest.mark.parametrize("kind", ["bytes", "columns"])
def test_footers_that_lie_about_the_number_of_rows(kind, number):
    """Wherever a footer says 242, another number is found to be a lie, or is the number of rows that come out."""
    whole = _parquet(kind, make_digits(242))
    start = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    footer = whole[start:-8]
    places = [match.start() for match in re.finditer(re.escape(_varint(242)), footer)]
    assert len(places) > 3
    for lies in ([places[0]], [places[-1]], [places[-2]], places[-2:], places):
        lying = footer
        for place in reversed(lies):
            lying = lying[:place] + _varint(number) + lying[place + 2 :]
        found, announced = _rows_read(whole[:start] + lying + len(lying).to_bytes(4, "little") + b"PAR1")
        assert found == announced


@pytest.mark.parametrize("length", [0, 1, 100, 2**31 - 1, 2**31, 2**32 - 1])
def test_footers_that_lie_about_their_length(tmp_path, model, capfd, length):
    """A footer that is said to be shorter, longer, or larger than the file, is damage."""
    whole = _parquet("bytes", DIGITS)
    (tmp_path / "a.parquet").write_bytes(whole[:-8] + length.to_bytes(4, "little") + whole[-4:])
    source = tmp_path / "a.parquet"
    result = call(capfd, "score", "--input", source, "--output", tmp_path / "o", "--model", model)
    assert_ended(result, 65, "cannot be read as Parquet")


def test_a_column_whose_name_is_no_text(tmp_path, model, capfd):
    """A column's name that is not UTF-8 is damage, and no traceback."""
    (tmp_path / "a.parquet").write_bytes(_parquet("bytes", DIGITS).replace(b"image", b"im\xffge"))
    source = tmp_path / "a.parquet"
    result = call(capfd, "score", "--input", source, "--output", tmp_path / "o", "--model", model)
    assert_ended(result, 65, "cannot be read as Parquet")


@needs_proc
def test_a_footer_full_of_something_else(tmp_path, model):
    """Megabytes of notes in a footer are read and passed over; garbage for a schema is no schema."""
    source = write_parquet(tmp_path / "a.parquet", DIGITS)
    table = pq.read_table(source).replace_schema_metadata({"note": "x" * (2 << 20)})
    pq.write_table(table, source)
    assert_ended(_score_measured(tmp_path, model, source), 0)
    schema = re.search(b"ARROW:schema", source.read_bytes())
    content = bytearray(source.read_bytes())
    content[schema.end() + 8 : schema.end() + 40] = b"?" * 32
    source.write_bytes(content)
    result = _score_measured(tmp_path, model, source, "--overwrite")
    assert result.returncode in {0, 65}
    assert_ended(result, result.returncode)
