"""A trial of a search: its settings and results, ranked as GridSearchCV ranks, and all trials as a table.

`search` makes trials, `search_record` keeps them.
"""

import csv
import io
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, TypedDict

from job.documents.allowed import Between, Count
from job.train.tune.space_syntax import choice_text

# Decimals of a mean accuracy: equal accuracies stay equal, in whatever order the folds are added.
_DECIMALS: Final = 10

Setting = str | bool | int | float | list[int]


class FoldResult(TypedDict):
    """The result of one training.

    right: how many of the `images` that rate it are classified correctly; None where training diverged.
    """

    right: Count | None
    images: Annotated[int, Between(1, 1 << 53)]
    seconds: float


@dataclass(frozen=True)
class Trial:
    """Settings that were tried, and their results; all fields are JSON values.

    number: from 1; 0 is the unchanged recipe. settings: by flag of `train`. parameters: of the network. folds: the
    trainings so far. proposed: how the oracle calls the settings.
    """

    number: int
    settings: dict[str, Setting]
    parameters: int
    folds: list[FoldResult]
    proposed: dict[str, Setting] = field(default_factory=dict)

    @property
    def accuracies(self) -> list[float]:
        """The accuracy of each training that did not diverge, in 0-1."""
        return [each["right"] / each["images"] for each in self.folds if each["right"] is not None]

    @property
    def has_diverged(self) -> bool:
        """Whether the loss of a training became infinite or NaN; the folds after it are not trained."""
        return any(each["right"] is None for each in self.folds)

    @property
    def accuracy(self) -> float | None:
        """The mean accuracy of the folds, in 0-1; None where training diverged."""
        return None if self.has_diverged else round(statistics.fmean(self.accuracies), _DECIMALS)

    @property
    def deviation(self) -> float | None:
        """The standard deviation of the folds' accuracies (of these, not an estimate for others); None for one fold."""
        is_one = self.has_diverged or len(self.folds) == 1
        return None if is_one else round(statistics.pstdev(self.accuracies), _DECIMALS)

    @property
    def right(self) -> int | None:
        """The number of images classified correctly, over all folds; None where training diverged."""
        return None if self.has_diverged else sum(each["right"] or 0 for each in self.folds)

    @property
    def images(self) -> int:
        """The number of images that rate it, over all folds."""
        return sum(each["images"] for each in self.folds)

    @property
    def seconds(self) -> float:
        """How long its trainings took."""
        return round(sum(each["seconds"] for each in self.folds), 1)

    @property
    def epochs(self) -> int:
        """The length of its trainings."""
        return int(str(self.settings["epochs"]))

    @property
    def name(self) -> str:
        """`default`, or its number."""
        return str(self.number) if self.number else "default"

    @property
    def result(self) -> str:
        """`97.53 %`, with folds `97.53 % (sd 0.21 %)`, or `diverged`."""
        if self.accuracy is None:
            return "diverged"
        spread = "" if self.deviation is None else f" (sd {100 * self.deviation:.2f} %)"
        return f"{100 * self.accuracy:.2f} %{spread}"

    @property
    def setting_texts(self) -> dict[str, str]:
        """Its settings as tables show them."""
        return {name: choice_text(value) for name, value in self.settings.items()}


def ranked(trials: Sequence[Trial]) -> list[Trial]:
    """The trials from the best; ties by fewer parameters, then by number. Those that diverged come last."""
    return sorted(trials, key=lambda each: (-_score(each), each.parameters, each.number))


def ranks(trials: Sequence[Trial]) -> dict[int, int]:
    """By number of a trial: its rank from 1; trials of the same accuracy share the lowest."""
    scores = sorted(map(_score, trials), reverse=True)
    return {each.number: scores.index(_score(each)) + 1 for each in trials}


def _score(trial: Trial) -> float:
    return -1.0 if trial.accuracy is None else trial.accuracy


def as_csv(trials: Sequence[Trial]) -> bytes:
    """A header, and a line for each trial from the best, also with each fold's accuracy; dashes join widths."""
    folds = max(len(each.folds) for each in trials)
    rank_of = ranks(trials)
    file = io.StringIO()
    lines = csv.writer(file, lineterminator="\n")
    fold_names = [f"accuracy_{number}" for number in range(1, folds + 1)] if folds > 1 else []
    names = [name.replace("-", "_") for name in trials[0].settings]
    lines.writerow(
        ["rank", "trial", "accuracy", "accuracy_sd", *fold_names, "right", "images", *names, "parameters", "seconds"]
    )
    for each in ranked(trials):
        accuracies = [*each.accuracies, *[""] * folds][: len(fold_names)]
        cells: list[Any] = [rank_of[each.number], each.number, each.accuracy, each.deviation, *accuracies]
        cells += [each.right, each.images, *each.setting_texts.values(), each.parameters, each.seconds]
        lines.writerow("" if cell is None else cell for cell in cells)
    return file.getvalue().encode()


def as_text(trials: Sequence[Trial]) -> str:
    """The same as an aligned table, without the single folds."""
    rank_of = ranks(trials)
    has_folds = any(each.deviation is not None for each in trials)
    rows = [["rank", "trial", "accuracy", "sd", *(name.replace("-", " ") for name in trials[0].settings)]]
    rows[0] += ["parameters", "seconds"]
    for each in ranked(trials):
        accuracy = "diverged" if each.accuracy is None else f"{100 * each.accuracy:.2f} %"
        deviation = "" if each.deviation is None else f"{100 * each.deviation:.2f} %"
        rows.append([str(rank_of[each.number]), each.name, accuracy, deviation, *each.setting_texts.values()])
        rows[-1] += [f"{each.parameters:,}", f"{each.seconds:.1f}"]
    columns = [list(column) for column in zip(*rows, strict=True) if has_folds or column[0] != "sd"]
    widths = [max(map(len, column)) for column in columns]
    lines = zip(*columns, strict=True)
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in lines)


def best_settings(trial: Trial, varied: Sequence[str]) -> Mapping[str, Setting]:
    """The settings of a trial for `train --settings`: those that were varied."""
    return {name: "none" if trial.settings[name] == [] else trial.settings[name] for name in varied}
