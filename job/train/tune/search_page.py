"""search.html in the folder of a search: what was tried, the best settings, and how each setting matters.

It shares layout and parts with the other reports, see `job.report.page`; `search_plots` draws.
"""

from importlib import resources
from typing import Any, Final

from job.log import visible_lines
from job.report.findings import Finding, summarize
from job.report.svg import Scale
from job.report.template import environment
from job.report.words import many
from job.train.train_settings import Range
from job.train.tune.search_plots import heat_cells, settings_plot
from job.train.tune.search_space import max_epochs
from job.train.tune.search_trial import ranked, ranks
from job.train.tune.space_syntax import choice_text
from job.train.tune.tune_result import TuneResult

# A best value within this share of the end of its range may be better still beyond it.
_NEAR_THE_END: Final = 0.02
_FEW_CHOICES: Final = 3


def search_page(result: TuneResult) -> str:
    """The page of a search; the same results give the same page."""
    finished = [each for each in result.trials if not each.has_diverged]
    template = environment().from_string(
        resources.files("job.train.tune").joinpath("search_page.html.jinja").read_text(encoding="utf-8")
    )
    found = findings(result)
    page = template.render(
        result=result,
        settings=result.settings,
        findings=found,
        summary=summarize(found),
        trials=ranked(result.trials),
        rank_of=ranks(result.trials),
        has_folds=result.settings.fold_count > 1,
        space=[(name, _values_text(values)) for name, values in result.space.items()],
        gain=_gain(result),
        best_settings=[(name.replace("-", " "), text) for name, text in result.best.setting_texts.items()],
        heat=heat_cells(result.space, result.trials) if result.settings.search == "grid" else None,
        plots=[
            (name, settings_plot(f"{name}-plot", name, values, finished, result.best))
            for name, values in result.space.items()
            if isinstance(values, Range) or len(values) > 1
        ],
        max_epochs=max_epochs(result.settings, result.space),
        seconds=sum(each.seconds for each in result.trials),
    )
    return visible_lines(page)


def findings(result: TuneResult) -> list[Finding]:
    """The findings about a search, those that need attention first."""
    found = [Finding("settings", text) for text in _at_the_end(result)]
    diverged = sum(each.has_diverged for each in result.trials)
    if diverged:
        found.append(Finding("trials", f"{many(diverged, 'trial')} diverged"))
    if result.warning:
        found.append(Finding("search", "Searched on substitute data"))
    if result.best.number == 0:
        found.append(Finding("summary", "No trial is better than the default", is_fine=True))
    if result.settings.fold_count > 1:
        found.append(Finding("search", f"Cross-validated in {result.settings.fold_count} folds", is_fine=True))
    return sorted(found, key=lambda each: each.is_fine)


def _at_the_end(result: TuneResult) -> list[str]:
    """The numbers of the best settings that a larger space might make better still."""
    texts = []
    for name, values in result.space.items():
        value = result.best.settings[name]
        if isinstance(value, bool) or not isinstance(value, int | float) or result.best.number == 0:
            continue
        text = f"{name.replace('-', ' ').capitalize()} {choice_text(value)}"
        if isinstance(values, Range):
            place = Scale(values.low, values.high, 0.0, 1.0, values.is_log)(value)
            if not _NEAR_THE_END < place < 1 - _NEAR_THE_END:
                texts.append(f"{text} is near the end of its range")
        elif len(values) >= _FEW_CHOICES and value in {min(values), max(values)}:
            texts.append(f"{text} is the {'lowest' if value == min(values) else 'highest'} choice")
    return texts


def _gain(result: TuneResult) -> str | None:
    """How much more accurate the best is than the default; None where either is not known, or they are the same."""
    best, default = result.best, result.default
    if best.number == 0 or best.accuracy is None or default.accuracy is None:
        return None
    return f"{100 * (best.accuracy - default.accuracy):.2f} percentage points more than the default"


def _values_text(values: Any) -> str:
    if isinstance(values, Range):
        return f"{values.low:g} to {values.high:g}{', logarithmic' if values.is_log else ''}"
    return ", ".join(map(choice_text, values))
