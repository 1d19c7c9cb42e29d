"""Tasks for Label Studio, in the form that its documentation gives."""

import base64
import io
import json
import re

import numpy as np
from PIL import Image
from support.scored import scored_batch

from job.report import label_studio
from job.report.examples import Examples
from job.report.review_rows import review_rows


def attributes(tag):
    """The attributes of each element of this name in the configuration."""
    return [dict(re.findall(r'(\w+)="([^"]*)"', text)) for text in re.findall(f"<{tag} ([^>]*)>", label_studio.CONFIG)]


def rows_of(count):
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (50, 784), dtype=np.uint8)
    examples = Examples.of(scored_batch(random, 50), pixels)
    return review_rows(examples, ["a.csv"], count, are_labels_judged=True)


def test_tasks_have_the_form_that_label_studio_imports():
    """A list of tasks: `data` with what the configuration names, and a prediction by the same names."""
    rows = rows_of(5)
    tasks = json.loads(label_studio.tasks(rows, "model 1"))
    image, choices = (attributes(tag)[0] for tag in ("Image", "Choices"))
    assert len(tasks) == 5
    for task, row in zip(tasks, rows, strict=True):
        assert set(task) == {"data", "predictions"}
        (prediction,) = task["predictions"]
        (result,) = prediction["result"]
        assert result == {
            "from_name": choices["name"],
            "to_name": image["name"],
            "type": "choices",
            "value": {"choices": [str(row.prediction)]},
        }
        assert choices["toName"] == image["name"]
        assert prediction["score"] == row.confidence
        assert prediction["model_version"] == "model 1"
        assert task["data"]["row"] == row.row
        kind, content = task["data"][image["value"].removeprefix("$")].split(",")
        assert kind == "data:image/png;base64"
        picture = Image.open(io.BytesIO(base64.b64decode(content)))
        assert (picture.mode, picture.size) == ("L", (28, 28))
        assert picture.tobytes() == row.pixels


def test_the_configuration_offers_ten_digits():
    """Each with its key."""
    assert [(each["value"], each["hotkey"]) for each in attributes("Choice")] == [
        (str(digit), str(digit)) for digit in range(10)
    ]
