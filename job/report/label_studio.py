"""Rows to review as tasks for Label Studio: a JSON file to import, and the labelling configuration that it needs.

Source: Label Studio's documentation, "Basic Label Studio JSON format" and "Import pre-annotated data".
`train.data.corrected_tasks` reads what people export again.
"""

import json
from collections.abc import Sequence
from typing import Any, Final

from job.contract import CLASS_NAMES
from job.report.digits import bright_data_uri
from job.report.review_rows import ReviewRow

# The tags of the configuration, which the results of tasks name.
_IMAGE: Final = "image"
CHOICES: Final = "digit"

_BUTTONS: Final = "".join(f'    <Choice value="{name}" hotkey="{name}"/>\n' for name in CLASS_NAMES)
CONFIG: Final = f"""<View>
  <Header value="Which digit is this?"/>
  <Image name="{_IMAGE}" value="$image" width="280px"/>
  <Choices name="{CHOICES}" toName="{_IMAGE}" choice="single" showInline="true">
{_BUTTONS}  </Choices>
</View>
"""


def tasks(rows: Sequence[ReviewRow], model_version: str) -> str:
    """The tasks as JSON, one for each row, with its prediction. model_version: how Label Studio names the model."""
    return json.dumps([_task(each, model_version) for each in rows], indent=1, ensure_ascii=False) + "\n"


def _task(row: ReviewRow, model_version: str) -> dict[str, Any]:
    return {
        "data": {
            "image": bright_data_uri(row.pixels),
            "number": row.number,
            "id": row.id,
            "path": row.path,
            "row": row.row,
            "label": row.label,
            "prediction": row.prediction,
            "confidence": row.confidence,
            "second": row.second,
            "why": row.why,
        },
        "predictions": [
            {
                "model_version": model_version,
                "score": row.confidence,
                "result": [
                    {
                        "from_name": CHOICES,
                        "to_name": _IMAGE,
                        "type": "choices",
                        "value": {"choices": [CLASS_NAMES[row.prediction]]},
                    }
                ],
            }
        ],
    }
