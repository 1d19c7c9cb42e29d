"""An evaluation as text, for the terminal."""

from collections.abc import Iterator

from job.documents.evaluation_json import ModelEvaluation
from job.documents.robustness_json import GroupFigures, JudgedImages
from job.normalize.form import AS_STORED
from job.report.words import many, percent

_MOST_WORST = 5


def describe_evaluation(found: ModelEvaluation) -> Iterator[str]:
    """The lines of an evaluation."""
    model, test, robustness = found["model"], found["test"], found["robustness"]
    yield f"Model: {model['path']} ({model['name']}, {model['architecture'] or 'of another program'})"
    yield f"Data:  {found['data']['name']}, {many(found['data']['rows'], 'test image')}"
    yield ""
    yield f"{'':<16}{'as they are':>22}{'as score takes them':>24}"
    yield f"{'images':<16}{'accuracy':>10}{'confidence':>12}{'accuracy':>12}{'confidence':>12}{'of':>8}"
    yield f"{'test':<16}{percent(test['accuracy']):>10}{percent(test['confidence']):>12}{'':>24}{test['rows']:>8,}"
    if robustness["optdigits"]:
        yield _row("optdigits", robustness["optdigits"])
    for name, each in robustness["corruptions"].items():
        yield _row(name.replace("_", " "), each)
    yield ""
    relative = robustness["relative_error"]
    times = "" if relative is None else f", {relative:.1f} times that of the same images as they are"
    yield f"Mean error of the {len(robustness['corruptions'])} corruptions: {percent(robustness['mean_error'])}{times}"
    yield f"As score takes them: {percent(robustness['scored_mean_error'])}"
    if robustness["groups"]:
        yield from _groups(robustness["groups"])
    for note in robustness["notes"]:
        yield f"Note: {note}"


def _row(name: str, images: JudgedImages) -> str:
    stored = f"{percent(images['accuracy']):>10}{percent(images['confidence']):>12}"
    is_same = images["form"] == str(AS_STORED)
    scored = "" if is_same else f"{percent(images['scored_accuracy']):>12}{percent(images['scored_confidence']):>12}"
    return f"{name:<16}{stored}{scored:>24}{images['rows']:>8,}"


def _groups(groups: GroupFigures) -> Iterator[str]:
    """The lines about groups."""
    share = percent(groups["below_95"] / groups["groups"])
    quantiles = groups["quantiles"]
    yield (
        f"By {groups['name']}: {many(groups['groups'], 'group')}, {groups['below_95']:,} ({share}) with an accuracy "
        f"below 95 %, by chance {groups['below_95_by_chance']:.0f}; median {percent(quantiles['0.5'])}, "
        f"a twentieth {percent(quantiles['0.05'])} or less"
    )
    worst = ", ".join(
        f"{each['group']} ({each['correct']} of {each['rows']})" for each in groups["worst"][:_MOST_WORST]
    )
    yield f"Least accurate: {worst}"
