"""`digit-job calibrate`."""

from typing import TYPE_CHECKING, Annotated

from job import log
from job.cli.flags import (
    AllowUnblessedFlag,
    Group,
    InvertFlag,
    LabelColumnFlag,
    LabelMapFlag,
    LogFormatFlag,
    MaxRejectsFlag,
    ModelScaleFlag,
    NormalizeFlag,
    ScaleFlag,
    ThreadsFlag,
    TransposeFlag,
    label_map_in,
    log_overwriting,
    option,
    repeatable,
)
from job.cli.terminal import StopOnSignals, say
from job.errors import UsageError
from job.flag_names import Flag
from job.limits import default_threads
from job.report.words import many, percent
from job.settings import ReadSettings, RejectLimit, ScoreSettings
from job.storage import storage_at
from job.train.plain_model import with_model_folder

if TYPE_CHECKING:
    from job.results.calibrating import CalibrationResult


def calibrate(
    data: Annotated[
        list[str],
        repeatable(
            "--data",
            "Labelled digits that the model was not trained on, as those to score will be: a file, a folder, or a "
            "quoted pattern such as 'in/*.csv' (required); repeat it for more.",
            metavar="SRC",
            command="calibrate",
            group=Group.MAIN,
        ),
    ],
    output: Annotated[
        str,
        option(
            "--output",
            "The file to write, for `score --calibration` (required).",
            "-o",
            command="calibrate",
            group=Group.MAIN,
            metavar="FILE",
        ),
    ],
    model: Annotated[
        str, option("--model", "The model, as for `score`.", "-m", group=Group.MAIN, metavar="MODEL")
    ] = "model",
    group_column: Annotated[
        str | None,
        option(
            "--group-column",
            "The column of the writer, or of whatever else rows have in common: such rows tell less than independent "
            "ones.",
            group=Group.MAIN,
            metavar="NAME",
        ),
    ] = None,
    overwrite: Annotated[
        bool, option("--overwrite", "Write over a file of another kind.", command="calibrate", group=Group.MAIN)
    ] = False,
    label_column: LabelColumnFlag = None,
    label_map: LabelMapFlag = None,
    scale: ScaleFlag = "auto",
    transpose: TransposeFlag = False,
    invert: InvertFlag = False,
    normalize: NormalizeFlag = "auto",
    max_rejects: MaxRejectsFlag = "1%",
    allow_unblessed: AllowUnblessedFlag = False,
    model_scale: ModelScaleFlag = "auto",
    threads: ThreadsFlag = None,
    log_format: LogFormatFlag = "auto",
) -> None:
    """Measure a model's confidences on labelled data, by which `score --max-error` promises few errors on more of it.

    Without it, `score --max-error` promises by the validation images in the model's card, for data like those.

    Examples:
      digit-job calibrate --data labelled.csv --output mine.json
      digit-job score in.csv -o out --max-error 0.5% --calibration mine.json

    """
    log.set_up(log_format)
    log_overwriting("calibrate", is_overwriting=overwrite)
    StopOnSignals("run the same command again", at_once=True)
    from job.results.calibrating import calibrate as calibrate_on
    from job.results.calibrating import refuse_other_file, write_calibration
    from job.telemetry.progress import show_progress
    from job.telemetry.recorder import Recorder
    from job.train.scratch import scratch_folder

    if not data:
        raise UsageError(f"no data: name labelled digits with {Flag.DATA} SRC")
    storage = storage_at(*data, model, output)
    if not overwrite:
        refuse_other_file(storage, output)
    read = ReadSettings(
        label_column,
        scale=scale,
        is_transposed=transpose,
        label_map=label_map_in(label_map),
        is_inverted=invert,
        normalize=normalize,
    )
    recorder = Recorder()
    with scratch_folder() as folder:
        settings = ScoreSettings(
            tuple(data), str(folder / "results"), model, read, max_rejects=RejectLimit.parse(max_rejects),
            threads=threads or default_threads(), allows_unblessed=allow_unblessed, model_scale=model_scale,
        )  # fmt: skip
        with (
            with_model_folder(settings) as scored,
            show_progress(recorder, is_json=log.is_for_machines(log_format), is_quiet=False),
        ):
            result = calibrate_on(storage, scored, recorder, group_column)
    path = write_calibration(storage, output, result)
    for line in _lines(result):
        say(line)
    say(f"Written: {path}")


def _lines(result: "CalibrationResult") -> list[str]:
    from job.results.calibrating import describe

    rows, wrong = result.held_out.rows, int(result.held_out.wrong.sum())
    groups = result.document["groups"]
    lines = [f"{many(rows, 'labelled row')}, {percent(1 - wrong / rows)} classified correctly."]
    if groups:
        effective = result.held_out.effective(rows, wrong)[0]
        lines.append(
            f"They come from {many(groups['groups'], 'group')} of column {groups['column']} and tell as much as "
            f"{effective:,} independent rows (design effect {groups['design_effect']:.2f})."
        )
    return [*lines, *(f"  {describe(each)}" for each in result.promises)]
