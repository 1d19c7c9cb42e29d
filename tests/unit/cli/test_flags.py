import logging

import pytest

from job.cli.flags import log_overwriting


@pytest.mark.parametrize(
    ("value", "is_overwriting", "is_logged"), [("1", True, True), (None, True, False), ("0", False, False)]
)
def test_the_log_says_that_overwriting_comes_from_the_environment(
    monkeypatch, caplog, value, is_overwriting, is_logged
):
    """Not if it comes from the command line alone, or if it is set to no."""
    monkeypatch.delenv("DIGIT_JOB_OVERWRITE", raising=False)
    if value:
        monkeypatch.setenv("DIGIT_JOB_OVERWRITE", value)
    with caplog.at_level(logging.INFO):
        log_overwriting(is_overwriting=is_overwriting)
    assert ("DIGIT_JOB_OVERWRITE is set in the environment" in caplog.text) == is_logged
