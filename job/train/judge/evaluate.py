"""Accuracy, loss and confusion matrix of a network's probabilities, from whichever runtime they come."""

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from job.contract import CLASS_NAMES, CLASSES, Labels, Probabilities
from job.documents.model_json import SplitMetrics

_ALL_CLASSES: Final = range(CLASSES)


@dataclass(frozen=True)
class Evaluation:
    """How well a network classifies labelled images.

    accuracy: in 0-1. correct, rows: numbers of images. loss: mean cross-entropy in nats. confusion_matrix: 10 x 10,
    true x predicted. per_class: digit -> precision, recall, f1 (0 where undefined) and support. text: the confusion
    matrix and scikit-learn's classification report, for the terminal.
    """

    accuracy: float
    correct: int
    rows: int
    loss: float
    confusion_matrix: list[list[int]] = field(repr=False)
    per_class: dict[str, dict[str, float]] = field(repr=False)
    text: str = field(repr=False)

    @property
    def figures(self) -> SplitMetrics:
        """The four headline figures, for the model's card."""
        return {"accuracy": self.accuracy, "correct": self.correct, "rows": self.rows, "loss": self.loss}


def evaluate(probabilities: Probabilities, labels: Labels) -> Evaluation:
    """Evaluate float32 (n, 10) probabilities against int8 (n,) digits, n > 0."""
    from sklearn import metrics

    predictions = probabilities.argmax(axis=1)
    confusion = metrics.confusion_matrix(labels, predictions, labels=_ALL_CLASSES)
    report: dict[str, Any] = {"labels": _ALL_CLASSES, "target_names": CLASS_NAMES, "zero_division": 0.0}
    per_class = metrics.classification_report(labels, predictions, output_dict=True, **report)
    table = metrics.classification_report(labels, predictions, digits=4, **report)
    correct = int(np.trace(confusion))
    # scikit-learn wants rows that sum to exactly 1; those of a float32 softmax do so only nearly.
    exact = probabilities.astype(np.float64)
    exact /= exact.sum(axis=1, keepdims=True)
    return Evaluation(
        accuracy=correct / len(labels),
        correct=correct,
        rows=len(labels),
        loss=float(metrics.log_loss(labels, exact, labels=_ALL_CLASSES)),
        confusion_matrix=confusion.tolist(),
        per_class={name: _class_figures(per_class[name]) for name in CLASS_NAMES},
        text=f"{_confusion_table(confusion.tolist())}\n\n{table.rstrip()}",
    )


def _class_figures(report: dict[str, float]) -> dict[str, float]:
    return {
        "precision": float(report["precision"]),
        "recall": float(report["recall"]),
        "f1": float(report["f1-score"]),
        "support": int(report["support"]),
    }


def _confusion_table(confusion: list[list[int]]) -> str:
    """The confusion matrix as text, with a dot for 0 so that mistakes stand out."""
    width = max(len(str(count)) for row in confusion for count in row) + 2
    lines = ["confusion matrix (rows: true digit, columns: predicted digit)"]
    lines.append("    " + "".join(name.rjust(width) for name in CLASS_NAMES))
    for name, row in zip(CLASS_NAMES, confusion, strict=True):
        lines.append(f"{name:>4}" + "".join((str(count) if count else ".").rjust(width) for count in row))
    return "\n".join(lines)
