"""MODEL.md: what a model is and how good it is, for the people who decide whether to use it.

After M. Mitchell and others, "Model Cards for Model Reporting", FAT* 2019. `model.json` holds the same for programs.
"""

import re
from importlib import resources
from typing import Final

import jinja2

from job.documents.model_json import TrainedCard
from job.log import visible
from job.model.bundle import DENSE_NAME, INT8_NAME, KERAS_NAME, ONNX_NAME, TFLITE_NAME
from job.report.metrics import confused_pairs, wilson_interval
from job.train.card.mistakes import COLUMNS, ClassifiedImage
from job.train.judge.evaluate import Evaluation
from job.train.place import MISTAKES_NAME

_RUNTIMES: Final = {
    ONNX_NAME: "ONNX Runtime",
    DENSE_NAME: "`digit-job score`",
    TFLITE_NAME: "LiteRT (TensorFlow Lite), float32",
    INT8_NAME: "LiteRT (TensorFlow Lite), integers only",
}


def model_card(card: TrainedCard, test: Evaluation, mistakes: list[ClassifiedImage]) -> str:
    """The text of MODEL.md for the content of a `model.json`, and the results on the test split."""
    environment = jinja2.Environment(
        autoescape=False,  # noqa: S701  # not HTML; `literal` escapes names
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": lambda share: f"{100 * share:.2f} %",
        "count": lambda number: f"{number:,}",
        "literal": _literal,
    }
    template = environment.from_string(resources.files("job.train.card").joinpath("model_card.md.jinja").read_text())
    intervals = {name: wilson_interval(split["correct"], split["rows"]) for name, split in card["metrics"].items()}
    return template.render(
        card=card,
        robust=card.get("robustness"),
        test=test,
        intervals=intervals,
        mistakes=mistakes,
        pairs=confused_pairs(test.confusion_matrix),
        columns=COLUMNS,
        picture=MISTAKES_NAME,
        runtimes=_RUNTIMES,
        keras_name=KERAS_NAME,
        onnx_name=ONNX_NAME,
        tflite_name=TFLITE_NAME,
        int8_name=INT8_NAME,
    )


def _literal(text: str) -> str:
    """Text as Markdown that shows it as it is: the names of folders and files can hold links, HTML and line breaks."""
    return re.sub(r"([\\`*_{}\[\]<>#|!&~])", r"\\\1", visible(text))
