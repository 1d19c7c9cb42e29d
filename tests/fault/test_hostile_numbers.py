"""Files whose counts, sizes and offsets are made up: 65 with the file's name, whatever the number and wherever it is.

A process of its own reads them, with three gigabytes of memory at most: its death would be a finding.
"""

import gzip
import itertools
import struct
import zipfile
import zlib

import pytest
from support.changed_numbers import NUMBERS, binary_changes, text_changes
from support.crafted_files import (
    FILES,
    IMAGES_HEADER,
    LABELS_HEADER,
    SIDE,
    chunk,
    idx,
    npy,
    npz,
    png,
    with_pictures,
)
from support.memory_storage import PATH
from support.packed import zip_of
from support.reader_process import ReaderProcess

# Of all changes of a file, one in so many; `make soak` tries them all.
SHARE = 97
# The interpreter with all its libraries takes a fourth of it.
MOST_MIB = 500
BOMB_BYTES = 1 << 30


@pytest.fixture(scope="module")
def reader():
    """A process that reads files."""
    process = ReaderProcess(seconds=60)
    yield process
    process.close()


def assert_good(answer, what):
    """Fail unless a file was read, or refused with 65 and its name, in little memory."""
    assert "died" not in answer, (what, answer)
    assert answer["mib"] < MOST_MIB, (what, answer)
    if "rows" in answer:
        assert answer["announced"] in {None, answer["rows"]}, (what, answer)
    else:
        assert answer["code"] == 65, (what, answer)
        assert answer["error"].startswith(PATH), (what, answer)


def changes_of(content):
    """Every word, and both halves of it, little- and big-endian; near the ends also at odd places."""
    ends = [*range(min(64, len(content))), *range(max(64, len(content) - 200), len(content))]
    return itertools.chain(
        binary_changes(content),
        binary_changes(content, order="big", places=ends),
        binary_changes(content, widths=(1, 2, 4, 8), places=ends),
    )


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("share", [SHARE, pytest.param(1, marks=pytest.mark.soak)])
def test_every_number_in_every_format(reader, name, share):
    """The file itself is read; changed, it is read with as many rows as it announces, or refused."""
    assert reader.read(FILES[name])["rows"] in {2, 3}
    for place, width, number, changed in itertools.islice(changes_of(FILES[name]), 0, None, share):
        assert_good(reader.read(changed), (name, place, width, number))


SHAPES = [
    "(-3, 28, 28)", "(3, -784)", "(2**61, 28, 28)", "(True, 28, 28)", "(3.0, 28, 28)", "(4611686018427387904, 4)",
    "(9223372036854775808, 28, 28)", "[3, 28, 28]", "(None, 28, 28)", "(3, 28, 28", "(" * 300 + "3" + ")" * 300,
]  # fmt: skip
TYPES = [
    "'|O'", "'|V9223372036854775807'", "'|S0'", "'|S2147483647'", "'<U536870911'", "'<f16'", "'<c16'", "'<M8[s]'",
    "[('a', '|u1', (28, 28))]", "[('a', 'O')]", "('|u1', (2147483647,))", "('<f8', (99999, 99999))", "None", "[]",
    "'(2000000000,)u1'", "{'names': ['a'], 'formats': ['u1'], 'offsets': [2000000000]}",
]  # fmt: skip
NOT_HEADERS = ["", "{}", "[" * 9000, "-" * 9000 + "1", "1" * 9000, "{'a':" * 900, "\0" * 64, "9**9**9", "x" * 20_000]


def _headers():
    yield from (text for _, _, text in text_changes(IMAGES_HEADER))
    yield from (IMAGES_HEADER.replace("(3, 28, 28)", shape) for shape in SHAPES)
    yield from (IMAGES_HEADER.replace("'|u1'", type_) for type_ in TYPES)
    yield from (IMAGES_HEADER.replace("'|u1'", type_).replace("False", "True") for type_ in TYPES)
    yield from NOT_HEADERS


def test_headers_of_numpy(reader):
    """Any shape, type or length; beside images and as labels; in a file, and compressed in an archive."""
    for header in _headers():
        archives = (npz(npy(header)), npz(None, npy(header)))
        for content in (npy(header), npy(header, version=2), npy(header, b""), *archives):
            assert_good(reader.read(content), header[:100])
    for number in NUMBERS:
        for version in (1, 2, 3):
            assert_good(reader.read(npy(version=version, header_bytes=number)), (number, version))


@pytest.mark.parametrize("name", ["../x.npy", "/x.npy", "..\\x.npy", "C:x.npy", "x\n.npy", "a/../../x.npy", ".npy"])
def test_members_are_never_written(reader, name):
    """Whatever they are called."""
    content = zip_of({name: npy(), "y.npy": npy(LABELS_HEADER, b"\1\2\3")})
    assert_good(reader.read(content), name)


def test_a_member_without_a_name(reader):
    """Is no error of ours."""
    for content in (FILES["npz"].replace(b"x.npy", b"\0.npy"), FILES["csv, zip"].replace(b"a.csv", b"\0.csv")):
        assert_good(reader.read(content), content[:40])


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA], ids=["bzip2", "lzma"])
def test_bombs_of_other_methods(reader, method):
    """A few kilobytes of bzip2 and LZMA expand to any size; a megabyte at a time is unpacked."""
    image_bytes = SIDE * SIDE
    images = BOMB_BYTES // 8 // image_bytes
    body = bytes(images * image_bytes)
    for content in (
        npz(npy(IMAGES_HEADER.replace("3", str(images), 1), body), method=method),
        zip_of({"a": body}, method),
    ):
        assert len(content) < 1 << 16
        assert_good(reader.read(content), method)


def test_headers_of_idx(reader):
    """Each of the four numbers, alone and all together, compressed or not."""
    whole = (0x803, 3, SIDE, SIDE)
    for place, number in itertools.product(range(4), NUMBERS):
        for header in ((*whole[:place], number, *whole[place + 1 :]), (0x803, number, number, number)):
            for pack in (bytes, gzip.compress):
                assert_good(reader.read(pack(idx(*header))), header)


def _pictures():
    for number in NUMBERS:
        yield from (png(width=number), png(height=number), png(number, number), png(size=number))
        for kind in (b"tEXt", b"zTXt", b"iTXt", b"iCCP", b"PLTE", b"tRNS", b"acTL", b"fcTL", b"eXIf", b"IHDR", b"none"):
            yield png(more=chunk(kind, b"x" * 20, number))
            yield png(more=chunk(kind, struct.pack(">QQ", number % (1 << 64), number % (1 << 64))))
    yield from (png(kind=(depth, colour, 0, 0, 0)) for depth in range(34) for colour in range(8))
    yield from (png(kind=(8, 0, *others)) for others in itertools.product(range(3), repeat=3))
    yield from (png()[:size] for size in range(len(png())))
    bomb = zlib.compress(bytes(BOMB_BYTES // 4))
    yield png(data=bomb)
    yield from (png(more=chunk(kind, b"a\0\0" + bomb)) for kind in (b"zTXt", b"iCCP"))


def test_pictures_of_every_kind(reader):
    """A PNG that cannot be read is a reject among images that can, whatever it announces."""
    pictures = list(_pictures())
    for start in range(0, len(pictures), 50):
        some = pictures[start : start + 50]
        answer = reader.read(with_pictures([png(), *some, png()]))
        assert_good(answer, start)
        assert answer["rows"] == len(some) + 2
