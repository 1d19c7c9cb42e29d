"""The results of a search, and its last lines in the terminal. `search_page` shows them as a page."""

import shlex
from dataclasses import dataclass

from job.flag_names import Flag
from job.redaction import redacted
from job.report.words import many, some
from job.train.train_settings import SearchSpace, TuneSettings
from job.train.tune.search_trial import Trial, as_text


@dataclass(frozen=True)
class TuneResult:
    """The results of a search.

    trials: in the order made, the default first. best: may be the default. sources: the values of --data that find the
    images again. warning: what the user must know about them, or None. training_images: number of images that trials
    are trained on, with folds also rated on. rated_images: number of images that rate a trial. path: the best settings,
    for `train --settings`.
    """

    settings: TuneSettings
    space: SearchSpace
    trials: tuple[Trial, ...]
    best: Trial
    sources: tuple[str, ...]
    warning: str | None
    training_images: int
    rated_images: int
    path: str

    @property
    def default(self) -> Trial:
        """The unchanged recipe, trained for as many epochs as the trials."""
        return self.trials[0]

    @property
    def table(self) -> str:
        """All trials as text, the best first."""
        return as_text(self.trials)

    @property
    def source(self) -> str:
        """The sources as one text."""
        return redacted(some(self.sources))

    @property
    def rated_by(self) -> str:
        """What the accuracies are measured on."""
        if self.settings.fold_count > 1:
            return f"{self.rated_images:,} images in {self.settings.fold_count} folds"
        return many(self.rated_images, "validation image")

    @property
    def train_command(self) -> str:
        """The command that trains with the best settings on the same data."""
        data, read = self.settings.data, self.settings.data.read
        words = ["digit-job", "train", *(word for each in self.sources for word in (Flag.DATA, redacted(each)))]
        words += [Flag.SETTINGS, self.path]
        words += [Flag.TEST_SPLIT, str(data.test_share)] if data.test_share is not None else []
        words += [Flag.VALIDATION_SPLIT, str(data.validation_share)] if data.validation_share is not None else []
        words += [Flag.SEED, str(self.settings.seed)] if self.settings.seed != 1 else []
        words += [Flag.LABEL_COLUMN, read.label_column] if read.label_column else []
        words += [Flag.LABEL_MAP, read.label_map.location] if read.label_map else []
        words += [Flag.SCALE, read.scale] if read.scale != "auto" else []
        words += [Flag.TRANSPOSE] if read.is_transposed else []
        words += [Flag.INVERT] if read.is_inverted else []
        words += [Flag.NORMALIZE, read.normalize] if read.normalize != "auto" else []
        return shlex.join(words)

    @property
    def conclusion(self) -> list[str]:
        """The outcome for the terminal, line by line."""
        best, default = self.best, self.default
        compared = default.result
        if not default.has_diverged:
            compared += f" of {self.rated_by} after {many(default.epochs, 'epoch')}"
        if best.number == 0:
            return [f"Default:  {compared}; no trial was better", f"Settings: {self.path} (the default's)"]
        return [
            f"Default:  {compared}",
            f"Best:     {best.result} after {best.epochs} (trial {best.number}); expect less on other images",
            f"Settings: {self.path}, for `digit-job train {Flag.SETTINGS}`",
        ]
