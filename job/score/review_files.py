"""`review/` in the output: the rows that people are to look at, as a table, and as pictures where asked for.

    review/  review.csv  sheet.html  label-studio.json  label-studio.xml  pictures/7/000001.png

`gather` chooses the rows (`report.review_rows`). `train --add` reads each of these forms again, once corrected.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from job.contract import PIXELS
from job.model.bundle import Bundle
from job.report import label_studio
from job.report.digits import bright_png
from job.report.review_rows import ReviewRow, contact_sheet
from job.score.output_files import OutputFiles
from job.score.review_paths import LABELLING, SHEET, TABLE, TASKS, picture_path
from job.settings import ScoreSettings
from job.write.predictions import CsvPredictions, number_column


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
    pixels = np.frombuffer(b"".join(each.pixels for each in rows), np.uint8).reshape(-1, PIXELS)
    has_ids = any(each.id is not None for each in rows)
    columns: Mapping[str, pa.Array] = {
        "number": pa.array([each.number for each in rows], pa.int64()),
        **({"id": pa.array([each.id for each in rows], pa.string())} if has_ids else {}),
        "path": pa.array([_readable(each.path) for each in rows], pa.string()),
        "row": pa.array([each.row for each in rows], pa.int64()),
        "label": pa.array([each.label for each in rows], pa.int8()),
        "prediction": pa.array([each.prediction for each in rows], pa.int8()),
        "confidence": pa.array([each.confidence for each in rows], pa.float64()),
        "second": pa.array([each.second for each in rows], pa.int8()),
        "why": pa.array([each.why for each in rows], pa.string()),
        **{f"pixel{index}": number_column(pixels[:, index]) for index in range(PIXELS)},
    }
    return pa.RecordBatch.from_pydict(dict(columns))


def _readable(path: str) -> str:
    """A path as text; the bytes of its name need not be UTF-8."""
    return path.encode(errors="backslashreplace").decode()
