"""A decoded picture of one digit -> 784 pixels: as they are if it has 28x28, in MNIST's form otherwise."""

from typing import Final

from job.contract import PIXELS, SIDE, Pixels
from job.normalize.mnist_form import form_of_ink
from job.read.pictures.decoding import BadPicture, Picture, decode
from job.read.pictures.ink import ink_of

# A digit that fills a tenth of a picture has still 32 pixels, more than the 20 of MNIST's form.
MIN_SIDE: Final = 320
# A picture whose longer side is more than this many times the other one does not show one digit.
_LONGEST: Final = 50


def digit_of(content: bytes, *, is_taken_as_is: bool, is_dark: bool | None = None) -> Pixels:
    """The pixels of a picture of one digit, uint8 (784,). Raises BadPicture, also if there is no ink.

    is_taken_as_is: a picture of 28x28 keeps its pixels. is_dark: see `ink_of`; such a picture is inverted then.
    """
    return pixels_of(decode(content, min_side=MIN_SIDE), is_taken_as_is=is_taken_as_is, is_dark=is_dark)


def pixels_of(picture: Picture, *, is_taken_as_is: bool, is_dark: bool | None = None) -> Pixels:
    """The same for a picture that is decoded."""
    if is_taken_as_is and picture.grey.shape == (SIDE, SIDE):
        pixels = picture.grey.reshape(PIXELS)
        return ~pixels if is_dark else pixels
    if max(picture.grey.shape) > _LONGEST * min(picture.grey.shape):
        raise BadPicture(f"is a {picture.kind} of {picture.width}x{picture.height}, too long and thin for a digit")
    ink = ink_of(picture.grey, is_dark=is_dark)
    if ink is None:
        raise BadPicture("shows nothing but an even background")
    return form_of_ink(ink)
