"""What finds the digits in a picture: the seam between pictures of one digit and sheets of many.

`prepared_part` calls a finder for each picture, and writes a row for each digit that it finds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import pyarrow as pa

from job.contract import Pixels
from job.read.pictures.decoding import MAX_PICTURE_PIXELS, Picture
from job.read.pictures.digit import MIN_SIDE, pixels_of


@dataclass(frozen=True, slots=True)
class FoundDigit:
    """A digit of a picture. pixels: uint8 (784,), ink bright on 0.

    place: the values of the finder's columns. box: left, top, width and height in the pixels of the picture, upright;
    None for the whole picture.
    """

    pixels: Pixels
    place: Mapping[str, Any]
    box: tuple[int, int, int, int] | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """The digits of a picture in reading order, and what is doubtful about them, a sentence each without a subject."""

    digits: Sequence[FoundDigit]
    doubts: Sequence[str] = ()


class DigitFinder(Protocol):
    """Finds the digits in one picture. Usable from several threads at once."""

    @property
    def columns(self) -> pa.Schema:
        """The columns that say where in its picture a digit is; behind `id` and `label` in the output."""
        ...

    @property
    def min_side(self) -> int | None:
        """How far a picture may be reduced while it is decoded: see `decode`."""
        ...

    @property
    def identity(self) -> Mapping[str, Any]:
        """What can change its results, as JSON; part of the fingerprint of a run."""
        ...

    @property
    def max_pixels(self) -> int:
        """Larger pictures are refused."""
        ...

    @property
    def has_pages(self) -> bool:
        """Whether a file may have several pages, as a TIFF of a scanner has."""
        ...

    def find(self, picture: Picture) -> Found:
        """The digits of a picture or page. Raises BadPicture if there is none."""
        ...


@dataclass(frozen=True, slots=True)
class SingleDigit:
    """The one digit of a picture. is_taken_as_is, is_dark: see `pixels_of`."""

    columns: ClassVar[pa.Schema] = pa.schema([])
    min_side: ClassVar[int | None] = MIN_SIDE
    max_pixels: ClassVar[int] = MAX_PICTURE_PIXELS
    has_pages: ClassVar[bool] = False

    is_taken_as_is: bool
    is_dark: bool | None = None

    @property
    def identity(self) -> Mapping[str, Any]:
        return {"single": [self.is_taken_as_is, self.is_dark]}

    def find(self, picture: Picture) -> Found:
        return Found([FoundDigit(pixels_of(picture, is_taken_as_is=self.is_taken_as_is, is_dark=self.is_dark), {})])
