import shutil

import pytest
from support.files import make_digits, write_csv
from support.runs import score, stable_files

from job.errors import DataError, NoInput, OutputOccupied, StorageError
from job.settings import ReadSettings


def _once(output, action):
    """A `check_stop` that calls `action` once, as soon as the run has claimed its output folder."""
    done = []

    def check_stop():
        if not done and (output / "_parts/run.json").exists():
            done.append(True)
            action()

    return check_stop


def test_a_run_that_an_identical_one_overtakes_ends_well(tmp_path, model, digits):
    """The other finished first and removed the parts; its output is this run's result, too."""
    source = write_csv(tmp_path / "a.csv", digits)
    score(source, tmp_path / "undisturbed", model)

    def overtake():
        assert not score(source, tmp_path / "out", model).was_done

    result = score(source, tmp_path / "out", model, check_stop=_once(tmp_path / "out", overtake))
    assert result.report["rows"]["read"] == len(digits)
    assert stable_files(tmp_path / "out") == stable_files(tmp_path / "undisturbed")
    assert not (tmp_path / "out/_parts").exists()


def test_parts_that_disappear_are_a_storage_error(tmp_path, model, digits):
    """Nobody has finished the run, so that the same command starts over."""
    source, output = write_csv(tmp_path / "a.csv", digits), tmp_path / "out"
    with pytest.raises(StorageError, match="_parts/"):
        score(source, output, model, check_stop=_once(output, lambda: shutil.rmtree(output / "_parts")))
    assert not score(source, output, model).was_done


def test_input_and_output_may_share_a_folder(tmp_path, model, digits):
    """With --overwrite only; the output is never taken for input."""
    write_csv(tmp_path / "a.csv", digits)
    with pytest.raises(OutputOccupied, match=r"a\.csv"):
        score(tmp_path, tmp_path, model)
    assert not score(tmp_path, tmp_path, model, is_overwriting=True).was_done
    assert score(tmp_path, tmp_path, model, is_overwriting=True).was_done


def test_output_below_the_input_through_a_link(tmp_path, model, digits):
    """The second run does not read the predictions of the first, whichever of the two paths has the link."""
    (tmp_path / "real").mkdir()
    write_csv(tmp_path / "real/a.csv", digits)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    score(tmp_path / "link", tmp_path / "real/out", model)
    assert score(tmp_path / "link", tmp_path / "real/out", model).was_done
    assert score(tmp_path / "real", tmp_path / "link/out", model).was_done
    (tmp_path / "real/b.csv").symlink_to(tmp_path / "real/out/predictions/a.csv")
    assert score(tmp_path / "real", tmp_path / "real/out", model).was_done


def test_a_run_over_its_own_output_has_no_input(tmp_path, model, digits):
    """Predictions are CSV files, too."""
    score(write_csv(tmp_path / "a.csv", digits), tmp_path / "out", model)
    before = stable_files(tmp_path / "out")
    with pytest.raises(NoInput, match="holds nothing but this job's own output"):
        score(tmp_path / "out", tmp_path / "out", model)
    assert stable_files(tmp_path / "out") == before


def test_a_scale_that_no_image_shows_is_refused(tmp_path, model):
    """Blank images at the start tell nothing; a file that turns out to be binary is not scored by a guess."""
    digits = make_digits(400)
    digits.pixels[:150] = 0
    digits.pixels[150:] = digits.pixels[150:] > 200
    path = write_csv(tmp_path / "a.csv", digits)
    with pytest.raises(DataError, match=r"a\.csv: no pixel is above 63, .* with --overwrite, and with --scale 1 or"):
        score(path, tmp_path / "out", model, part_bytes=100_000)
    assert not (tmp_path / "out/_SUCCESS").exists()
    settings = ReadSettings(scale="1")
    assert not score(path, tmp_path / "out", model, read=settings, is_overwriting=True).was_done
