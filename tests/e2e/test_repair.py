import csv
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from support.command import invoke
from support.files import csv_text, make_digits

README = (Path(__file__).parents[2] / "job/read/README.md").read_text(encoding="utf-8")


@pytest.mark.skipif(sys.platform != "linux", reason="sed -i is GNU's")
def test_a_record_is_corrected_as_the_readme_says(tmp_path, model, monkeypatch):
    """The message and the reject name the line; once it is corrected, every record has a prediction."""
    monkeypatch.chdir(tmp_path)
    table = [line.split(",") for line in csv_text(make_digits(9)).splitlines()]
    table[5][18] = "300"
    Path("digits.csv").write_text("\n".join(",".join(row) for row in table))
    correct, again = re.search(
        r"^line 6: pixel17 is 300, expected 0-255\n\$ (sed .*)\n\$ digit-job (.*)$", README, re.MULTILINE
    ).groups()
    refused = invoke("score", "--input", "digits.csv", "--output", "results", "--model", model)
    assert refused.returncode == 65
    assert "digits.csv line 6: pixel17 is 300, expected 0-255" in refused.stderr
    [line] = Path("results/rejects/digits.csv.jsonl").read_text().splitlines()
    reject = json.loads(line)
    assert (reject["line"], reject["row"], reject["column"], reject["reason"]) == (6, 4, "pixel17", "out_of_range")
    subprocess.run(shlex.split(correct), check=True)
    corrected = invoke(*again.replace("build/model", str(model)).split())
    assert corrected.returncode == 0, corrected.stderr
    rows = list(csv.DictReader(Path("results/predictions/digits.csv").read_text().splitlines()))
    assert [bool(row["prediction"]) for row in rows] == [True] * 9
    assert not Path("results/rejects").exists()
