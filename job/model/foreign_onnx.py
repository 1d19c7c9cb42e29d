"""ONNX files from elsewhere converted to model folders; this needs no library that scoring does not have.

The file is kept as it is. How it is fed is found out here: the shape and type from the file, the range of its input and
the kind of its output on the reference digits. The result is an `OnnxAdapter` in the card.
"""

import logging
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

from job._version import __version__
from job.contract import CLASS_NAMES, CLASSES, PIXELS, SIDE
from job.errors import ModelInvalid
from job.model.bundle import ONNX_NAME, Golden, write_card
from job.model.input_range import InputRange, OutputKind, decide, evidence_of, output_kind, undecided, warn_if_poor
from job.model.onnx_adapter import DTYPES, SHAPES, OnnxAdapter
from job.model.onnx_predictor import OnnxPredictor, OnnxSession, OnnxValue
from job.model.trial import tried
from job.normalize.reference_digits import reference_digits
from job.storage import Storage, join

if TYPE_CHECKING:
    from job.documents.model_json import CardContent


_GOLDEN_ROWS: Final = 16
# How much the probabilities of an image may depend on the images around it.
_TOLERANCE: Final = 1e-4

_log = logging.getLogger(__name__)


def convert_onnx(
    storage: Storage, content: bytes, path: str, folder: str, *, input_range: InputRange | None = None
) -> None:
    """Write a model folder for an ONNX file's content; the same file always gives the same model digest.

    path: of the file, for errors. input_range: of its input; None: find out. Raises ModelInvalid if the file is no
    network of 784 -> 10, or if it stays unclear how it is fed.
    """
    found = tried(examine, content, path, check_stop=storage.check_stop, input_range=input_range)
    adapter = OnnxAdapter.from_json(found["adapter"])
    digits = reference_digits()
    predictor = OnnxPredictor(content, path, adapter, storage.check_stop)
    probabilities = predictor.predict(digits.pixels)
    _check_alone(predictor, probabilities, path)
    accuracy = float((probabilities.argmax(axis=1) == digits.labels).mean())
    _log.info(
        "%s: gets %s, and its outputs are %s; classifies %.1f %% of the reference digits correctly",
        path, adapter.input_range.formula, adapter.output, 100 * accuracy,
    )  # fmt: skip
    warn_if_poor(path, accuracy)
    storage.write(join(folder, ONNX_NAME), content)
    rows = np.linspace(0, len(digits.labels) - 1, _GOLDEN_ROWS).astype(int)
    card = {
        **_identity(path, found["parameters"]),
        "data": None,
        "metrics": {},
        "export": {},
        "adapter": adapter.to_json(),
    }
    write_card(storage, folder, cast("CardContent", card), Golden(digits.pixels[rows], probabilities[rows]))


def examine(content: bytes, path: str, *, input_range: str | None) -> dict[str, Any]:
    """How a network is fed and how many parameters it has, for `trial`. Raises ModelInvalid."""
    session = OnnxSession(content, path)
    adapter = _adapter(session, path, InputRange(input_range) if input_range else None)
    return {"adapter": adapter.to_json(), "parameters": session.parameters}


def _adapter(session: OnnxSession, path: str, input_range: InputRange | None) -> OnnxAdapter:
    """How the network is fed."""
    shape, dtype, rows = _layout(session, path)
    ranges = [input_range] if input_range else [InputRange.BYTES] if "int" in dtype else list(InputRange)
    digits = reference_digits()
    outputs = {}
    for each in ranges:
        adapter = OnnxAdapter(shape, dtype, each, rows, OutputKind.PROBABILITIES)
        outputs[each] = session.run_rows(digits.pixels, adapter).astype(np.float32)
    found = {name: evidence_of(each, digits.labels) for name, each in outputs.items()}
    chosen = ranges[0] if len(ranges) == 1 else decide(found)
    if chosen is None:
        raise undecided(path, found)
    if not np.isfinite(outputs[chosen]).all():
        raise ModelInvalid(f"{path}: its outputs for {chosen.formula} are not all numbers; train it again")
    return OnnxAdapter(shape, dtype, chosen, rows, output_kind(outputs[chosen]))


def _layout(session: OnnxSession, path: str) -> tuple[tuple[int, ...], str, int | None]:
    """The shape of an image, the type of its values, and the number of rows if it is fixed."""
    inputs, outputs = session.inputs, session.outputs
    found = f"has inputs {_described(inputs)} and outputs {_described(outputs)}"
    expected = f"expected one input of {PIXELS} or {SIDE}x{SIDE} values for an image, and one output of {CLASSES}"
    if len(inputs) != 1 or len(outputs) != 1 or inputs[0].type not in DTYPES or not inputs[0].shape:
        raise ModelInvalid(f"{path}: {found}; {expected}")
    rows, *rest = inputs[0].shape
    shapes = [shape for shape in SHAPES if len(shape) == len(rest) and _fits(rest, shape)]
    # A dimension without a size may be a channel or a side.
    if len(shapes) > 1 and all(not isinstance(each, int) for each in rest):
        shapes = shapes[:1]
    classes = outputs[0].shape[1:]
    if len(shapes) != 1 or len(classes) != 1 or not _fits(classes, (CLASSES,)):
        raise ModelInvalid(f"{path}: {found}; {expected}")
    return shapes[0], DTYPES[inputs[0].type], rows if isinstance(rows, int) else None


def _fits(found: Sequence[int | str | None], shape: tuple[int, ...]) -> bool:
    return all(not isinstance(one, int) or one == other for one, other in zip(found, shape, strict=True))


def _described(values: tuple[OnnxValue, ...]) -> str:
    """Inputs or outputs, for errors."""
    return ", ".join(f"{each.name!r:.50} {each.type} {list(each.shape)}" for each in values) or "none"


def _check_alone(predictor: OnnxPredictor, probabilities: Any, path: str) -> None:
    """Raise ModelInvalid where an image's probabilities depend on the images around it."""
    digits = reference_digits()
    for row in range(0, len(digits.labels), len(digits.labels) // 10):
        alone = predictor.predict(digits.pixels[row : row + 1])
        if np.abs(alone - probabilities[row : row + 1]).max() > _TOLERANCE:
            raise ModelInvalid(
                f"{path}: its probabilities for an image depend on the other images of a batch; export it for "
                "inference (in PyTorch after model.eval()), with a dynamic batch size"
            )


def _identity(path: str, parameters: int) -> dict[str, Any]:
    return {
        "name": PurePosixPath(path).stem,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "recipe": "converted",
        "architecture": "ONNX",
        "parameters": parameters,
        "input": {"dtype": "uint8", "shape": [PIXELS], "range": [0, 255], "background": 0},
        "classes": list(CLASS_NAMES),
        "versions": {
            "python": platform.python_version(),
            "digit-job": __version__,
            **{name: version(name) for name in ("numpy", "onnxruntime")},
        },
    }
