"""MODEL.md and mistakes.png: what a model is, for the people who decide whether to use it.

After M. Mitchell et al., "Model Cards for Model Reporting", FAT* 2019. `model.json` says the same to programs.
"""

import io
from dataclasses import dataclass
from importlib import resources
from typing import Any, Final

import jinja2
import numpy as np

from job.contract import CLASSES, SIDE, Labels, Pixels, Probabilities
from job.model.bundle import DENSE_NAME, INT8_NAME, ONNX_NAME, TFLITE_NAME
from job.report.metrics import wilson_interval
from job.train.judge.evaluate import Evaluation

CARD_TEXT_NAME: Final = "MODEL.md"
PICTURE_NAME: Final = "mistakes.png"
_MOST_MISTAKES: Final = 20
_MOST_PAIRS: Final = 5
_COLUMNS: Final = 10
_MAGNIFIED: Final = 3
_GAP: Final = 2
_USES: Final = {
    ONNX_NAME: "ONNX Runtime",
    DENSE_NAME: "`digit-job score`",
    TFLITE_NAME: "LiteRT (TensorFlow Lite), in float32",
    INT8_NAME: "LiteRT (TensorFlow Lite), in integers alone",
}


@dataclass(frozen=True)
class Mistake:
    """A test image that was named wrong: its place in the split, its digit, the digit it was taken for, how surely."""

    row: int
    label: int
    prediction: int
    confidence: float


def surest_mistakes(probabilities: Probabilities, labels: Labels) -> list[Mistake]:
    """The mistakes among float32 (n, 10) probabilities of int8 (n,) digits that are made most surely; at most 20."""
    predictions = probabilities.argmax(axis=1)
    confidences = probabilities.max(axis=1)
    wrong = np.flatnonzero(predictions != labels)
    surest = wrong[np.argsort(-confidences[wrong], kind="stable")][:_MOST_MISTAKES]
    return [Mistake(int(row), int(labels[row]), int(predictions[row]), float(confidences[row])) for row in surest]


def picture(pixels: Pixels) -> bytes:
    """Some images, uint8 (n, 784), n > 0, as one PNG: ten in a row, dark ink on white, magnified."""
    from PIL import Image

    cell = SIDE + _GAP
    rows = -(-len(pixels) // _COLUMNS)
    sheet = np.zeros((rows * cell + _GAP, _COLUMNS * cell + _GAP), np.uint8)
    for number, image in enumerate(pixels):
        top, left = (_GAP + cell * place for place in divmod(number, _COLUMNS))
        sheet[top : top + SIDE, left : left + SIDE] = image.reshape(SIDE, SIDE)
    file = io.BytesIO()
    Image.fromarray(255 - sheet.repeat(_MAGNIFIED, axis=0).repeat(_MAGNIFIED, axis=1)).save(file, "PNG", optimize=True)
    return file.getvalue()


def model_card(card: dict[str, Any], test: Evaluation, mistakes: list[Mistake]) -> str:
    """The text of MODEL.md for the content of a `model.json` and what was found on the test split."""
    environment = jinja2.Environment(
        autoescape=False,  # noqa: S701  # it is no HTML, and the only text from outside is the path of the data
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": lambda share: f"{100 * share:.2f} %", "count": lambda number: f"{number:,}"}
    template = environment.from_string(resources.files("job.train.card").joinpath("model_card.md.jinja").read_text())
    intervals = {name: wilson_interval(split["correct"], split["rows"]) for name, split in card["metrics"].items()}
    return template.render(
        card=card,
        test=test,
        intervals=intervals,
        mistakes=mistakes,
        pairs=confused_pairs(test.confusion_matrix),
        columns=_COLUMNS,
        picture=PICTURE_NAME,
        uses=_USES,
    )


def confused_pairs(confusion: list[list[int]]) -> list[tuple[int, int, int]]:
    """(images, digit, taken for) of the pairs that are confused most often."""
    pairs = [(confusion[a][b], a, b) for a in range(CLASSES) for b in range(CLASSES) if a != b and confusion[a][b]]
    return sorted(pairs, key=lambda pair: (-pair[0], *pair[1:]))[:_MOST_PAIRS]
