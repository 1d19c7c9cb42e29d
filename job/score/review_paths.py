"""Where a run writes the rows that people are to look at: known before any is scored, so that the plan lists the paths.

`review_files` writes them, and `vouching` knows their names.
"""

from typing import Final

from job.contract import CLASS_NAMES
from job.settings import Review

TABLE: Final = "review/review.csv"
SHEET: Final = "review/sheet.html"
TASKS: Final = "review/label-studio.json"
LABELLING: Final = "review/label-studio.xml"


def picture_path(number: int, prediction: int) -> str:
    """The picture of a row, by its number in the review, in a folder named after its predicted digit."""
    return f"review/pictures/{CLASS_NAMES[prediction]}/{number:06}.png"


def review_paths(review: Review) -> list[str]:
    """The paths in the output folder that a run may write to."""
    paths = [TABLE] if review.rows else []
    paths += [SHEET] if "sheet" in review.pictures else []
    paths += [TASKS, LABELLING] if "label-studio" in review.pictures else []
    if "folders" in review.pictures:
        # Of each row only one of ten is written, when the predictions are known.
        numbers = range(1, review.rows + 1)
        paths += [picture_path(number, digit) for number in numbers for digit in range(len(CLASS_NAMES))]
    return paths
