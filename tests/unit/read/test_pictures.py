"""PNG pictures of digits: every mode of grey, and every way to be something else."""

from contextlib import suppress

import numpy as np
import pytest
from support.pictures import png, png_that_claims

from job.read.pictures import BadPicture, decode_png


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "P"])
def test_grey_in_any_mode(digits, mode):
    """A grey picture is decoded to its own values, however it stores them."""
    np.testing.assert_array_equal(decode_png(png(digits.pixels[0], mode)), digits.pixels[0])


def test_black_and_white():
    """A picture of one bit a pixel is decoded to 0 and 255."""
    pixels = np.arange(784) % 2 * 255
    np.testing.assert_array_equal(decode_png(png(pixels, "1")), pixels)


def _transparent(pixels):
    import io

    from PIL import Image

    picture = Image.fromarray(pixels.reshape(28, 28)).convert("LA")
    picture.putpixel((3, 3), (0, 128))
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def _without_palette(pixels):
    content = png(pixels, "P")
    palette = content.index(b"PLTE") - 4
    return content[:palette] + content[content.index(b"IDAT") - 4 :]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (lambda _: b"", "is a PNG of 0 bytes, truncated in its header"),
        (lambda pixels: png(pixels)[:20], "is a PNG of 20 bytes, truncated in its header"),
        (lambda _: b"GIF89a" + bytes(100), "is not a PNG"),
        (lambda _: png_that_claims(29, 28), "is a PNG of 29x28, expected 28x28"),
        (lambda _: png_that_claims(2**31 - 1, 2**31 - 1), "is a PNG of 2147483647x2147483647, expected 28x28"),
        (lambda _: png_that_claims(28, 28), "is a damaged PNG"),
        (lambda pixels: png(pixels)[:-40], "is a damaged PNG"),
        (_without_palette, "is a damaged PNG"),
        (
            lambda _: png_that_claims(28, 28)[:33] + png_that_claims(20_000, 20_000)[8:],
            "is a damaged PNG (it has several headers)",
        ),
        (lambda pixels: png(pixels, "I;16"), "is a PNG of mode I;16, expected 8-bit grey or colour"),
        (_transparent, "is a PNG with transparent pixels, expected an opaque one"),
    ],
    ids=[
        "empty",
        "header",
        "GIF",
        "size",
        "bomb",
        "no pixels",
        "truncated",
        "no palette",
        "bomb after a good header",
        "16 bits",
        "transparent",
    ],
)
def test_content_that_is_not_a_picture_of_a_digit(digits, content, problem):
    """The error says what it is; a wrong size is found by the header alone."""
    with pytest.raises(BadPicture) as error:
        decode_png(content(digits.pixels[0]))
    assert str(error.value).startswith(problem)


def test_damaged_pictures(digits):
    """A picture with a few bytes changed is decoded or refused with BadPicture, and raises nothing else."""
    pictures = [png(digits.pixels[0], mode) for mode in ("L", "P", "RGBA")]
    for seed in range(300):
        content = bytearray(pictures[seed % 3])
        random = np.random.default_rng(seed)
        for position in random.integers(8, len(content), 1 + seed % 4):
            content[position] = random.integers(256)
        with suppress(BadPicture):
            assert decode_png(bytes(content)).shape == (784,), seed
