"""Images as PNG pictures, and as columns of every kind that the Parquet reader takes."""

import io
import struct
import zlib

import numpy as np
import pyarrow as pa
from PIL import Image


def png(pixels, mode="L"):
    """One image of (784,) grey values as the bytes of a PNG in a mode of Pillow's."""
    file = io.BytesIO()
    Image.fromarray(np.asarray(pixels, np.uint8).reshape(28, 28)).convert(mode).save(file, "PNG")
    return file.getvalue()


def png_that_claims(width, height):
    """A few bytes with a whole header, and hardly a pixel."""
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)), (b"IDAT", zlib.compress(b"\0"))]
    body = b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


def as_lists(pixels, type_):
    """(n, 784) numbers as a column of lists: `type_` is any type of lists, nested or not."""
    is_nested = pa.types.is_nested(type_.value_type)
    return pa.array(pixels.reshape(-1, 28, 28).tolist() if is_nested else pixels.tolist(), type_)


def as_bytes(pixels, type_):
    """(n, 784) uint8 as a column of raw bytes."""
    return pa.array([row.tobytes() for row in pixels], type_)


def as_pictures(pixels, *, is_struct=False):
    """(n, 784) uint8 as a column of PNG pictures, bare or as Hugging Face's datasets store them."""
    pictures = [png(row) for row in pixels]
    if not is_struct:
        return pa.array(pictures, pa.binary())
    type_ = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    return pa.array([{"bytes": picture, "path": None} for picture in pictures], type_)
