"""digit-job: train a small classifier of handwritten digits, and score files of pixels with it in batches.

This is the Python API; `job.cli` is the command line over the same stages. For example:

    import job

    result = job.score("digits.csv", "results", model="model")
    print(result.report["accuracy"])

Every function raises the errors of `job.errors` and logs to the logger `job`. None of them prints, exits, or changes
signal handlers or other loggers. Importing the package imports neither NumPy nor Arrow; a function imports what it
needs when it is called.
"""

from __future__ import annotations

import os
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from job._version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from job.documents.evaluation_json import ModelEvaluation
    from job.read.inspection import Inspection
    from job.results.calibrating import CalibrationResult
    from job.results.reader import Results
    from job.score.observer import Observer
    from job.score.run import RunResult
    from job.settings import LabelMap, ModelScale, NormalizeChoice, OutputFormat, ReviewPictures, ScaleChoice
    from job.train.card.model_folder import TrainResult
    from job.train.train_settings import (
        Activation,
        Architecture,
        ClassWeights,
        Optimizer,
        Quantization,
        RecipeName,
    )

    Location = str | os.PathLike[str]

__all__ = ["__version__", "calibrate", "evaluate", "inspect", "open_results", "score", "train"]

# ONNX Runtime looks once, when it is imported; `disable_telemetry_events` comes too late. Here it is before every
# import, also those of other libraries (tf2onnx), and child processes inherit it.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"


def score(
    inputs: Location | Iterable[Location],
    output: Location,
    model: Location = "model",
    *,
    keep: Sequence[str] = (),
    overwrite: bool = False,
    label_column: str | None = None,
    label_map: Location | None = None,
    no_label: bool = False,
    scale: ScaleChoice = "auto",
    transpose: bool = False,
    invert: bool = False,
    normalize: NormalizeChoice = "auto",
    max_rejects: str | int = "1%",
    max_error: str | float | None = None,
    calibration: Location | None = None,
    min_accuracy: float | None = None,
    max_drift: float | None = None,
    max_warnings: int | None = None,
    format: OutputFormat = "auto",
    probabilities: bool = False,
    escape_formulas: bool = False,
    review_rows: int = 200,
    review_pictures: Sequence[ReviewPictures] = (),
    allow_unblessed: bool = False,
    model_scale: ModelScale = "auto",
    threads: int | None = None,
    part_bytes: int | None = None,
    verify: bool = False,
    shard: tuple[int, int] | None = None,
    skip_done: Location | Iterable[Location] = (),
    observer: Observer | None = None,
    check_stop: Callable[[], None] | None = None,
) -> RunResult:
    """Score files of digits: write predictions, rejects and a report to the folder `output`.

    A second call with the same arguments resumes a run that was interrupted, and does nothing if it is complete.

    Arguments are
        inputs: CSV, Parquet, Arrow, IDX or NumPy files, folders, or patterns such as "in/*.csv"; one, or several.
        output: the folder for the results.
        model: a model folder; or a Keras file, a SavedModel, an MLflow folder (with the train extra) or an ONNX file.
        keep: names of passthrough columns, copied to the predictions.
        overwrite: replace the results of another run in `output`.
        label_column: the label's name, or its number from 1 if there is no header; None: found by its name.
        label_map: a file that says what labels mean that are not digits: a JSON object such as {"ten": 0}, or CSV lines
            such as ten,0.
        no_label: treat no column as the label.
        scale: the highest pixel value, "255" or "1"; "auto": taken from the first records.
        transpose: images are stored column by column, as in EMNIST.
        invert: digits are dark on white; take 255 minus each pixel.
        normalize: bring digits to MNIST's form: "auto": of a file whose first images show that it needs it; "mnist": of
            each file; "none".
        max_rejects: fail if more records are rejected; a count, or a percentage such as "1%".
        max_error: send rows to review so that at most this share of the accepted ones is wrong, with 95 % certainty,
            such as "0.5%" or 0.005; the predictions get a column `decision`. None: answer every row.
        calibration: the file of `calibrate` by which that is promised; None: by the model's card.
        min_accuracy, max_drift, max_warnings: what the report must reach, else RunFellShort is raised; its attribute
            `result` is what would be returned.
        format: "csv", "parquet" or "kaggle"; "auto": Parquet for Parquet inputs, otherwise CSV.
        probabilities: add a column for each digit's probability, p0 to p9.
        escape_formulas: in CSV, put an apostrophe in front of kept text that a spreadsheet would take for a formula.
        review_rows: write the surest mistakes and the least sure predictions to `review/`, so many in all; 0: none.
        review_pictures: also write their pictures: any of "sheet", "label-studio", "folders".
        allow_unblessed: accept a model that failed its quality gate.
        model_scale: what a model from elsewhere takes: `255`, `1`, `-1..1`, `standard`; `auto`: found out.
        threads: default one per available core, fewer in a container with little memory.
        part_bytes: size of a part, the unit of scoring and resuming; default 32 MiB.
        verify: if the output is complete, compare its files with their SHA-256, not only their sizes.
        shard: (index from 0, count); score one share of the parts, while other processes score the others.
        skip_done: folders of earlier results, or folders of those; inputs that a finished run there has scored are
            skipped.
        observer: its methods are called with the progress, from several threads.
        check_stop: called a few times a second, from any thread. What it raises ends the run, and so does
            KeyboardInterrupt; committed parts are kept.

    Returns a result with
        output: the absolute path of the folder;
        report: the content of report.json; None while `missing` is not 0, and if `skip_done` leaves no input;
        rows, seconds: the records that this call scored, and its duration;
        was_done: whether the output was complete before, or there was nothing new;
        missing: the number of parts that other shards still have to commit.

    Raises UsageError, SettingsInvalid, NoInput, DataError (LayoutError, TooManyRejects), ModelInvalid, PromiseRefused,
    OutputOccupied, StorageError (InputChanged), ResourceExhausted and RunFellShort.
    """
    from job.errors import UsageError
    from job.limits import default_threads
    from job.log import be_silent_by_default
    from job.score.run import run
    from job.settings import (
        DEFAULT_PART_BYTES,
        ErrorLimit,
        Gates,
        ReadSettings,
        RejectLimit,
        Review,
        ScoreSettings,
        Shard,
    )  # fmt: skip
    from job.storage import never_stop, storage_at
    from job.telemetry.recorder import Recorder
    from job.train.plain_model import with_model_folder

    be_silent_by_default()
    locations = _locations(inputs)
    if not locations:
        raise UsageError("no input: name a file, a folder or a pattern")
    settings = ScoreSettings(
        inputs=locations,
        output=os.fspath(output),
        model=os.fspath(model),
        read=ReadSettings(
            label_column, no_label, scale, transpose, tuple(keep), _label_map(label_map), invert, normalize
        ),
        format=format,
        has_probabilities=probabilities,
        escapes_formulas=escape_formulas,
        review=Review(review_rows, tuple(review_pictures)),
        max_rejects=RejectLimit.parse(str(max_rejects)),
        max_error=None if max_error is None else ErrorLimit.parse(str(max_error)),
        calibration=None if calibration is None else os.fspath(calibration),
        threads=default_threads() if threads is None else threads,
        part_bytes=DEFAULT_PART_BYTES if part_bytes is None else part_bytes,
        is_overwriting=overwrite,
        allows_unblessed=allow_unblessed,
        model_scale=model_scale,
        shard=None if shard is None else Shard(*shard),
        gates=Gates(min_accuracy, max_drift, max_warnings),
        is_verifying=verify,
        skip_done=_locations(skip_done),
    )
    others = [settings.calibration] if settings.calibration is not None else []
    storage = storage_at(*settings.inputs, *settings.skip_done, settings.output, settings.model, *others)
    with with_model_folder(settings) as scored:
        return run(scored, storage.stopping(check_stop or never_stop), observer or Recorder())


def calibrate(
    data: Location | Iterable[Location],
    output: Location,
    model: Location = "model",
    *,
    group_column: str | None = None,
    overwrite: bool = False,
    label_column: str | None = None,
    label_map: Location | None = None,
    scale: ScaleChoice = "auto",
    transpose: bool = False,
    invert: bool = False,
    normalize: NormalizeChoice = "auto",
    max_rejects: str | int = "1%",
    allow_unblessed: bool = False,
    model_scale: ModelScale = "auto",
    threads: int | None = None,
) -> CalibrationResult:
    """Measure a model's confidences on labelled data, by which `score` promises few errors on more of it.

    Arguments are
        data: labelled digits that the model was not trained on, as `score` takes its inputs.
        output: the file to write, for the argument `calibration` of `score`.
        group_column: the column of the writer, or of whatever else rows have in common.
        overwrite: write over a file of another kind.
        model and the others: as for `score`.

    Returns a result with
        document: the content of the file;
        promises: for 0.1, 0.5, 1, 2 and 5 % errors the `threshold`, with its `coverage`; None where the rows are too
            few, and then as many as are `needed`.

    Raises the errors of `score`; DataError for data without labels, and PromiseRefused if the rows carry none of these
    promises.
    """
    from job.limits import default_threads
    from job.log import be_silent_by_default
    from job.results.calibrating import calibrate as run
    from job.results.calibrating import refuse_other_file, write_calibration
    from job.settings import ReadSettings, RejectLimit, ScoreSettings
    from job.storage import storage_at
    from job.telemetry.recorder import Recorder
    from job.train.plain_model import with_model_folder
    from job.train.scratch import scratch_folder

    be_silent_by_default()
    locations, path = _locations(data), os.fspath(output)
    storage = storage_at(*locations, path, os.fspath(model))
    if not overwrite:
        refuse_other_file(storage, path)
    with scratch_folder() as folder:
        settings = ScoreSettings(
            inputs=locations,
            output=str(folder / "results"),
            model=os.fspath(model),
            read=ReadSettings(
                label_column,
                scale=scale,
                is_transposed=transpose,
                label_map=_label_map(label_map),
                is_inverted=invert,
                normalize=normalize,
            ),
            max_rejects=RejectLimit.parse(str(max_rejects)),
            threads=default_threads() if threads is None else threads,
            allows_unblessed=allow_unblessed,
            model_scale=model_scale,
        )
        with with_model_folder(settings) as scored:
            result = run(storage, scored, Recorder(), group_column)
    write_calibration(storage, path, result)
    return result


def inspect(
    source: Location,
    *,
    label_column: str | None = None,
    label_map: Location | None = None,
    no_label: bool = False,
    scale: ScaleChoice = "auto",
    transpose: bool = False,
    invert: bool = False,
    normalize: NormalizeChoice = "auto",
) -> list[Inspection]:
    """Read the beginning of each file, and describe how `score` would read the whole.

    Arguments are
        source: a CSV, Parquet, Arrow, IDX or NumPy file, a folder, or a pattern.
        label_column, label_map, no_label, scale, transpose, invert, normalize: as for `score`.

    Returns one inspection per file, ordered by path, with
        path: the file's absolute path;
        facts: texts by name: format, columns, pixels, form, labels, records, parts;
        warnings: texts;
        head.pixels: the first images, uint8 (n, 784): row-major 28x28, 0 for background, 255 for ink;
        head.labels: their labels, int8 (n,), -1 for none; None if the file has no labels.

    Raises UsageError, NoInput, DataError (LayoutError) and StorageError.
    """
    from job.log import be_silent_by_default
    from job.read.inspection import inspect as inspections_of
    from job.settings import ReadSettings
    from job.storage import storage_at

    be_silent_by_default()
    location = os.fspath(source)
    settings = ReadSettings(
        label_column,
        no_label,
        scale,
        transpose,
        label_map=_label_map(label_map),
        is_inverted=invert,
        normalize=normalize,
    )
    return inspections_of(storage_at(location), location, settings)


def train(
    data: Location | Iterable[Location] = "auto",
    model: Location = "model",
    *,
    test_data: Location | Iterable[Location] = (),
    add: Location | Iterable[Location] = (),
    add_weight: int | None = None,
    recipe: RecipeName = "accurate",
    resume: bool = False,
    overwrite: bool = False,
    label_column: str | None = None,
    label_map: Location | None = None,
    scale: ScaleChoice = "auto",
    transpose: bool = False,
    invert: bool = False,
    normalize: NormalizeChoice = "auto",
    test_split: float | None = None,
    validation_split: float | None = None,
    arch: Architecture = "dense",
    hidden: Sequence[int] | None = None,
    activation: Activation | None = None,
    dropout: float | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    optimizer: Optimizer | None = None,
    learning_rate: float | None = None,
    weight_decay: float | None = None,
    early_stopping: int | None = None,
    class_weights: ClassWeights | None = None,
    augment: bool | None = None,
    seed: int = 1,
    min_accuracy: float | None = None,
    compare_to: Location | None = None,
    quantize: Quantization | None = None,
    tensorboard: Location | None = None,
) -> TrainResult:
    """Train a model and save it in the folder `model`. Needs the train extra.

    Arguments are those of `digit-job train`, where None takes the recipe's value:
        data: a data file of any format, a folder or pattern of them, "mnist", "digits", or "auto"; or several of these.
        test_data: likewise, the images to test with, instead of those that `data` has or that are held out of it.
        add: images that people have labelled, to train on beside those of `data`: a corrected review.csv, a folder of
            pictures, an export of Label Studio, any labelled file; or several of these.
        add_weight: how often each of them is trained on in an epoch; None: 10 times.
        resume: continue an interrupted training into the same folder after its last epoch.
        overwrite: also replace a model of other data or of another recipe.
        test_split, validation_split: the shares of the images held out for testing and, of the others, for validation,
            between 0 and 1; None: a fifth and a tenth, or none where the data has such images of its own.
        hidden: widths of the dense hidden layers, in order.
        min_accuracy: the share of the test images to classify correctly, in 0-1.
        compare_to: a model folder; the new model must not be significantly less accurate.

    Returns a result with
        path: the absolute path of the model folder;
        test, validation: each with `accuracy`, in 0-1, and `rows`;
        card: the content of model.json without its golden rows.

    Raises UsageError, NoInput, DataError, ModelInvalid, OutputOccupied, StorageError and ResourceExhausted; and
    ModelFellShort if the model does not pass the gate that `min_accuracy` and `compare_to` set. It is saved all the
    same, marked as not blessed, and beside `model` if a blessed one is there.
    """
    from job.errors import requires_extra
    from job.log import be_silent_by_default
    from job.settings import ReadSettings
    from job.storage import storage_at
    from job.train.train_settings import DataSettings, TrainSettings

    be_silent_by_default()
    read = ReadSettings(
        label_column,
        scale=scale,
        is_transposed=transpose,
        label_map=_label_map(label_map),
        is_inverted=invert,
        normalize=normalize,
    )
    settings = TrainSettings(
        data=DataSettings(
            _locations(data), read, _locations(test_data), test_split, validation_split, _locations(add), add_weight
        ),
        model=os.fspath(model),
        recipe=recipe,
        arch=arch,
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
        is_augmented=augment,
        learning_rate=learning_rate,
        optimizer=optimizer,
        weight_decay=weight_decay,
        hidden=None if hidden is None else tuple(hidden),
        activation=activation,
        dropout=dropout,
        early_stopping=early_stopping,
        class_weights=class_weights,
        min_accuracy=min_accuracy,
        compare_to=None if compare_to is None else os.fspath(compare_to),
        quantize=quantize,
        is_resuming=resume,
        is_overwriting=overwrite,
        tensorboard=None if tensorboard is None else os.fspath(tensorboard),
        digits_dir=os.environ.get("DIGITS_DIR"),
    )
    with requires_extra("train"):
        from job.train.phases import Phases
        from job.train.training import train as run

        result = run(
            settings,
            storage_at(settings.model, settings.tensorboard or settings.model),
            mnist_dir=os.environ.get("MNIST_DIR"),
            on_text=lambda _text: None,
            phases=Phases(),
        )
    result.check_blessed()
    return result


def evaluate(
    model: Location = "model",
    data: Location | Iterable[Location] = (),
    *,
    group_column: str | None = None,
    sample: int = 10_000,
    seed: int = 1,
    label_column: str | None = None,
    label_map: Location | None = None,
    scale: ScaleChoice = "auto",
    transpose: bool = False,
    invert: bool = False,
    normalize: NormalizeChoice = "auto",
    allow_unblessed: bool = False,
    model_scale: ModelScale = "auto",
) -> ModelEvaluation:
    """Measure a model on test images, corrupted images, other people's digits, and by writer. Needs the train extra.

    Arguments are those of `digit-job evaluate`:
        model: a model folder, or another model as for `score`.
        data: labelled images as for `train`, or several such; none: the test images of the model's own data.
        group_column: the column that tells whose image it is, such as "writer".
        sample: corrupt at most so many of the images.

    Returns what `--json` writes: a dictionary with
        test: `accuracy` and `confidence` on the images, in 0-1;
        robustness: `corruptions`, by name, each with `accuracy` and `confidence`; their `mean_error`; `optdigits`; and
            `groups`, the accuracy by writer, or None.

    Raises UsageError, NoInput, DataError (LayoutError), ModelInvalid, StorageError and ResourceExhausted.
    """
    from job.errors import requires_extra
    from job.log import be_silent_by_default
    from job.settings import ReadSettings
    from job.storage import storage_at
    from job.train.plain_model import model_folder
    from job.train.train_settings import EvaluateSettings

    be_silent_by_default()
    settings = EvaluateSettings(
        model=os.fspath(model),
        data=_locations(data),
        read=ReadSettings(
            label_column,
            scale=scale,
            is_transposed=transpose,
            keep=() if group_column is None else (group_column,),
            label_map=_label_map(label_map),
            is_inverted=invert,
            normalize=normalize,
        ),
        group_column=group_column,
        sample=sample,
        seed=seed,
        allows_unblessed=allow_unblessed,
        mnist_dir=os.environ.get("MNIST_DIR"),
        digits_dir=os.environ.get("DIGITS_DIR"),
    )
    with requires_extra("train"):
        from job.train.judge.model_evaluation import evaluate_model
        from job.train.phases import Phases

        with model_folder(settings.model, model_scale) as folder:
            return evaluate_model(storage_at(settings.model, *settings.data), settings, folder, Phases())


def open_results(folder: Location) -> Results:
    """Open the output folder of a finished run.

    Returns results with
        folder: the absolute path;
        report, manifest: the contents of report.json and manifest.json;
        inputs: the scored files, each with `path`, `size` in bytes and `rows`;
        predictions(path): an Arrow reader over the predictions of one of them, a row per record.

    For example:

        results = job.open_results("results")
        for each in results.inputs:
            table = results.predictions(each.path).read_all()

    Raises UsageError, NoInput if no finished run is there, DataError if its files are damaged or were changed, and
    StorageError.
    """
    from job.results.reader import Results
    from job.storage import storage_at

    location = os.fspath(folder)
    return Results.at(storage_at(location), location)


def _locations(given: Location | Iterable[Location]) -> tuple[str, ...]:
    return tuple(os.fspath(each) for each in ([given] if isinstance(given, str | os.PathLike) else given))


def _label_map(location: Location | None) -> LabelMap | None:
    from job.read.label_map import read_label_map
    from job.storage import storage_at

    return None if location is None else read_label_map(storage_at(os.fspath(location)), os.fspath(location))


class _CallablePackage(ModuleType):
    """A subpackage with the name of a function of this package; calling it calls the function."""

    __wrapped__: Callable[..., Any]  # where inspect.signature looks for the arguments

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return self.__wrapped__(*arguments, **named)


class _Package(ModuleType):
    """The class of this package, which has both a function and a subpackage named `score`, and so for `train`.

    Importing `job.score` puts the subpackage in the place of the function. It then becomes callable, so that both
    `job.score(...)` and `job.score.run` work, in whatever order modules are imported.
    """

    def __setattr__(self, name: str, value: object) -> None:
        function = {"score": score, "train": train}.get(name)
        if function is not None and isinstance(value, ModuleType):
            value.__class__ = _CallablePackage
            value.__dict__["__wrapped__"] = function
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
