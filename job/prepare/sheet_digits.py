"""The digits of scanned pages and photos, as `prepare --sheet` finds them: see `sheet` for how."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import pyarrow as pa

from job.prepare.digit_finder import Found, FoundDigit
from job.prepare.sheet import WORKING_SIDE, read_sheet
from job.read.pictures.decoding import BadPicture, Picture

# 11,585 x 11,585: A3 at 600 dots per inch is less.
_MAX_PIXELS: Final = 1 << 27


@dataclass(frozen=True, slots=True)
class SheetDigits:
    """Finds the digits of a page in reading order. is_dark: ink is darker than paper; None: each page decides."""

    columns: ClassVar[pa.Schema] = pa.schema(
        [(name, pa.int32()) for name in ("page", "row", "column", "left", "top", "width", "height")]
    )
    min_side: ClassVar[int | None] = WORKING_SIDE
    max_pixels: ClassVar[int] = _MAX_PIXELS
    has_pages: ClassVar[bool] = True

    is_dark: bool | None = None

    @property
    def identity(self) -> Mapping[str, Any]:
        """See `DigitFinder`."""
        return {"sheet": self.is_dark}

    def find(self, picture: Picture) -> Found:
        """See `DigitFinder`. The box of a digit is in pixels of the page."""
        sheet = read_sheet(picture.grey, is_dark=self.is_dark)
        if not sheet.digits:
            raise BadPicture("shows no digits; expected dark ink on lighter paper, or light on dark")
        factor = picture.width / picture.grey.shape[1]
        digits = []
        for digit in sheet.digits:
            left, top, width, height = (round(side * factor) for side in digit.box)
            place = {
                "page": picture.page, "row": digit.row, "column": digit.column, "left": left, "top": top,
                "width": width, "height": height,
            }  # fmt: skip
            digits.append(FoundDigit(digit.pixels, place, (left, top, width, height)))
        return Found(digits, sheet.doubts)
