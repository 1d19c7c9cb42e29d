"""What a network from elsewhere expects its pixels to be, found by evidence on `reference_digits`.

Training code usually rescales pixels outside of the network, and the file does not say how. Fed with pixels in its own
range, a network classifies digits, and is about as sure as it is right. In a wider range it is sure of everything, in a
narrower one of nothing, or it classifies at random. Where that does not decide, `--model-scale` does.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from job.contract import CLASSES, Labels, Pixels
from job.errors import ModelInvalid, UsageError
from job.flag_names import Flag

_Floats = npt.NDArray[np.float32]


class InputRange(StrEnum):
    """The range of a network's inputs, as `--model-scale` names it."""

    BYTES = "255"
    UNIT = "1"
    SYMMETRIC = "-1..1"
    STANDARD = "standard"

    @property
    def formula(self) -> str:
        """How the inputs are computed from pixels of 0-255, for people."""
        return _FORMULAS[self]

    @property
    def step(self) -> tuple[float, float]:
        """The inputs are pixel * factor + offset."""
        return _STEPS[self]

    def apply(self, pixels: Pixels) -> _Floats:
        """Uint8 of any shape -> float32 of that shape."""
        factor, offset = self.step
        values: _Floats = pixels * np.float32(factor) + np.float32(offset)
        return values


_FORMULAS: Final = {
    InputRange.BYTES: "pixels of 0-255",
    InputRange.UNIT: "pixels / 255",
    InputRange.SYMMETRIC: "pixels / 127.5 - 1",
    InputRange.STANDARD: "(pixels / 255 - 0.1307) / 0.3081",
}
# 0.1307 and 0.3081 are the mean and the deviation of MNIST's training images; PyTorch's MNIST example has them.
_STEPS: Final = {
    InputRange.BYTES: (1.0, 0.0),
    InputRange.UNIT: (1 / 255, 0.0),
    InputRange.SYMMETRIC: (1 / 127.5, -1.0),
    InputRange.STANDARD: (1 / 255 / 0.3081, -0.1307 / 0.3081),
}
# Chosen with 80 networks, trained for one to fifteen epochs on 6,000 to 60,000 of MNIST's images: in its own range, a
# network classifies 65 to 97 % of the reference digits right, its best temperature (Guo and others 2017) is 0.6 to 3,
# and for bytes up to 10, because those networks are too sure; fed with bytes, others have 60 to 240. On 48 networks of
# other kinds, which were trained only after the limits were fixed, the range of 35 was found and that of none mistaken;
# 13 were refused, most of them dense ones for -1 to 1. That bounds the share of mistakes at 8 % (95 % confidence).
_MIN_ACCURACY: Final = 0.5
# Of a network that classifies little in one range, and by chance in the others.
_MIN_POOR_ACCURACY: Final = 0.35
_MIN_POOR_RATIO: Final = 2
_MIN_TEMPERATURE: Final = 0.55
_MAX_TEMPERATURE: Final = 12.0
# Of a network that is too sure after many epochs, but right; a poor one may as well be fed a 255th of what it expects.
_MAX_TEMPERATURE_OF_POOR: Final = 1.8
_MAX_LOSS_OF_SURE: Final = 0.9
_MAX_TEMPERATURE_OF_BYTES: Final = 40.0
_MIN_RATIO: Final = 1.4
# In its own range, a network classifies about as many digits right as in any other.
_MIN_OF_BEST: Final = 0.9
# Fed with -1 to 1, networks for standardized pixels classify at most 0.65 times as many digits right.
_MAX_OF_STANDARD: Final = 0.75
# Of the labels, when the temperature is sought.
_NOISE: Final = 0.02
# Of a network that does hardly better than guessing.
_MAX_LOSS: Final = 0.95 * float(np.log(CLASSES))
_TEMPERATURES: Final = np.exp(np.linspace(np.log(1e-3), np.log(1e4), 100))
# In log-probabilities of float32; below, softmax gives 0.
_SMALLEST: Final = np.float32(1e-38)
_MAX_ZEROS: Final = 0.3
_SUM_TOLERANCE: Final = 1e-3


_log = logging.getLogger(__name__)


class OutputKind(StrEnum):
    """What ten outputs of a network are."""

    PROBABILITIES = "probabilities"
    LOGITS = "logits"
    SIGMOIDS = "sigmoids"


def output_kind(outputs: _Floats) -> OutputKind:
    """What the outputs (n, 10) for digits are. Logarithms of probabilities count as logits: softmax restores both."""
    if outputs.min() < 0 or outputs.max() > 1 + _SUM_TOLERANCE:
        return OutputKind.LOGITS
    is_distribution = np.abs(outputs.sum(axis=1) - 1).max() <= _SUM_TOLERANCE
    return OutputKind.PROBABILITIES if is_distribution else OutputKind.SIGMOIDS


def probabilities_of(outputs: _Floats, kind: OutputKind) -> _Floats:
    """Outputs (n, 10) as probabilities, float32 (n, 10)."""
    if kind is OutputKind.PROBABILITIES:
        return outputs.astype(np.float32)
    shares = outputs if kind is OutputKind.SIGMOIDS else np.exp(outputs - outputs.max(axis=1, keepdims=True))
    probabilities: _Floats = (shares / np.maximum(shares.sum(axis=1, keepdims=True), _SMALLEST)).astype(np.float32)
    return probabilities


@dataclass(frozen=True)
class Evidence:
    """How a network does on the reference digits in one range.

    accuracy: 0-1. temperature: the divisor of its logits that makes it as sure as it is right. loss: cross-entropy.
    """

    accuracy: float
    temperature: float
    loss: float

    def is_plausible(self, input_range: InputRange) -> bool:
        """Whether this may be the range that the network was trained in."""
        if self.accuracy < _MIN_ACCURACY or self.temperature < _MIN_TEMPERATURE:
            return False
        if input_range is InputRange.BYTES:
            return self.temperature <= _MAX_TEMPERATURE_OF_BYTES
        is_good = self.loss <= _MAX_LOSS_OF_SURE
        return self.temperature <= (_MAX_TEMPERATURE if is_good else _MAX_TEMPERATURE_OF_POOR) and self.loss < _MAX_LOSS


def evidence_of(outputs: _Floats, labels: Labels) -> Evidence:
    """Weigh a network's outputs, (n, 10), for digits with int8 (n,) labels."""
    if not np.isfinite(outputs).all():
        return Evidence(0, np.inf, np.inf)
    accuracy = float((outputs.argmax(axis=1) == labels).mean())
    logits = _logits(outputs)
    if logits is None:
        return Evidence(accuracy, np.inf, np.inf)
    # Without any mistake, no network could be too sure.
    losses = [_loss(logits, labels, temperature, noise=_NOISE) for temperature in _TEMPERATURES]
    return Evidence(accuracy, float(_TEMPERATURES[np.argmin(losses)]), _loss(logits, labels, 1, noise=0))


def _logits(outputs: _Floats) -> _Floats | None:
    """The logits behind outputs (n, 10); None if they are saturated, as logits of hundreds make them."""
    kind = output_kind(outputs)
    if kind is OutputKind.LOGITS:
        return outputs
    smallest = _SMALLEST if kind is OutputKind.PROBABILITIES else np.finfo(np.float32).eps
    if (outputs <= smallest).mean() > _MAX_ZEROS:
        return None
    odds = 1 if kind is OutputKind.PROBABILITIES else np.maximum(1 - outputs, smallest)
    logits: _Floats = np.log(np.maximum(outputs, smallest) / odds)
    return logits


def decide(found: Mapping[InputRange, Evidence]) -> InputRange | None:
    """The range that the evidence speaks for; None if it is thin, or speaks for several."""
    plausible = sorted((each.loss, name) for name, each in found.items() if each.is_plausible(name))
    if not plausible:
        return _clearly_best(found)
    (loss, name), *others = plausible
    is_only = all(other >= _MIN_RATIO * loss for other, _ in others)
    best = max(each.accuracy for each in found.values())
    is_in_doubt = found[name].accuracy < _MIN_OF_BEST * best or _may_be_symmetric(name, found)
    return name if is_only and not is_in_doubt else None


def _may_be_symmetric(name: InputRange, found: Mapping[InputRange, Evidence]) -> bool:
    """Whether a network that seems to expect standardized pixels may expect -1 to 1, from which these differ little."""
    symmetric = found.get(InputRange.SYMMETRIC)
    if name is not InputRange.STANDARD or symmetric is None:
        return False
    return symmetric.accuracy >= _MAX_OF_STANDARD * found[name].accuracy


def _clearly_best(found: Mapping[InputRange, Evidence]) -> InputRange | None:
    """The only range in which a poor network classifies anything right."""
    accuracy, name = max((each.accuracy, name) for name, each in found.items())
    others = max(each.accuracy for other, each in found.items() if other is not name)
    is_clear = accuracy >= _MIN_POOR_ACCURACY and accuracy >= _MIN_POOR_RATIO * others
    return name if is_clear and found[name].temperature >= _MIN_TEMPERATURE else None


def named_range(model_scale: str) -> InputRange | None:
    """The range that a setting names; None for `auto`."""
    return None if model_scale == "auto" else InputRange(model_scale)


def check_no_scale(location: str, model_scale: str) -> None:
    """Raise UsageError where a range is given for a model folder, whose network takes bytes or whose card says it."""
    if model_scale != "auto":
        raise UsageError(f"{Flag.MODEL_SCALE} {model_scale}: {location} is a model folder, which needs none")


def warn_if_poor(path: str, accuracy: float) -> None:
    """Log a warning where a network classifies few of the reference digits correctly, accuracy in 0-1."""
    if accuracy < _MIN_POOR_ACCURACY:
        _log.warning(
            "%s: classifies only %.0f %% of the reference digits correctly; is it trained on digits that are upright, "
            "light on dark, and in the range that %s names?",
            path, 100 * accuracy, Flag.MODEL_SCALE,
        )  # fmt: skip


def undecided(path: str, found: Mapping[InputRange, Evidence]) -> ModelInvalid:
    """The error for a network whose range is not clear."""
    shares = ", ".join(f"{100 * each.accuracy:.0f} % from {name.formula}" for name, each in found.items())
    names = ", ".join(InputRange)
    is_lost = max(each.accuracy for each in found.values()) < _MIN_POOR_ACCURACY
    doubt = ", if it was trained on digits that are upright and light on dark" if is_lost else ""
    return ModelInvalid(
        f"{path}: does not say which range it expects its pixels in, and the reference digits do not decide it "
        f"(classified correctly: {shares}); say what it was trained on with {Flag.MODEL_SCALE}: {names}{doubt}"
    )


def _loss(logits: _Floats, labels: Labels, temperature: float, *, noise: float) -> float:
    """The cross-entropy of softmax(logits / temperature). noise: the share of labels to take for any digit's."""
    scaled = logits.astype(np.float64) / temperature
    scaled -= scaled.max(axis=1, keepdims=True)
    expected = (1 - noise) * scaled[np.arange(len(labels)), labels] + noise * scaled.mean(axis=1)
    return float((np.log(np.exp(scaled).sum(axis=1)) - expected).mean())
