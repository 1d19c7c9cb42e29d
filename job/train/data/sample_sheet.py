"""A model's test images on a page that looks like a photo, and the truth about it, to try `prepare --sheet` with.

See `rendered_sheet` for how it is drawn, and `sample` for the images as files of pixels.
"""

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.csv

from job.model.bundle import open_bundle
from job.storage import Storage, join
from job.train.data.dataset import read_again
from job.train.data.rendered_sheet import BLUE_INK, YELLOWISH_PAPER, RenderedSheet, SheetLook, render
from job.train.data.sample import refuse_present

_PICTURE_NAME: Final = "sheet.jpg"
_TRUTH_NAME: Final = "sheet.csv"
_SEED: Final = 16

# A page of squared paper with a drawn grid on a table, in the light of a window.
_LOOK: Final = SheetLook(
    rows=9,
    columns=6,
    layout="lined",
    paper="squared",
    digit=88,
    cell=2.0,
    ink=BLUE_INK,
    strength=0.9,
    paper_colour=YELLOWISH_PAPER,
    angle=2.5,
    perspective=0.01,
    light=0.65,
    shadow=0.7,
    table=0.03,
    blur=0.7,
    noise=3,
    quality=75,
)


def write_sample_sheet(
    storage: Storage, model_location: str, output: str, *, mnist_dir: str | None, is_overwriting: bool = False
) -> tuple[str, str]:
    """Write `sheet.jpg`, a page of 54 test images of a model's data, and `sheet.csv`; returns both paths.

    Columns of the latter: `label`, `row`, `column` (from 1), `left`, `top`, `width`, `height` (pixels). Raises as
    `write_sample`.
    """
    folder = storage.resolve(output)
    picture, truth = join(folder, _PICTURE_NAME), join(folder, _TRUTH_NAME)
    refuse_present(storage, (picture, truth), is_overwriting=is_overwriting)
    test = read_again(storage, open_bundle(storage, model_location, allows_unblessed=True), mnist_dir).test
    some = np.random.default_rng(_SEED).permutation(len(test))[: _LOOK.rows * _LOOK.columns]
    sheet = render(test.pixels[some], test.labels[some], _LOOK, _SEED)
    storage.write(picture, sheet.content)
    with storage.commit(truth) as file:
        pyarrow.csv.write_csv(_table(sheet), file, pyarrow.csv.WriteOptions(quoting_header="none"))
    return picture, truth


def _table(sheet: RenderedSheet) -> pa.Table:
    columns = {name: [getattr(digit, name) for digit in sheet.digits] for name in ("label", "row", "column")}
    boxes = np.array([digit.box for digit in sheet.digits]).reshape(-1, 4)
    return pa.table(columns | dict(zip(("left", "top", "width", "height"), boxes.T, strict=True)))
