import os
import subprocess
import sys

import pytest
from support.files import PIXEL_NAMES, csv_lines, make_digits


def peak_bytes(folder, model, rows):
    """The peak memory of a scoring process over a CSV of so many rows."""
    source = folder / f"{rows}.csv"
    block = "\n".join(csv_lines(make_digits(1000))) + "\n"
    with source.open("w") as file:
        file.write(",".join(["label", *PIXEL_NAMES]) + "\n")
        for _ in range(rows // 1000):
            file.write(block)
    command = [sys.executable, "-c", "from job.cli import main; main()", "score", "--input", source]
    command += ["--output", folder / f"out-{rows}", "--model", model, "--threads", "2"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    source.unlink()
    return usage.ru_maxrss * 1024


@pytest.mark.slow
def test_memory_does_not_grow_with_the_input(tmp_path, model):
    """Five times the rows take less than a tenth more memory."""
    assert peak_bytes(tmp_path, model, 100_000) < 1.1 * peak_bytes(tmp_path, model, 20_000)
