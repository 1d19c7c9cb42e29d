"""Images as PNG pictures, and as Parquet columns of every kind that the reader accepts."""

import io
import struct
import zlib

import numpy as np
import pyarrow as pa
from PIL import Image


def png(pixels, mode="L"):
    """A PNG of (784,) grey values in one of Pillow's modes."""
    file = io.BytesIO()
    Image.fromarray(np.asarray(pixels, np.uint8).reshape(28, 28)).convert(mode).save(file, "PNG")
    return file.getvalue()


def png_that_claims(width, height):
    """A few bytes with a valid header that announces a size, and hardly a pixel."""
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)), (b"IDAT", zlib.compress(b"\0"))]
    body = b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


def as_lists(pixels, type_):
    """(n, 784) numbers as a column of lists of the type `type_`, nested or not."""
    is_nested = pa.types.is_nested(type_.value_type)
    return pa.array(pixels.reshape(-1, 28, 28).tolist() if is_nested else pixels.tolist(), type_)


def as_bytes(pixels, type_):
    """(n, 784) uint8 as a column of raw bytes."""
    return pa.array([row.tobytes() for row in pixels], type_)


def as_pictures(pixels, *, is_struct=False):
    """(n, 784) uint8 as a column of PNG pictures, plain or in the struct that Hugging Face stores."""
    pictures = [png(row) for row in pixels]
    if not is_struct:
        return pa.array(pictures, pa.binary())
    type_ = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    return pa.array([{"bytes": picture, "path": None} for picture in pictures], type_)


def encoded(pixels, kind, mode=None, **options):
    """A grey array of any size and type as a picture file of one of Pillow's kinds."""
    file = io.BytesIO()
    picture = Image.fromarray(pixels)
    (picture.convert(mode) if mode else picture).save(file, kind, **options)
    return file.getvalue()
