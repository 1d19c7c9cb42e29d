import base64
import io

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from job.contract import ScoredBatch
from job.figures.slides import draw_figures, short, surest_mistakes
from job.report.metrics import figures
from job.report.tally import Tally

NAMES = ["confusion-matrix.png", "calibration.png", "confidence.png", "mistakes.png"]


def report(*, rows=500, has_labels=True, is_right=False, name="model"):
    """A report on random rows, with the examples of mistakes that a run adds."""
    random = np.random.default_rng(0)
    labels = random.integers(0, 10, rows).astype(np.int8)
    shares = np.exp(random.normal(0, 1, (rows, 10)) + (50 if is_right else 4) * np.eye(10)[labels])
    probabilities = np.round(shares / shares.sum(axis=1, keepdims=True), 6).astype(np.float32)
    predictions = probabilities.argmax(axis=1).astype(np.int8)
    batch = ScoredBatch(predictions, probabilities, labels if has_labels else None, ())
    wrong = np.flatnonzero(predictions != labels) if has_labels else []
    mistakes = [
        {
            "path": "a.csv", "row": int(row), "label": int(labels[row]), "prediction": int(predictions[row]),
            "confidence": float(probabilities[row].max()),
            "pixels": base64.b64encode(random.integers(0, 256, 784, dtype=np.uint8).tobytes()).decode(),
        }
        for row in wrong
    ]  # fmt: skip
    model = {"name": name, "digest": "d" * 64}
    return {**figures(Tally.of(batch)), "examples": {"sure_mistakes": mistakes[:40]}, "model": model}


REPORT = report()


def drawn(storage, folder, content):
    """The bytes of the figures of a report, and what was left out."""
    result = draw_figures(storage, content, str(folder))
    return {path.rpartition("/")[2]: storage.read(path) for path in result.paths}, result.left_out


@pytest.fixture(scope="module")
def usual(tmp_path_factory):
    """The figures of REPORT."""
    from job.storage import LocalStorage

    return drawn(LocalStorage(), tmp_path_factory.mktemp("slides"), REPORT)[0]


def test_every_figure_is_a_slide(usual):
    """A PNG of 1920 x 1080, with nothing cut off at its edges, and no word of who made it when."""
    assert list(usual) == NAMES
    for content in usual.values():
        picture = Image.open(io.BytesIO(content))
        assert (picture.format, picture.size) == ("PNG", (1920, 1080))
        assert set(picture.info) <= {"dpi"}
        ink = np.asarray(picture.convert("L")) < 255
        assert ink.mean() > 0.01
        ink[8:-8, 8:-8] = False
        assert not ink.any()


def test_same_report_same_bytes_whatever_matplotlib_is_set_to(usual, storage, tmp_path):
    """A user's own settings change fonts and colours of everything else, not of these."""
    with mpl.rc_context({"font.size": 40, "axes.facecolor": "red", "savefig.dpi": 30, "lines.linewidth": 9}):
        assert drawn(storage, tmp_path, REPORT)[0] == usual
        assert mpl.rcParams["font.size"] == 40


@pytest.mark.parametrize(
    ("change", "changed"),
    [
        ({"confusion_matrix": (np.array(REPORT["confusion_matrix"]) * 2).tolist()}, "confusion-matrix.png"),
        ({"calibration": {**REPORT["calibration"], "ece": 0.5}}, "calibration.png"),
        ({"confidence_histogram": [7] * 20}, "confidence.png"),
        ({"examples": {"sure_mistakes": REPORT["examples"]["sure_mistakes"][1:]}}, "mistakes.png"),
    ],
)
def test_each_figure_shows_its_own_part_of_the_report(usual, storage, tmp_path, change, changed):
    """Other numbers, other picture; the others stay."""
    found = drawn(storage, tmp_path, {**REPORT, **change})[0]
    assert [name for name in NAMES if found[name] != usual[name]] == [changed]


def test_what_needs_labels_is_left_out_without_them_and_does_not_stay_from_before(storage, tmp_path):
    """Figures of one folder are of one run."""
    drawn(storage, tmp_path, REPORT)
    (tmp_path / "mine.png").write_bytes(b"not ours")
    found, left_out = drawn(storage, tmp_path, report(has_labels=False))
    assert list(found) == ["confidence.png"]
    assert left_out == dict.fromkeys(["confusion-matrix.png", "calibration.png", "mistakes.png"], "no row has a label")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["confidence.png", "mine.png"]


def test_without_mistakes_there_is_no_picture_of_them(storage, tmp_path):
    """The other figures bear that nothing is wrong."""
    found, left_out = drawn(storage, tmp_path, report(is_right=True))
    assert list(found) == NAMES[:3]
    assert left_out == {"mistakes.png": "there is no mistake"}


@pytest.mark.parametrize("count", [1, 4, 5, 10, 11, 24, 40])
def test_pictures_of_mistakes_fill_the_slide_however_many_there_are(count):
    """The fewer, the larger; none is cut off."""
    examples = (REPORT["examples"]["sure_mistakes"] * 40)[:count]
    content = surest_mistakes({**REPORT, "examples": {"sure_mistakes": examples}}, "")
    ink = np.asarray(Image.open(io.BytesIO(content)).convert("L")) < 255
    assert ink[300:, :].any(axis=1).mean() > 0.3
    ink[8:-8, 8:-8] = False
    assert not ink.any()


def test_a_report_without_examples_says_so(storage, tmp_path):
    """As earlier versions wrote it."""
    content = {name: value for name, value in REPORT.items() if name != "examples"}
    assert drawn(storage, tmp_path, content)[1] == {"mistakes.png": "the report has no examples; score again"}


def test_without_any_row_nothing_is_drawn(storage, tmp_path):
    """And that is no error."""
    found, left_out = drawn(storage, tmp_path, report(rows=0))
    assert found == {}
    assert list(left_out) == NAMES
    assert left_out["confidence.png"] == "no row was scored"


def test_one_row_is_enough(storage, tmp_path):
    """The smallest of reports has figures, too."""
    content = report(rows=1)
    assert set(NAMES[:3]) <= set(drawn(storage, tmp_path, content)[0])


@pytest.mark.parametrize("name", ["$x^", "a_b\\frac{", "数字"])
def test_a_model_may_be_called_anything(storage, tmp_path, name):
    """No name is taken for a formula, and letters that the font lacks are no error."""
    assert list(drawn(storage, tmp_path, {**REPORT, "model": {"name": name, "digest": "d" * 64}})[0]) == NAMES


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0"), (9_999, "9,999"), (12_345, "12.3k"), (123_456, "123k"), (4_560_000, "4.6M"), (123_456_789, "123M")],
)
def test_counts_are_short_enough_for_a_cell(count, text):
    """Five characters at most, up to a thousand million."""
    assert short(count) == text
