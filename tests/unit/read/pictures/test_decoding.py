"""Pictures of every kind, mode and orientation -> grey pixels, and every way to be something else."""

import io
from contextlib import suppress

import numpy as np
import pytest
from PIL import Image
from support.pictures import encoded, png, png_that_claims

from job.read.pictures.decoding import BadPicture, decode, picture_size

KINDS = {"PNG": "PNG", "TIFF": "TIFF", "BMP": "BMP", "GIF": "GIF", "PPM": "PNM", "WEBP": "WebP"}
RAMP = np.add.outer(np.arange(30), 5 * np.arange(40)).astype(np.uint8)


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "P"])
def test_grey_in_any_mode(digits, mode):
    """A grey picture is decoded to its own values, however it stores them."""
    np.testing.assert_array_equal(decode(png(digits.pixels[0], mode)).grey.ravel(), digits.pixels[0])


def test_black_and_white():
    """A picture of one bit a pixel is decoded to 0 and 255."""
    pixels = np.arange(784) % 2 * 255
    np.testing.assert_array_equal(decode(png(pixels, "1")).grey.ravel(), pixels)


@pytest.mark.parametrize("kind", KINDS)
def test_kinds_without_loss(kind):
    """Each is decoded to the pixels that were stored, with the size that its header states."""
    content = encoded(RAMP, kind, **({"lossless": True} if kind == "WEBP" else {}))
    picture = decode(content)
    np.testing.assert_array_equal(picture.grey, RAMP)
    assert (picture.kind, picture.width, picture.height) == (KINDS[kind], 40, 30)
    assert picture_size(content) == (40, 30)


@pytest.mark.parametrize(("kind", "mode"), [("JPEG", "L"), ("JPEG", "RGB"), ("JPEG", "CMYK"), ("WEBP", "RGB")])
def test_kinds_with_loss(kind, mode):
    """The pixels are near those that were stored."""
    grey = decode(encoded(RAMP, kind, mode=mode, quality=95)).grey.astype(int)
    assert grey.shape == RAMP.shape
    assert np.abs(grey - RAMP).mean() < 4


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_exif_orientation(kind, orientation):
    """A picture that a phone stored lying or mirrored is decoded upright, and its size is stated so."""
    stored = Image.fromarray(RAMP)
    turned = {
        2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }  # fmt: skip
    if orientation in turned:
        stored = stored.transpose(turned[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    stored.save(file, kind, exif=exif, **({"quality": 100} if kind in {"JPEG", "WEBP"} else {}))
    picture = decode(file.getvalue())
    assert (picture.width, picture.height) == (40, 30)
    assert np.abs(picture.grey.astype(int) - RAMP).mean() < 3


@pytest.mark.parametrize(
    ("numbers", "kind"),
    [
        ((RAMP.astype(np.uint16) * 257), "PNG"),
        ((RAMP.astype(np.uint16) * 257), "TIFF"),
        ((RAMP.astype(np.float32) / 255), "TIFF"),
        ((RAMP.astype(np.float32)), "TIFF"),
        ((RAMP.astype(np.int32) * 257), "TIFF"),
    ],
    ids=["16-bit PNG", "16-bit TIFF", "fractions", "floats to 255", "32-bit TIFF"],
)
def test_more_than_eight_bits(numbers, kind):
    """Pixels of 16 bits, and numbers whose scale their highest tells, become 8-bit grey."""
    numbers = numbers.copy()
    numbers[-1, -1] = numbers.dtype.type(numbers.max())
    np.testing.assert_allclose(decode(encoded(numbers, kind)).grey, RAMP, atol=1 + int(RAMP.max() < 255) * 80)


def test_numbers_of_no_scale():
    """Negative numbers, or numbers beyond 16 bits, are refused with their range."""
    for low, high in ((-1, 1), (0, 1e6), (0, np.nan)):
        numbers = np.full((30, 40), low, np.float32)
        numbers[3, 3] = high
        with pytest.raises(BadPicture, match="is a TIFF of numbers from"):
            decode(encoded(numbers, "TIFF"))


@pytest.mark.parametrize(("ink", "ground"), [(0, 255), (255, 0)], ids=["dark ink", "light ink"])
@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_transparent_background(mode, ink, ground):
    """Dark ink without a background is put on white, and light ink, which would vanish there, on black."""
    picture = Image.new(mode, (40, 30))
    for x in range(10, 20):
        picture.putpixel((x, 15), (ink, 255) if mode == "LA" else (ink, ink, ink, 255))
    file = io.BytesIO()
    picture.save(file, "PNG")
    grey = decode(file.getvalue()).grey
    assert (grey[15, 10:20] == ink).all()
    assert (grey[:15] == ground).all()


def test_a_colour_that_is_transparent():
    """GIF and PNG may name a colour of the palette that is not shown."""
    picture = Image.new("P", (40, 30), 0)
    picture.putpalette([0, 0, 0, 20, 20, 20] + [0] * 762)
    picture.putpixel((5, 5), 1)
    for kind in ("GIF", "PNG"):
        file = io.BytesIO()
        picture.save(file, kind, transparency=0)
        grey = decode(file.getvalue()).grey
        assert (grey[5, 5], grey[0, 0]) == (20, 255)


def _without_palette(pixels):
    content = png(pixels, "P")
    palette = content.index(b"PLTE") - 4
    return content[:palette] + content[content.index(b"IDAT") - 4 :]


def _several(kind):
    file = io.BytesIO()
    pages = [Image.fromarray(RAMP + 20 * page) for page in range(3)]
    pages[0].save(file, kind, save_all=True, append_images=pages[1:])
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (lambda _: b"", "is empty (0 bytes)"),
        (lambda _: b"1,2,3", "is not a picture; expected PNG, JPEG, TIFF, BMP, WebP, GIF or PNM"),
        (lambda _: b"\0\0\0\x18ftypheic" + bytes(30), "is a HEIC picture, which is not read; save it as JPEG or PNG"),
        (lambda _: b"%PDF-1.7", "is a PDF document"),
        (lambda pixels: png(pixels)[:20], "is a PNG of 20 bytes, truncated in its header"),
        (lambda _: png_that_claims(2**31 - 1, 2**31 - 1), "is a PNG of 2147483647x2147483647, expected at most"),
        (lambda _: png_that_claims(0, 28), "is a PNG of 0x28, without a pixel"),
        (lambda _: png_that_claims(28, 28), "is a damaged PNG"),
        (lambda pixels: png(pixels)[:-40], "is a damaged PNG"),
        (_without_palette, "is a damaged PNG"),
        (lambda _: png_that_claims(28, 28)[:33] + png_that_claims(20_000, 20_000)[8:], "is a PNG of 20000x20000"),
        (lambda _: b"RIFF\x24\0\0\0WEBPVP8X\x0a\0\0\0" + bytes(4) + b"\xff" * 6, "is a WebP of 16777216x16777216"),
        (lambda _: b"RIFF\x24\0\0\0WEBPVP8 ", "is a WebP of 16 bytes, truncated in its header"),
        (lambda _: _several("TIFF"), "is a TIFF of 3 pictures, expected one; save each as a file"),
        (lambda _: _several("GIF"), "is a GIF of 3 pictures, expected one; save each as a file"),
    ],
    ids=[
        "empty", "text", "HEIC", "PDF", "header", "bomb", "no side", "no pixels", "truncated", "no palette",
        "bomb after a good header", "WebP bomb", "WebP header", "pages", "animation",
    ],
)  # fmt: skip
def test_content_that_is_not_a_picture_of_a_digit(digits, content, problem):
    """The error says what it is; a size is checked by the header alone."""
    with pytest.raises(BadPicture) as error:
        decode(content(digits.pixels[0]))
    assert str(error.value).startswith(problem)


@pytest.mark.parametrize("side", [12_000, 65_535])
def test_a_frame_that_is_larger_than_its_gif(side):
    """Pillow makes room for it as it opens the file, beyond the size in the header, and warns or raises."""
    frame = b"," + bytes(4) + side.to_bytes(2, "little") * 2 + b"\0" + b"\x02\x02\x44\x01\0;"
    content = b"GIF89a" + (28).to_bytes(2, "little") * 2 + b"\x80\0\0" + bytes(6) + frame
    with pytest.raises(BadPicture):
        decode(content)
    assert picture_size(content) != (28, 28)


@pytest.mark.parametrize("kind", [*KINDS, "JPEG"])
def test_truncated_pictures(kind):
    """Half of a picture is refused, whatever its kind, and never completed with grey."""
    noise = np.random.default_rng(0).integers(0, 255, (60, 80), np.uint8)
    content = encoded(noise, kind)
    with pytest.raises(BadPicture, match=r"is a damaged|truncated"):
        decode(content[: len(content) // 2])


@pytest.mark.parametrize("kind", [*KINDS, "JPEG"])
def test_damaged_pictures(kind):
    """A picture with a few bytes changed is decoded or refused with BadPicture, and raises nothing else."""
    whole = encoded(RAMP, kind)
    for seed in range(150):
        content = bytearray(whole)
        random = np.random.default_rng(seed)
        for position in random.integers(0, len(content), 1 + seed % 4):
            content[position] = random.integers(256)
        with suppress(BadPicture):
            assert decode(bytes(content)).grey.ndim == 2, seed


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_large_pictures_are_reduced(kind):
    """By a whole number, so that the shorter side stays at least as long as asked."""
    grey = np.kron(RAMP, np.ones((40, 40), np.uint8))
    picture = decode(encoded(grey, kind), min_side=300)
    assert (picture.grey.shape, picture.width, picture.height) == ((300, 400), 1600, 1200)
    assert np.abs(picture.grey.astype(int) - np.kron(RAMP, np.ones((10, 10), int))).mean() < 3
