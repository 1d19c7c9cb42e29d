"""What a file is by its first bytes, and the sentence for each format that is not read."""

import gzip
import io
import pickle
import sqlite3
import struct
import tarfile
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe
import pytest
from PIL import Image
from pyarrow import orc
from support.batches import read_all
from support.files import PIXEL_NAMES, make_digits, write_csv

from job.errors import DataError, LayoutError, NoInput
from job.read.recognise import FileKind, file_kind
from job.read.source import files_at, look
from job.settings import ReadSettings

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 12345\n"


def _picture(format_):
    file = io.BytesIO()
    Image.fromarray(make_digits(1).pixels.reshape(28, 28)).save(file, format_)
    return file.getvalue()


def _orc():
    file = pa.BufferOutputStream()
    orc.write_table(pa.table({"a": [1, 2]}), file)
    return file.getvalue().to_pybytes()


def _tar():
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a.csv"))
    return file.getvalue()


def _zip(*names):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, b"")
    return file.getvalue()


def _database(path):
    with sqlite3.connect(path) as database:
        database.execute("create table digits (label integer)")
    database.close()
    return path.read_bytes()


REFUSED = {
    "LFS": (POINTER.encode(), "is a Git LFS pointer, not the data itself; run `git lfs pull`"),
    "annex": (b"/annex/objects/SHA256E-s1--ab.csv\n", "is a git-annex pointer"),
    "HTML": (b"\n<!DOCTYPE html>\n<html>", "is an HTML page"),
    "HTML with a mark": (b"\xef\xbb\xbf<HTML lang=en>", "is an HTML page"),
    "XML": (b"<?xml version='1.0'?><Error>", "is XML"),
    "XML of S3": (b"<Error><Code>AccessDenied</Code>", "is XML"),
    "encrypted Parquet": (b"PARE" + bytes(200) + b"PARE", "is a Parquet file whose footer is encrypted"),
    "Feather 1": (b"FEA1" + bytes(40), "is a Feather file of version 1"),
    "ORC": (_orc(), "is an ORC file"),
    "Avro": (b"Obj\x01\x04\x16avro.schema", "is an Avro file"),
    "HDF5": (b"\x89HDF\r\n\x1a\n" + bytes(40), "is an HDF5 file"),
    "Excel": (_zip("[Content_Types].xml", "xl/workbook.xml"), "is a workbook, such as Excel's .xlsx"),
    "Excel 97": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(40), "is an Excel workbook"),
    "LibreOffice": (_zip("mimetype", "content.xml"), "is an OpenDocument file"),
    "pictures": (
        _zip("7/1.png", "7/2.PNG", "notes.txt"),
        "is a zip archive of 2 pictures (7/1.png, ..); unpack it, and name the folder",
    ),
    "PyTorch": (_zip("mnist/data.pkl", "mnist/version"), "is a PyTorch file, which is a pickle and never read"),
    "Keras": (_zip("config.json", "model.weights.h5"), "is a Keras model, not data; name it with --model"),
    "pickle": (pickle.dumps([1, 2]), "is a pickle, which may run code"),
    "old pickle": (pickle.dumps(np.zeros(3), 0), "is a pickle, which may run code"),
    "zlib": (b"x\x9c\x4b\x04\x00", "is a zlib stream"),
    "MATLAB": (b"MATLAB 5.0 MAT-file, Platform: GLNXA64", "is a MATLAB file"),
    "packed picture": (gzip.compress(_picture("BMP")), "is a compressed picture file; only CSV, IDX and NumPy's files"),
    "tar": (_tar(), "is a tar archive"),
    "packed tar": (gzip.compress(_tar()), "is a tar archive"),
    "packed HTML": (gzip.compress(b"<html><body>"), "is an HTML page"),
    "TFRecord": (bytes.fromhex("4001000000000000 2ee7644d") + bytes(40), "is a TFRecord file"),
    "7-Zip": (b"7z\xbc\xaf\x27\x1c\x00\x04", "is a 7-Zip archive"),
    "LZ4": (b"\x04\x22\x4d\x18" + bytes(20), "is compressed with LZ4"),
    "R": (gzip.compress(b"RDX3\nX\n"), "is an R workspace"),
    "Stata": (b"<stata_dta><header>", "is a Stata file"),
    "IDX of floats": (struct.pack(">HBBIII", 0, 13, 3, 1, 28, 28), "is an IDX file, but not of images of 28x28 bytes"),
}


@pytest.mark.parametrize("name", ["a.csv", "a.parquet", "a-images-idx3-ubyte"])
@pytest.mark.parametrize(("content", "sentence"), REFUSED.values(), ids=REFUSED)
def test_what_is_not_read_is_named(storage, tmp_path, name, content, sentence):
    """Whatever the file is called; the message names the file and says what to do."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError) as error:
        look(storage, [storage.stat(str(tmp_path / name))], ReadSettings())
    assert str(error.value).startswith(f"{tmp_path / name}: {sentence}")
    assert error.value.exit_code == 65


def test_sqlite(storage, tmp_path):
    """A database, whatever it is called."""
    path = tmp_path / "digits.csv"
    _database(path)
    with pytest.raises(LayoutError, match="is an SQLite database; export the table as CSV"):
        look(storage, [storage.stat(str(path))], ReadSettings())


@pytest.mark.parametrize(
    "text",
    [b"ORCID,label\n", b"BMI,label\n", b"P5,P6\n", b"class\n", b"x,y\n", b"Obj,label\n", b"II,III\n", b"1<2\n", b""],
)
def test_text_is_csv(text):
    """Even if it begins like a binary format."""
    assert file_kind(text, "a.csv") is FileKind.CSV


class _Keys(pe.KmsClient):
    """A key server that wraps keys by reversing them."""

    def __init__(self, _config):
        super().__init__()

    def wrap_key(self, key, _master):
        return bytes(reversed(key))

    def unwrap_key(self, wrapped, _master):
        return bytes(reversed(wrapped))


def _read(storage, path):
    for source in look(storage, [storage.stat(str(path))], ReadSettings(scale="255")):
        read_all(source, storage)


@pytest.mark.parametrize("has_plain_footer", [False, True])
def test_encrypted_parquet(storage, tmp_path, has_plain_footer):
    """A footer or single columns may be encrypted."""
    config = pe.EncryptionConfiguration(
        footer_key="f", column_keys={"c": ["pixel5"]}, plaintext_footer=has_plain_footer, double_wrapping=False
    )
    properties = pe.CryptoFactory(_Keys).file_encryption_properties(pe.KmsConnectionConfig(), config)
    path = tmp_path / "a.parquet"
    table = pa.table(dict(zip(PIXEL_NAMES, make_digits(9).pixels.T.astype(float), strict=True)))
    pq.write_table(table, path, encryption_properties=properties)
    expected = "has encrypted columns, which are not read" if has_plain_footer else "whose footer is encrypted"
    with pytest.raises(DataError, match=expected):
        _read(storage, path)


def test_a_folder_of_other_files(storage, tmp_path):
    """Holds nothing to read."""
    (tmp_path / "notes.md").write_bytes(b"x")
    with pytest.raises(NoInput, match="holds neither a CSV, Parquet, Arrow, IDX or NumPy file nor a picture"):
        files_at(storage, [str(tmp_path)])


@pytest.mark.parametrize(
    ("names", "what"),
    [
        (["_delta_log"], "a Delta Lake table"),
        ([".hoodie"], "a Hudi table"),
        (["metadata", "metadata/v1.metadata.json"], "an Iceberg table"),
    ],
)
def test_tables_whose_log_says_which_files_count(storage, tmp_path, names, what):
    """Their folders also hold files that were deleted or replaced."""
    write_csv(tmp_path / "a.csv", make_digits(3))
    for name in names:
        (tmp_path / name).mkdir()
    with pytest.raises(LayoutError, match=rf"is {what}, whose log says which of its files count; .* plain Parquet"):
        files_at(storage, [str(tmp_path)])


def test_pictures_beside_data_are_skipped(storage, tmp_path):
    """With the other files that are not data."""
    write_csv(tmp_path / "a.csv", make_digits(3))
    (tmp_path / "plot.png").write_bytes(_picture("PNG"))
    assert [file.name for file in files_at(storage, [str(tmp_path)])] == ["a.csv"]
