"""Reports and model cards without a run or a network: real digits with invented probabilities."""

import base64

import numpy as np
from sklearn.datasets import load_digits

from job.contract import ScoredBatch
from job.report.metrics import figures
from job.report.tally import Tally
from job.train.judge.corruptions.catalog import CORRUPTIONS

MODEL = {
    "digest": "5e" * 32, "name": "dense-accurate", "recipe": "accurate", "architecture": "784-128-128-128-10",
    "data": "mnist", "warning": None, "test_accuracy": 0.9953,
}  # fmt: skip
# The keys that reports of earlier versions do not have.
LATER = (
    "examples", "reject_examples", "drift", "run", "accuracy_withheld", "first_bad_label", "normalization", "promise",
    "risk_coverage",
)  # fmt: skip


def make_report(*, rows=1000, has_labels=True, seed=0, shift=0.0, files=3, **more):
    """A report over some of scikit-learn's digits. shift: how far the input drifted, 0 to 1."""
    random = np.random.default_rng(seed)
    digits = load_digits()
    chosen = random.integers(0, len(digits.target), rows)
    labels, pixels = digits.target[chosen], grown(digits.images[chosen])
    shares = np.exp(random.normal(0, 1.9, (rows, 10)) + 7.5 * np.eye(10)[labels])
    probabilities = np.round(shares / shares.sum(axis=1, keepdims=True), 6).astype(np.float32)
    predictions, confidences = probabilities.argmax(axis=1).astype(np.int8), probabilities.max(axis=1)
    batch = ScoredBatch(predictions, probabilities, labels.astype(np.int8) if has_labels else None, (), None)
    tally = Tally.of(batch)
    found = figures(tally)
    size = -(-rows // files)
    paths = [f"in/{2024 + index}/scans.csv" for index in range(files)]

    def example(row):
        return {
            "path": paths[row // size], "row": int(row % size), "label": int(labels[row]) if has_labels else None,
            "prediction": int(predictions[row]), "confidence": float(confidences[row]),
            "pixels": base64.b64encode(pixels[row].tobytes()).decode(),
        }  # fmt: skip

    wrong = np.flatnonzero(predictions != labels) if has_labels else np.zeros(0, int)
    surest = wrong[np.argsort(-confidences[wrong], kind="stable")]
    inputs = []
    for index, path in enumerate(paths):
        part = slice(index * size, (index + 1) * size)
        right = float((predictions[part] == labels[part]).mean()) if has_labels and len(labels[part]) else None
        inputs.append({"path": path, "rows": len(labels[part]), "rejected": 0, "accuracy": right})
    return {
        **found,
        "accuracy_withheld": None,
        "estimated_accuracy": 0.961,
        "estimated_accuracy_range": [0.933, 0.984],
        "estimated_accuracy_withheld": None,
        "first_bad_label": None,
        "inputs": inputs,
        "warnings": [],
        "model": MODEL,
        "examples": {
            "by_prediction": [
                {
                    "prediction": digit,
                    "examples": [example(row) for row in np.flatnonzero(predictions == digit)[:4]],
                }
                for digit in np.unique(predictions).tolist()
            ],
            "sure_mistakes": [example(row) for row in surest[:40]],
            "unsure": [example(row) for row in np.argsort(confidences, kind="stable")[:40]],
            "confused_pairs": _pairs(tally.confusion, labels, predictions, surest, example) if has_labels else [],
        },
        "reject_examples": [],
        "promise": None,
        "normalization": {"choice": "auto", "inputs": []},
        "drift": _drift(tally, pixels, inputs, shift),
        "run": {
            "settings": {"input": ["in"], "output": "results", "model": "build/model", "threads": 2,
                         "max-rejects": "1%", "keep": [], "probabilities": False},
            "command": "digit-job score --input in --output results --model build/model",
            "fingerprint": "0f" * 32,
            "versions": {"digit-job": "0.1.0", "python": "3.11.2", "numpy": "2.3.5", "pyarrow": "23.0.0"},
        },
        **more,
    }  # fmt: skip


def make_promise(*, is_withdrawn=False, **more):
    """The section `promise` of a report of a thousand labelled rows."""
    kept = "Of the rows accepted, those with a confidence of 0.812345 or more, at most 1 % are wrong."
    withdrawn = "The promise of at most 1 % errors among accepted rows is withdrawn: the input is unlike the others."
    return {
        "max_error": 0.01, "certainty": 0.95, "threshold": 0.812345, "is_withdrawn": is_withdrawn,
        "reasons": ["the input is unlike the others"] * is_withdrawn, "text": withdrawn if is_withdrawn else kept,
        "accepted": 930, "review": 70, "coverage": 0.93, "labelled": 930, "wrong": 4, "error": 4 / 930,
        "error_95": [0.0017, 0.011],
        "calibration": {
            "source": "the 6,000 validation images of the model's card", "rows": 6000, "groups": None,
            "design_effect": 1.0, "accepted": 5600, "wrong": 30, "bound": 0.0081,
        },
        "drift": {"confidence": 0.01, "predicted": 0.01, "ink": 0.02, "intensity": 0.001},
        **more,
    }  # fmt: skip


def earlier(report):
    """The same report as an earlier version wrote it."""
    return {name: value for name, value in report.items() if name not in LATER}


def make_card(probabilities, labels):
    """The card of a trained network, without golden rows, given its probabilities for the test images."""
    predictions = probabilities.argmax(axis=1)
    correct = int((predictions == labels).sum())
    metrics = {"accuracy": correct / len(labels), "correct": correct, "rows": len(labels), "loss": 0.1}
    history = [
        {"epoch": epoch, "loss": 2 / epoch, "accuracy": 1 - 0.5 / epoch, "validation_loss": 1.5 / epoch**0.8,
         "validation_accuracy": 1 - 0.4 / epoch, "seconds": 1.5}
        for epoch in range(1, 41)
    ]  # fmt: skip
    export = {
        "rows": len(labels), "same_digits": len(labels), "max_difference": 1.07e-6, "correct": correct,
        "output": {"dtype": "float32", "shape": [10]},
    }  # fmt: skip
    return {
        "name": "dense-accurate", "created": "2026-11-25T22:53:33+00:00", "recipe": "accurate", "parameters": 134794,
        "architecture": "784-128-128-128-10", "classes": [str(digit) for digit in range(10)],
        "versions": {"python": "3.11.7", "tensorflow": "2.21.0", "digit-job": "0.1.0", "numpy": "2.4.6"},
        "data": {
            "source": "in/train set.csv", "sources": ["in/train set.csv"], "test_sources": [], "test_share": 0.2,
            "name": "train set.csv", "fingerprint": "32" * 32, "train_rows": 1293,
            "validation_rows": 144, "test_rows": len(labels), "warning": None, "label_column": "digit", "scale": "1",
            "is_transposed": True, "is_inverted": True, "seed": 1, "validation_share": 0.1,
            "train_class_counts": [128] * 9 + [141],
        },
        "training": {
            "name": "accurate", "epochs": 40, "batch_size": 128, "learning_rate": 0.002, "is_annealed": True,
            "optimizer": "adamw", "weight_decay": 0.1, "deformations": {"degrees": 10}, "epoch_images": 0,
            "arch": "dense", "hidden": [128, 128, 128], "activation": "relu", "dropout": 0.0, "early_stopping": 5,
            "class_weights": "none", "kept_epoch": 35,
        },
        "metrics": {"validation": {**metrics, "rows": 144, "correct": 140}, "test": metrics},
        "history": history,
        "export": {"model.onnx": export, "model.npz": export, "model.tflite": export},
        "calibration": {"temperature": 0.7, "validation_before": 0.03, "validation_after": 0.02,
                        "test_before": 0.031, "test_after": 0.022},
        "gate": {"verdict": "blessed", "shortfalls": [], "min_accuracy": 0.9, "compared_to": None},
        "robustness": _robustness(min(len(labels), 2000)),
    }  # fmt: skip


def _robustness(rows):
    """Of a network that finds some corruptions easy and others hard."""

    def judged(accuracy):
        is_changed = accuracy < 0.5
        return {
            "accuracy": accuracy, "correct": round(accuracy * rows), "rows": rows, "confidence": 0.5 + accuracy / 2,
            "form": "brought to MNIST's form" if is_changed else "as stored",
            "scored_accuracy": 0.9 if is_changed else accuracy, "scored_confidence": 0.95,
        }  # fmt: skip

    accuracies = {name: 0.99 - 0.06 * place for place, name in enumerate(CORRUPTIONS)}
    quantiles = {"0": 0.75, "0.05": 0.875, "0.25": 0.98, "0.5": 1.0, "0.75": 1.0}
    worst = [{"group": str(2000 + place), "accuracy": 0.75, "correct": 15, "rows": 20} for place in range(10)]
    return {
        "seed": 1, "clean": judged(0.98), "corruptions": {name: judged(each) for name, each in accuracies.items()},
        "mean_error": 0.43, "scored_mean_error": 0.21, "relative_error": 21.5, "optdigits": judged(0.94),
        "groups": {"name": "writer", "groups": 523, "rows": 10_000, "below_95": 37,
                   "below_95_by_chance": 21.4, "quantiles": quantiles, "worst": worst},
        "notes": ["2,000 of 10,000 test images were corrupted, drawn at random"],
    }  # fmt: skip


def grown(images):
    """8x8 images of 0 to 16 as uint8 (n, 784): in the middle of 28x28, smooth."""
    large = np.zeros((len(images), 28, 28))
    places = np.clip((np.arange(24) + 0.5) / 3 - 0.5, 0, 7)
    low = np.minimum(places.astype(int), 6)
    part = places - low
    rows = images[:, low] * (1 - part)[:, None] + images[:, low + 1] * part[:, None]
    large[:, 2:26, 2:26] = rows[:, :, low] * (1 - part) + rows[:, :, low + 1] * part
    return (large * 255 / 16).astype(np.uint8).reshape(-1, 784)


def _pairs(confusion, labels, predictions, surest, example):
    off = [(-confusion[a, b], a, b) for a in range(10) for b in range(10) if a != b and confusion[a, b]]
    return [
        {"label": a, "prediction": b, "count": int(-count), "examples": [
            example(row) for row in surest if (labels[row], predictions[row]) == (a, b)][:4]}
        for count, a, b in sorted(off)[:5]
    ]  # fmt: skip


def _psi(shares, expected):
    shares, expected = (np.maximum(each, 1e-4) for each in (shares, expected))
    return float(((shares - expected) * np.log(shares / expected)).sum())


def _drift(tally, pixels, inputs, shift):
    bands, ink = np.array([0, 1, 64, 128, 192]), np.arange(0, 100, 10)
    shares = {
        "intensity": (bands, np.histogram(pixels, [*bands, 256])[0]),
        "ink": (ink, np.histogram(pixels.mean(axis=1), [*ink, 256])[0]),
        "predicted": (np.arange(10), tally.predicted),
    }
    drift = {}
    for name, (edges, counts) in shares.items():
        found = counts / max(1, counts.sum())
        expected = (1 - shift) * found + shift * np.roll(found, 2)
        psi = _psi(found, expected) + 0.01
        drift[name] = {"edges": edges.tolist(), "training": expected.tolist(), "input": found.tolist(), "psi": psi}
    sizes = [1 + index * shift for index in range(len(inputs))]
    return {**drift, "inputs": [
        {"path": each["path"], **{name: (drift[name]["psi"] * size if each["rows"] else None) for name in shares}}
        for each, size in zip(inputs, sizes, strict=True)
    ]}  # fmt: skip
