import csv
import json
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.command import digit_job, invoke
from support.files import PIXEL_NAMES, csv_lines, csv_text, make_digits, write_csv, write_idx
from support.runs import stable_files

DIGITS = make_digits(60, seed=11)
NAMES = [f"scan {row}.png" for row in range(60)]
NAMES[3:9] = ["a, b.png", 'the "7".png', "two\nlines.png", "", " padded ", "Zürich.png"]


def quoted(text):
    """A field as Excel writes it."""
    return '"' + text.replace('"', '""') + '"' if any(each in text for each in '",\n') else text


@pytest.fixture
def folder(tmp_path):
    """A CSV file of digits with an id in front and a file name at the end; three records are bad."""
    (tmp_path / "in").mkdir()
    lines = [
        f"{row + 1000},{line},{quoted(name)}"
        for row, (line, name) in enumerate(zip(csv_lines(DIGITS), NAMES, strict=True))
    ]
    lines[20] = "1020,4" + ",300" * 784 + ",too bright.png"
    lines[30] = "1030,too,few"
    lines[40] = "1040,12" + ",0" * 784 + ",no such digit.png"
    header = ",".join(["id", "label", *PIXEL_NAMES, '"file, if any"'])
    (tmp_path / "in/a.csv").write_text("\r\n".join([header, *lines]), newline="")
    return tmp_path


def score(folder, model, *arguments, **environment):
    """Run `digit-job score` on the folder `in`, with results in `out`."""
    where = ["--input", folder / "in", "--output", folder / "out", "--model", model, "--max-rejects", "5"]
    return invoke("score", *where, *arguments, **environment)


def predictions(folder):
    """The header of the prediction file, and its rows by column."""
    with (folder / "out/predictions/a.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    return header, [dict(zip(header, row, strict=True)) for row in rows]


def test_passthrough_columns_follow_reject_in_the_order_given(folder, model):
    """File names and ids are in the predictions as they were in the input, each in its own row."""
    result = score(folder, model, "--keep", "file, if any", "--keep", "id", "--probabilities")
    assert result.returncode == 0, result.stderr
    header, rows = predictions(folder)
    assert header[:6] == ["prediction", "confidence", "label", "reject", "file, if any", "id"]
    assert header[6:] == [f"p{digit}" for digit in range(10)]
    expected = [*NAMES]
    expected[20], expected[30], expected[40] = "too bright.png", "", "no such digit.png"
    assert [row["file, if any"] for row in rows] == expected
    assert [row["id"] for row in rows] == ["" if row == 30 else str(1000 + row) for row in range(60)]
    assert {row: rows[row]["reject"] for row in (20, 30, 40)} == {
        20: "out_of_range",
        30: "too_few_fields",
        40: "bad_label",
    }


def test_empty_and_missing_fields_differ(folder, model):
    """An empty field becomes an empty text; a field that could not be separated from others becomes null."""
    score(folder, model, "--keep", "file, if any", "--no-label")
    text = (folder / "out/predictions/a.csv").read_text()
    assert '\n,,"too_few_fields",\n' in text
    assert text.count(',,""\n') == 1


def test_passthrough_columns_do_not_change_predictions(folder, model):
    """All other columns are the same with and without --keep."""
    score(folder, model)
    _, plain = predictions(folder)
    score(folder, model, "--keep", "id", "--overwrite")
    _, kept = predictions(folder)
    assert [{name: row[name] for name in plain[0]} for row in kept] == plain


@pytest.mark.parametrize("arguments", [["--part-bytes", "4096", "--threads", "3"], ["--part-bytes", "60000"]])
@pytest.mark.parametrize("has_text", [True, False])
def test_parts_and_threads_change_nothing(folder, model, arguments, has_text):
    """The output has the same bytes for any parts and threads, with text columns and without."""
    if not has_text:
        lines = [f"{row},{line}" for row, line in enumerate(csv_lines(DIGITS))]
        (folder / "in/a.csv").write_text("\n".join([",".join(["id", "label", *PIXEL_NAMES]), *lines]))
    keep = ["--keep", "id", *(["--keep", "file, if any"] if has_text else [])]
    score(folder, model, *keep, "--threads", "1")
    before = stable_files(folder / "out")
    assert score(folder, model, *keep, *arguments, "--overwrite").returncode == 0
    assert stable_files(folder / "out") == before


def test_keep_can_be_set_in_the_environment(folder, model):
    """DIGIT_JOB_KEEP holds one name per line, because names may contain spaces and commas."""
    assert score(folder, model, DIGIT_JOB_KEEP="id\nfile, if any").returncode == 0
    assert predictions(folder)[0][-2:] == ["id", "file, if any"]


def test_another_set_of_columns_is_another_run(folder, model):
    """Passthrough columns are part of a run's fingerprint."""
    score(folder, model, "--keep", "id")
    assert score(folder, model, "--keep", "id").returncode == 0
    assert score(folder, model).returncode == 73


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--keep", "Id"], 65, "has no column 'Id'; found 787 columns (id, label, pixel0, .. file, if any)"),
        (["--keep", "ids"], 65, "did you mean 'id'?"),
        (["--keep", "label"], 2, "--keep label: the predictions of"),
        (["--keep", "id", "--keep", "id"], 2, "--keep id: given twice"),
        (["--keep", "id", "--format", "kaggle"], 2, "--keep and --format kaggle contradict each other"),
        (["--scale", "2"], 2, "Invalid value for '--scale'"),
    ],
)
def test_invalid_columns_are_refused_before_any_work(folder, model, arguments, code, message):
    """Unknown, repeated and colliding names end the command with one line, and nothing is written."""
    result = score(folder, model, *arguments, "--log-format", "text")
    assert result.returncode == code
    assert message in result.stderr
    assert not (folder / "out").exists()


def test_idx_has_no_columns_to_keep(tmp_path, model):
    """IDX files have images only, so every name is refused."""
    (tmp_path / "in").mkdir()
    write_idx(tmp_path / "in", make_digits(3))
    result = score(tmp_path, model, "--keep", "id")
    assert result.returncode == 65
    assert "is IDX, which has no columns and so no 'id'; leave --keep out" in result.stderr


def test_scale_and_transpose_give_the_same_predictions(tmp_path, model):
    """The same digits as fractions, transposed, and as IDX score the same."""
    digits = make_digits(20, seed=4)
    pixels = digits.pixels.reshape(-1, 28, 28).transpose(0, 2, 1).reshape(-1, 784)
    transposed = type(digits)(pixels, digits.labels)
    found = []
    for name, write, arguments in [
        ("plain", lambda place: write_csv(place / "a.csv", digits), []),
        (
            "transposed",
            lambda place: write_csv(place / "a.csv", transposed),
            ["--transpose"],
        ),
        ("idx", lambda place: write_idx(place, transposed), ["--transpose"]),
        ("fractions", lambda place: (place / "a.csv").write_text(fractions(digits)), []),
        ("scale given", lambda place: (place / "a.csv").write_text(fractions(digits)), ["--scale", "1"]),
    ]:
        (tmp_path / name / "in").mkdir(parents=True)
        write(tmp_path / name / "in")
        assert score(tmp_path / name, model, *arguments).returncode == 0
        found += [path.read_text() for path in (tmp_path / name / "out/predictions").iterdir()]
        assert json.loads((tmp_path / name / "out/report.json").read_text())["labelled"] == 20
    assert len(found) == 5
    assert len(set(found)) == 1


def test_inverted_images_score_the_same(tmp_path, model):
    """Byte for byte; the report and the manifest name the flag, and a run without it is another run."""
    digits = make_digits(20, seed=4)
    (tmp_path / "in").mkdir()
    path = write_csv(tmp_path / "in/a.csv", digits)
    assert score(tmp_path, model).returncode == 0
    expected = (tmp_path / "out/predictions/a.csv").read_bytes()
    write_csv(path, type(digits)(255 - digits.pixels, digits.labels))
    refused = score(tmp_path, model, "--invert", "--log-format", "text")
    assert refused.returncode == 73
    assert score(tmp_path, model, "--invert", "--overwrite").returncode == 0
    assert (tmp_path / "out/predictions/a.csv").read_bytes() == expected
    report = json.loads((tmp_path / "out/report.json").read_text())
    assert (report["run"]["settings"]["invert"], " --invert" in report["run"]["command"]) == (True, True)
    assert not any("--invert" in each["message"] for each in report["warnings"])
    assert json.loads((tmp_path / "out/manifest.json").read_text())["settings"]["read"]["is_inverted"]
    assert score(tmp_path, model, "--invert").returncode == 0
    assert score(tmp_path, model).returncode == 73


def fractions(digits):
    """The digits as CSV text with values from 0 to 1."""
    header, *lines = csv_text(digits).splitlines()
    rows = ([label, *(str(int(pixel) / 255) for pixel in pixels)] for label, *pixels in (x.split(",") for x in lines))
    return "\n".join([header, *(",".join(row) for row in rows)])


def test_passthrough_columns_import_no_pandas(folder, model):
    """Text becomes Arrow columns without the conversions that import pandas."""
    arguments = ["score", "--input", folder / "in", "--output", folder / "out", "--model", model, "--keep", "id"]
    code = f"""
import sys
sys.argv = {["digit-job", *map(str, arguments), "--max-rejects", "5"]!r}
from job.cli.app import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
print("imported:", sorted({{"pandas", "numba"}} & set(sys.modules)))
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "imported: []" in result.stdout


def test_formulas_are_escaped_if_asked_for(folder, model):
    """By flag or variable; report and manifest say so, and a run without the flag is another run."""
    path = folder / "in/a.csv"
    path.write_text(path.read_text().replace("scan 2.png", "=1+1"))
    plain = score(folder, model, "--keep", "file, if any")
    assert (plain.returncode, predictions(folder)[1][2]["file, if any"]) == (0, "=1+1")
    assert score(folder, model, "--keep", "file, if any", "--escape-formulas").returncode == 73
    result = score(folder, model, "--keep", "file, if any", "--overwrite", DIGIT_JOB_ESCAPE_FORMULAS="1")
    assert result.returncode == 0, result.stderr
    _, rows = predictions(folder)
    assert (rows[2]["file, if any"], rows[10]["file, if any"]) == ("'=1+1", "scan 10.png")
    report = json.loads((folder / "out/report.json").read_text())
    manifest = json.loads((folder / "out/manifest.json").read_text())
    assert report["run"]["settings"]["escape-formulas"] is manifest["settings"]["escapes_formulas"] is True
    assert "--escape-formulas" in report["run"]["command"]
    assert "--escape-formulas" in (folder / "out/report.html").read_text()
    assert score(folder, model, "--keep", "file, if any").returncode == 73


@pytest.mark.parametrize("suffix", ["parquet", "arrow"])
def test_a_text_of_a_megabyte_is_not_copied_to_each_row(tmp_path, model, suffix):
    """A dictionary holds it once in a file of a megabyte, and the predictions would hold it in each row."""
    rows = 500
    texts = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), pa.array(["x" * (1 << 20)]))
    table = pa.table({"image": pa.array([bytes(784)] * rows, pa.binary(784)), "id": texts})
    source = tmp_path / f"a.{suffix}"
    if suffix == "parquet":
        pq.write_table(table, source)
    else:
        with pa.ipc.new_file(source, table.schema) as writer:
            writer.write_table(table)
    result = digit_job("score", "--input", source, "--output", tmp_path / "out", "--model", model, "--keep", "id")
    assert result.returncode == 65
    assert f"{source}: --keep id: has a text of 1,048,576 bytes, expected at most 65,536" in result.stderr
