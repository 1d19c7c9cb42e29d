from dataclasses import replace

import pytest
from support.files import make_digits, write_csv

from job.errors import DataError, InputChanged
from job.model.bundle import open_bundle, predictor_of
from job.read.source import files_at, look
from job.score.forms import settle_forms
from job.settings import ReadSettings, ScoreSettings
from job.storage import LocalStorage


class _Damaged:
    """A source whose records cannot be read. file: as it was when it was looked at."""

    def __init__(self, source, file):
        self._source, self.file, self.files = source, file, (file,)

    def split(self, part_bytes):
        return self._source.split(part_bytes)

    def read(self, *_arguments):
        raise DataError(f"{self.file.path}: is damaged")


@pytest.mark.parametrize(("version", "error"), [(None, DataError), ("earlier", InputChanged)])
def test_a_file_that_is_being_written_to_is_not_called_damaged(tmp_path, model, version, error):
    """Its first records are read before any part is; a file that has changed since it was found can be read again."""
    storage = LocalStorage()
    path = str(write_csv(tmp_path / "a.csv", make_digits(20)))
    (source,) = look(storage, files_at(storage, [path]), ReadSettings())
    file = replace(source.file, version=version or source.file.version)
    bundle = open_bundle(storage, str(model))
    settings = ScoreSettings((path,), str(tmp_path / "out"), str(model))
    with pytest.raises(error):
        settle_forms([_Damaged(source, file)], storage, settings, bundle, predictor_of(bundle))
