"""Single records of a file as `digit-job show` shows them: the image, its label, and what a model makes of it.

A prediction is the one that a run writes for the record, because it does not depend on the rows around it.
"""

import base64
from collections.abc import Sequence
from dataclasses import replace

from job.contract import NO_LABEL
from job.documents.shown_json import ShownRecord, ShownRecords, ShownReject
from job.errors import UsageError
from job.model.bundle import Predictor, open_bundle, predictor_of
from job.normalize.decision import HEAD_IMAGES, decide
from job.read.checks import read_first_rows
from job.read.picture_folder import PICTURE_ID
from job.read.single_records import SingleRecord, read_records
from job.read.source import files_at, look
from job.score.forms import in_form, settle_forms
from job.score.part import predict
from job.settings import ReadSettings, ScoreSettings
from job.storage import Storage


def show_records(  # noqa: PLR0913, PLR0917  # a file, how to read it, and a model
    storage: Storage,
    location: str,
    rows: Sequence[int],
    read: ReadSettings,
    model: str | None = None,
    allows_unblessed: bool = False,  # noqa: FBT001, FBT002  # as above
) -> ShownRecords:
    """The records of a file at `rows`, from 0, in that order, with the predictions of a model folder if one is given.

    Raises UsageError where a row is out of range or the location is that of several files; ModelInvalid, NoInput,
    DataError, StorageError.
    """
    predictor, digest = None, None
    if model is not None:
        bundle = open_bundle(storage, model, allows_unblessed=allows_unblessed)
        predictor, digest = predictor_of(bundle, storage.check_stop), bundle.digest
        bundle.check(predictor)
    sources = look(storage, files_at(storage, [location]), read)
    if len(sources) > 1:
        first, second = (each.file.path for each in sources[:2])
        raise UsageError(f"{location}: holds {len(sources)} files ({first}, {second}, ..); name one of them")
    if model is None or predictor is None:
        form = decide(read, read_first_rows(sources[0], storage, HEAD_IMAGES).pixels, sureness=None).form
    else:
        settings = ScoreSettings((location,), "", model, read)
        form = settle_forms(sources, storage, settings, bundle, predictor)[0].form
    records = read_records(sources[0], storage, rows)
    shown = [_shown(replace(each, batch=in_form(each.batch, form)), predictor) for each in records]
    return {"path": sources[0].file.path, "model": digest, "records": shown}


def _shown(record: SingleRecord, predictor: Predictor | None) -> ShownRecord:
    batch = record.batch
    # A record may be rejected for its image or for its label, not for both.
    reject: ShownReject | None = None
    for each in batch.rejects:
        reject = {"reason": each.reason.value, "detail": each.shortened().detail, "line": each.line}
    is_rejected = any(each.reason.is_fatal for each in batch.rejects)
    label = NO_LABEL if batch.labels is None else int(batch.labels[0])
    shown: ShownRecord = {
        "row": record.row,
        "id": _id_of(record),
        "label": None if label == NO_LABEL else label,
        "reject": reject,
        "pixels": None if is_rejected else base64.b64encode(batch.pixels.tobytes()).decode(),
        "prediction": None,
        "confidence": None,
        "probabilities": None,
    }
    if predictor is not None and not is_rejected:
        scored = predict(batch, predictor)
        shown["prediction"] = int(scored.predictions[0])
        shown["confidence"] = _as_written(scored.confidences[0])
        shown["probabilities"] = [_as_written(each) for each in scored.probabilities[0]]
    return shown


def _id_of(record: SingleRecord) -> str | None:
    """The name of a picture; None for a record of another file, of which no columns are kept."""
    kept = record.batch.passthrough
    name: str | None = None if kept is None or kept.schema.names != [PICTURE_ID] else kept.column(0)[0].as_py()
    return name


def _as_written(share: float) -> float:
    """A probability in six decimals, without the digits that float32 adds."""
    return round(float(share), 6)
