import numpy as np
import pytest
from bench_digits.sets import digit_sets, resized

from job.read.source import files_at, look
from job.settings import ReadSettings
from job.storage import LocalStorage


def test_the_whole_picture_is_resized():
    """Ink stays where it is, as a share of the picture, and as bright as it was."""
    images = np.zeros((1, 8, 8))
    images[0, :4, 4:] = 16
    found = resized(images, 16).reshape(28, 28)
    assert found[2:12, 16:26].min() == 255
    assert found[:, :10].max() == found[18:].max() == 0


def test_exams_are_left_out_while_something_is_chosen(tmp_path):
    """USPS's training half stands for its test half."""
    assert {each.name for each in digit_sets(tmp_path, tmp_path, is_trying=True)} == {"USPS train", "optdigits"}
    exams = digit_sets(tmp_path, tmp_path)
    assert [each.name for each in exams] == ["USPS test", "Semeion", "optdigits", "MNIST t10k"]
    assert [each.missing for each in exams][2] is None
    assert "usps.h5 is not there" in exams[0].missing


@pytest.mark.parametrize("has_joined", [False, True])
def test_broken_records_of_semeion_are_left_out(tmp_path, has_joined):
    """The first one lies on several lines. In some copies a last column has the ten before it as one word."""
    random = np.random.default_rng(0)
    lines = []
    for digit in (3, 7):
        classes = ["1" if digit == each else "0" for each in range(10)]
        joined = ["".join(classes)] if has_joined else []
        lines.append("\t".join([*map(str, random.integers(0, 2, 256)), *classes, *joined]))
    (tmp_path / "semeion.data").write_text(lines[0].replace("\t", "\n", 5) + "\n" + "\n".join(lines) + "\n")
    semeion = next(each for each in digit_sets(tmp_path, tmp_path) if each.name == "Semeion")
    found = semeion.read()
    assert found.labels.tolist() == [3, 7]
    assert found.pixels.shape == (2, 784)


def test_the_file_is_what_score_reads(tmp_path):
    """With a label; it is written once."""
    optdigits = digit_sets(tmp_path, tmp_path, is_trying=True)[1]
    path = optdigits.csv(tmp_path)
    written = path.stat().st_mtime_ns
    (source,) = look(LocalStorage(), files_at(LocalStorage(), [str(path)]), ReadSettings())
    assert source.has_labels
    assert optdigits.csv(tmp_path).stat().st_mtime_ns == written
