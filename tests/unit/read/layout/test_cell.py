"""Text cells that hold a whole image."""

import numpy as np
import pytest

from job.contract import Reason
from job.read.layout.cell import BadCell, cell_numbers, is_image_cell

IMAGE = np.random.default_rng(0).integers(0, 256, 784)
TEXTS = list(map(str, IMAGE.tolist()))
FORMS = {
    "spaces": " ".join(TEXTS),
    "commas": ",".join(TEXTS),
    "semicolons": "; ".join(TEXTS),
    "bars": "|".join(TEXTS),
    "tabs": "\t".join(TEXTS),
    "list": str(IMAGE.tolist()),
    "tuple": str(tuple(IMAGE.tolist())),
    "array of Postgres": "{" + ",".join(TEXTS) + "}",
    "lists in a list": str(IMAGE.reshape(28, 28).tolist()),
    "NumPy": str(np.array2string(IMAGE, threshold=1000)),
    "NumPy, two dimensions": np.array2string(IMAGE.reshape(28, 28), threshold=1000),
    "list of texts": str(TEXTS),
    "floats": " ".join(f"{value}.0" for value in IMAGE),
    "a separator at the end": ",".join(TEXTS) + ",",
    "exponents": " ".join(f"{value:e}" for value in IMAGE),
}


@pytest.mark.parametrize("text", FORMS.values(), ids=FORMS)
def test_forms(text):
    """The same image in any of them."""
    assert cell_numbers(text, "image").tolist() == IMAGE.tolist()
    assert is_image_cell(text)


@pytest.mark.parametrize(
    ("text", "reason", "detail"),
    [
        (" ", Reason.MISSING_VALUE, "image is empty, expected an image"),
        (" ".join(TEXTS[1:]), Reason.TOO_FEW_FIELDS, "image has 783 values, expected 784"),
        (",".join([*TEXTS, "0"]), Reason.TOO_MANY_FIELDS, "image has 785 values, expected 784"),
        (",".join(["", *TEXTS[1:]]), Reason.MISSING_VALUE, "image[0] is empty, expected a number"),
        (" ".join([*TEXTS[:-1], "x"]), Reason.NOT_A_NUMBER, "image[783] is 'x', expected a number"),
        (" ".join([*TEXTS[:-1], "nan"]), Reason.NOT_A_NUMBER, "image[783] is 'nan', expected a number"),
        (" ".join([*TEXTS[:-1], "1e999"]), Reason.NOT_A_NUMBER, "image[783] is '1e999', expected a number"),
        (" ".join([*TEXTS[:-1], "1-"]), Reason.NOT_A_NUMBER, "image[783] is '1-', expected a number"),
        (" ".join([*TEXTS[:-1], "1_0"]), Reason.NOT_A_NUMBER, "image[783] is '1_0', expected a number"),
        (str(IMAGE.tolist())[:-1], Reason.TOO_FEW_FIELDS, "image has a bracket that is not closed, as if it were cut"),
        (np.array2string(IMAGE, threshold=10), Reason.TOO_FEW_FIELDS, "image was cut when it was written (it has"),
    ],
)
def test_bad_cells(text, reason, detail):
    """Say what is wrong, and where."""
    with pytest.raises(BadCell) as error:
        cell_numbers(text, "image")
    assert error.value.reason == reason
    assert str(error.value).startswith(detail)


@pytest.mark.parametrize(
    ("text", "is_image"),
    [
        ("", False), ("digit_17.png", False), ("2024-01-02", False), ("[1, 2, 3]", False), ("a b c " * 300, False),
        (np.array2string(IMAGE, threshold=10), True), (" ".join(TEXTS[:700]), True), (",".join(["", *TEXTS[1:]]), True),
    ],
)  # fmt: skip
def test_what_looks_like_an_image(text, is_image):
    """Also one with some values missing or left out, so that its rejects say so; but not other text."""
    assert is_image_cell(text) == is_image
