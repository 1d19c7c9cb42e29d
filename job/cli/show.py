"""`digit-job show`."""

import base64
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import zip_longest
from typing import TYPE_CHECKING, Annotated

import typer

from job import log
from job.cli.flags import (
    STANDARD_OUTPUT,
    Group,
    InvertFlag,
    LabelColumnFlag,
    LabelMapFlag,
    LogFormatFlag,
    ModelScaleFlag,
    NoLabelFlag,
    NormalizeFlag,
    ScaleFlag,
    TransposeFlag,
    label_map_in,
    log_overwriting,
    option,
    repeatable,
    standard_output,
)
from job.cli.terminal import StopOnSignals, say
from job.errors import DataError, UsageError
from job.flag_names import Flag
from job.settings import ReadSettings
from job.storage import Storage, refuse_existing, storage_at
from job.train.plain_model import model_folder

if TYPE_CHECKING:
    from job.documents.shown_json import ShownRecord, ShownRecords


def show(
    *,
    source: Annotated[
        str,
        typer.Argument(help="A CSV, Parquet, Arrow, IDX or NumPy file.", envvar="DIGIT_JOB_SOURCE", metavar="FILE"),
    ],
    rows: Annotated[
        list[int],
        repeatable(
            "--row",
            "The record, counted from 0 as in predictions, rejects and reports (default: 0); repeat it for more.",
            "-r",
            metavar="N",
            group=Group.MAIN,
        ),
    ],
    model: Annotated[
        str | None,
        option("--model", "Also predict with this model, as `score` does.", "-m", group=Group.MAIN, metavar="MODEL"),
    ] = None,
    output: Annotated[
        str | None,
        option(
            "--output",
            "Also write the image to this file, magnified tenfold; `-`: print only it.",
            "-o",
            command="show",
            callback=standard_output,
            group=Group.MAIN,
            metavar="FILE.png",
        ),
    ] = None,
    json_: Annotated[
        str | None,
        option(
            "--json",
            "Also write what is shown to this file, as JSON; `-`: print only that.",
            command="show",
            callback=standard_output,
            group=Group.MAIN,
            metavar="FILE",
        ),
    ] = None,
    overwrite: Annotated[
        bool,
        option("--overwrite", "Replace existing files with --output and --json.", command="show", group=Group.MAIN),
    ] = False,
    label_column: LabelColumnFlag = None,
    label_map: LabelMapFlag = None,
    no_label: NoLabelFlag = False,
    scale: ScaleFlag = "auto",
    transpose: TransposeFlag = False,
    invert: InvertFlag = False,
    normalize: NormalizeFlag = "auto",
    allow_unblessed: Annotated[
        bool, option("--allow-unblessed", "Accept a model that failed its quality gate.", group=Group.MODEL)
    ] = False,
    model_scale: ModelScaleFlag = "auto",
    log_format: LogFormatFlag = "auto",
) -> None:
    """Show one record: the image, its label, why it is rejected, and what a model predicts.

    Examples:
      digit-job show digits.csv --row 81
      digit-job show digits.csv --row 81 --model model --output 81.png

    """
    log.set_up(log_format)
    log_overwriting("show", is_overwriting=overwrite)
    StopOnSignals("run the same command again", at_once=True)
    from job.score.showing import show_records

    read = ReadSettings(
        label_column,
        no_label,
        scale,
        transpose,
        label_map=label_map_in(label_map),
        is_inverted=invert,
        normalize=normalize,
    )
    if any(row < 0 for row in rows):
        raise UsageError(f"{Flag.ROW} {min(rows)}: records are counted from 0")
    if output is not None and output == json_:
        raise UsageError(f"{Flag.OUTPUT} and --json name the same file; give them two")
    storage = storage_at(*(each for each in (source, model, output, json_) if each is not None))
    _check_files(storage, source, output, json_, is_overwriting=overwrite)
    with ExitStack() as stack:
        folder = None if model is None else stack.enter_context(model_folder(model, model_scale))
        shown = show_records(storage, source, rows or [0], read, folder, allow_unblessed)
    if STANDARD_OUTPUT not in {output, json_}:
        for each in shown["records"]:
            for line in _lines(shown, each):
                say(line)
    if json_ is not None:
        storage.write(storage.resolve(json_), json.dumps(shown, indent=2).encode() + b"\n")
    if output is not None:
        storage.write(storage.resolve(output), _picture(shown))


def _check_files(storage: Storage, source: str, output: str | None, json_: str | None, *, is_overwriting: bool) -> None:
    """Raise UsageError or OutputOccupied where a file must not be written."""
    for flag, location in ((Flag.OUTPUT, output), ("--json", json_)):
        if location is None:
            continue
        path = storage.resolve(location)
        if storage.real_path(path) == storage.real_path(storage.resolve(source)):
            raise UsageError(f"{flag} {location}: is the file to be shown; choose another")
        if flag is Flag.OUTPUT and not storage.is_stream(path) and not path.lower().endswith(".png"):
            raise UsageError(f"{flag} {location}: expected a name that ends with .png, which the picture is")
        if not is_overwriting:
            refuse_existing(storage, path, advice=f"choose another name, or replace it with {Flag.OVERWRITE}")


def _lines(shown: "ShownRecords", record: "ShownRecord") -> Iterator[str]:
    """A record as text: its facts, and the image beside the probabilities."""
    import numpy as np

    from job.contract import Reason
    from job.report.digits import WIDTH, text_bars, text_images

    yield f"{shown['path']} row {record['row']} (from 0)"
    label, reject = record["label"], record["reject"]
    if record["id"] is not None:
        yield f"  picture     {record['id']}"
    yield f"  label       {'none' if label is None else label}"
    if reject is not None:
        reason = Reason(reject["reason"])
        what = "skipped   " if reason.is_skipped else "rejected  " if reason.is_fatal else "bad label "
        line = "" if reject["line"] is None else f" in line {reject['line']}"
        yield f"  {what}  {reason}{line}: {reject['detail']}"
    if record["prediction"] is not None:
        right = "" if label is None else ", correct" if label == record["prediction"] else ", wrong"
        yield f"  prediction  {record['prediction']}, confidence {record['confidence']:.6f}{right}"
    if record["pixels"] is not None:
        is_unicode = (sys.stdout.encoding or "").lower().startswith("utf")
        pixels = np.frombuffer(base64.b64decode(record["pixels"]), np.uint8).reshape(1, -1)
        image = text_images(pixels, None, is_unicode=is_unicode)
        bars = ["", "", *text_bars(record["probabilities"], is_unicode=is_unicode)] if record["probabilities"] else []
        yield ""
        for left, right in zip_longest(image, bars, fillvalue=""):
            yield f"  {left.ljust(WIDTH)}   {right}".rstrip()
    yield ""


def _picture(shown: "ShownRecords") -> bytes:
    """The images of all records side by side, as PNG. Raises DataError where one has none."""
    from job.report.digits import magnified_png

    images: Sequence[bytes] = [base64.b64decode(each["pixels"] or "") for each in shown["records"]]
    for record, image in zip(shown["records"], images, strict=True):
        if not image and record["reject"]:
            raise DataError(
                f"{shown['path']} row {record['row']} (from 0): has no image to write, because it is rejected: "
                f"{record['reject']['detail']}"
            )
    return magnified_png(images)
