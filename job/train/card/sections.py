"""The sections of a model's card, model.json: origin of the network, its data, its results, its exports.

`model_folder` and `foreign_model` put them together; `job.model.bundle` writes and reads the card.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

import numpy as np
import numpy.typing as npt

from job.contract import CLASS_NAMES, CLASSES, PIXELS, Labels, PixelBatch, Probabilities
from job.documents.model_json import (
    AddedData,
    CardIdentity,
    ExportFigures,
    ExportSignature,
    HeldOutSection,
    TrainingData,
)
from job.normalize.geometry import share_in_form
from job.redaction import redacted, redacted_values
from job.report.drift import Distribution
from job.report.held_out import HeldOut
from job.report.tally import Tally
from job.score.part import scored_batch
from job.settings import ReadSettings
from job.train.backend import versions
from job.train.data.added_images import AddedImages
from job.train.data.dataset import Dataset
from job.train.data.split import Split
from job.train.judge.parity import Agreement

GOLDEN_ROWS: Final = 16


def identity(name: str, recipe: str, architecture: str, parameters: int) -> CardIdentity:
    """The sections that every card has: name, origin, network, input, classes and versions."""
    return {
        "name": name,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "recipe": recipe,
        "architecture": architecture,
        "parameters": parameters,
        "input": {"dtype": "uint8", "shape": [PIXELS], "range": [0, 255], "background": 0},
        "classes": list(CLASS_NAMES),
        "versions": versions(),
    }


def provenance(dataset: Dataset, read: ReadSettings, *, seed: int) -> TrainingData:
    """The section `data`, from which `data.dataset.read_again` restores the same splits."""
    return {
        "source": redacted(dataset.source),
        "sources": [redacted(each) for each in dataset.sources],
        "test_sources": [redacted(each) for each in dataset.test_sources],
        "name": dataset.name,
        "origin": redacted_values(dataset.origin),
        "fingerprint": dataset.fingerprint,
        "train_rows": len(dataset.train),
        "validation_rows": len(dataset.validation),
        "test_rows": len(dataset.test),
        "warning": dataset.warning,
        "label_column": read.label_column,
        "label_map": dict(read.label_map.digits) if read.label_map else None,
        "scale": read.scale,
        "is_transposed": read.is_transposed,
        "is_inverted": read.is_inverted,
        "normalize": read.normalize,
        "seed": seed,
        "test_share": dataset.test_share,
        "validation_share": dataset.validation_share,
        "train_class_counts": dataset.train.class_counts,
        "added": added_section(dataset.added) if dataset.added else None,
        "in_form": share_in_form(dataset.train.pixels),
        # Scoring compares its inputs with it, to detect drift.
        "distribution": Distribution.of_labelled(dataset.train.pixels, dataset.train.labels).to_json(),
    }


def added_section(added: AddedImages) -> AddedData:
    """The part of `data` about images of --add."""
    return {
        "weight": added.weight,
        "images": added.count,
        "left_out": added.left_out,
        "relabelled": added.relabelled,
        "identity": added.identity,
        "sources": [
            {
                "source": redacted(each.source),
                "images": len(each.images),
                "unlabelled": each.unlabelled,
                "fingerprint": each.fingerprint,
            }
            for each in added.sources
        ],
    }


def export_section(
    agreement: Agreement, signatures: Mapping[str, ExportSignature], labels: Labels
) -> dict[str, ExportFigures]:
    """The section `export`: how each export compares to the network, and its input and output.

    agreement: on the test split, whose digits are int8 (n,) `labels`. signatures: by file name.
    """
    correct = {name: int((each.argmax(axis=1) == labels).sum()) for name, each in agreement.exports.items()}
    return {
        name: {
            "rows": parity.rows,
            "same_digits": parity.same_digits,
            "max_difference": parity.max_difference,
            "correct": correct[name],
            "input": signatures[name]["input"],
            "output": signatures[name]["output"],
        }
        for name, parity in agreement.parity.items()
    }


def held_out_section(probabilities: Probabilities, images: Split) -> HeldOutSection:
    """The section `held_out`: the confidences of the validation split, as a scoring run rounds and counts them.

    probabilities: the scorer's, float32 (n, 10), on these images.
    """
    counted = HeldOut.of(Tally.of(scored_batch(PixelBatch(images.pixels, images.labels), probabilities)))
    return {"split": "validation", "rows": counted.rows, "is_by_writer": False, **counted.to_json()}


def golden_rows(labels: Labels) -> npt.NDArray[np.intp]:
    """The rows of the card's golden images: the first of each digit, then the first others, 16 in all."""
    firsts = [int(np.argmax(labels == digit)) for digit in range(CLASSES) if (labels == digit).any()]
    others = [row for row in range(min(len(labels), 2 * GOLDEN_ROWS)) if row not in firsts]
    return np.array(sorted(firsts + others[: GOLDEN_ROWS - len(firsts)]), np.intp)
