"""`review/` in the output: the rows that people are to look at, as a table, and as pictures where asked for.

    review/  review.csv  sheet.html  label-studio.json  label-studio.xml  pictures/7/000001.png

`gather` chooses the rows (`report.review_rows`). `train --add` reads each of these forms again, once corrected.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from job.contract import NO_LABEL, PIXELS
from job.model.bundle import Bundle
from job.report import label_studio
from job.report.digits import bright_png
from job.report.review_rows import ReviewRow, contact_sheet
from job.score.output_files import OutputFiles
from job.score.review_paths import LABELLING, SHEET, TABLE, TASKS, picture_path
from job.settings import ScoreSettings
from job.write.predictions import CsvPredictions, number_column, sparse_text_column


def write_review(files: OutputFiles, rows: Sequence[ReviewRow], settings: ScoreSettings, bundle: Bundle) -> None:
    """Commit the files that `review_paths` names; of the pictures, one for each row."""
    review = settings.review
    if not review.rows:
        return
    table = _table(rows)
    with files.commit(TABLE) as file:
        writer = CsvPredictions(file, table.schema, escapes_formulas=settings.escapes_formulas)
        writer.write(table)
        writer.close()
    if "sheet" in review.pictures:
        files.write(SHEET, contact_sheet(rows).encode(errors="backslashreplace"))
    if "label-studio" in review.pictures:
        tasks = label_studio.tasks(rows, f"{bundle.name} {bundle.digest[:16]}")
        files.write(TASKS, tasks.encode(errors="backslashreplace"))
        files.write(LABELLING, label_studio.CONFIG.encode())
    if "folders" in review.pictures:
        for each in rows:
            files.write(picture_path(each.number, each.prediction), bright_png(each.pixels))


def _table(rows: Sequence[ReviewRow]) -> pa.RecordBatch:
    """The rows with their pixels: a file that `score` and `train` can read."""
    has_ids = any(each.id is not None for each in rows)
    labels = np.array([NO_LABEL if each.label is None else each.label for each in rows], np.int8)
    pixels = np.frombuffer(b"".join(each.pixels for each in rows), np.uint8).reshape(-1, PIXELS)
    columns = {
        "number": _numbers([each.number for each in rows], np.int64),
        **({"id": _texts([each.id for each in rows])} if has_ids else {}),
        "path": _texts([each.path for each in rows]),
        "row": _numbers([each.row for each in rows], np.int64),
        "label": number_column(labels, labels == NO_LABEL),
        "prediction": _numbers([each.prediction for each in rows], np.int8),
        "confidence": _numbers([each.confidence for each in rows], np.float64),
        "second": _numbers([each.second for each in rows], np.int8),
        "why": _texts([each.why for each in rows]),
        **{f"pixel{index}": number_column(pixels[:, index]) for index in range(PIXELS)},
    }
    return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))


# Not `pa.array`, which imports pandas where it is installed.
def _numbers(values: Sequence[float], kind: type[np.number[Any]]) -> pa.Array:
    return number_column(np.array(values, kind))


def _texts(values: Sequence[str | None]) -> pa.Array:
    """Text, null where there is none. The bytes of a path need not be UTF-8."""
    texts = {
        row: text.encode(errors="backslashreplace").decode() for row, text in enumerate(values) if text is not None
    }
    return sparse_text_column(len(values), texts)
