import base64
import io

import numpy as np
from PIL import Image

from job.read.pictures import decode_png
from job.report.digits import data_uri, png


def test_a_png_holds_every_pixel():
    """Pillow and our own reader find 28x28 of 8-bit grey, dark ink on white."""
    pixels = np.random.default_rng(0).integers(0, 256, 784, dtype=np.uint8)
    content = png(pixels.tobytes())
    with Image.open(io.BytesIO(content)) as picture:
        picture.verify()
        assert (picture.size, picture.mode) == ((28, 28), "L")
    assert (decode_png(content) == 255 - pixels).all()


def test_a_png_in_a_page():
    """The address holds the whole picture."""
    head, _, content = data_uri(bytes(784)).partition(",")
    assert head == "data:image/png;base64"
    assert (decode_png(base64.b64decode(content)) == 255).all()
