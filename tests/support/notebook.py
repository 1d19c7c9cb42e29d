"""A Jupyter kernel that runs cells, as a notebook does: `python -m support.notebook < cells.json`, in its own process.

Reads a list of cells and prints a list of what each one shows: `text`, what it prints, and `data`, its result by media
type. An error in a cell ends it.
"""

import json
import sys

from jupyter_client.manager import start_new_kernel

_TIMEOUT_S = 120


def run(cells):
    """What each cell shows."""
    manager, client = start_new_kernel(startup_timeout=_TIMEOUT_S)
    try:
        return [_shown(client, cell) for cell in cells]
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def _shown(client, cell):
    text, data = [], {}

    def on_output(message):
        content = message["content"]
        match message["msg_type"]:
            case "stream":
                text.append(content["text"])
            case "execute_result" | "display_data":
                data.update(content["data"])
            case "error":
                sys.exit("\n".join(content["traceback"]))

    client.execute_interactive(cell, output_hook=on_output, timeout=_TIMEOUT_S)
    return {"text": "".join(text), "data": data}


if __name__ == "__main__":
    json.dump(run(json.load(sys.stdin)), sys.stdout)
