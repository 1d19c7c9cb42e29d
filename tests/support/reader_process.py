"""A process that reads files and may die of one: `ReaderProcess`, which starts another then.

Its memory is limited, so that whatever is allocated by a size that a file makes up fails.
"""

import contextlib
import json
import os
import re
import resource
import select
import subprocess
import sys
from pathlib import Path

_MEMORY_BYTES = 3 << 30
_HEAD_BYTES = 4
_MOST_MIB = 1024
_PATH = "/in/a.csv"
_DATA = 65


class ReaderProcess:
    """Reads files one after another in a process of its own.

    seconds: the most that a file may take. scale: of the pixels, as `--scale` has it.
    """

    def __init__(self, seconds=10, scale="255"):
        self._seconds = seconds
        self._scale = scale
        self._process = None

    def read(self, content):
        """What became of a file: {"rows": n, "announced": n} or {"code": 65, "error": text}, and "mib", the peak.

        {"died": exit code} if the process did, {"died": "timeout"} if it did not answer in time.
        """
        if self._process is None:
            self._process = self._started()
        process = self._process
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(len(content).to_bytes(_HEAD_BYTES, "little") + content)
            process.stdin.flush()
        is_ready, _, _ = select.select([process.stdout], [], [], self._seconds)
        line = process.stdout.readline() if is_ready else b""
        if line:
            return json.loads(line)
        code = process.wait() if is_ready else "timeout"
        self.close()
        return {"died": code}

    def close(self):
        """End the process."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.stdout.close()
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()
            process.wait()

    def _started(self):
        paths = os.pathsep.join([str(Path(__file__).parent.parent), *sys.path])
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "support.reader_process", self._scale],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": paths},
        )


def problem(answer):
    """What is wrong with an answer of `ReaderProcess.read`; None if the file was read or refused as it should be."""
    if "died" in answer:
        return f"the process died: {answer['died']}"
    if "code" in answer:
        is_good = answer["code"] == _DATA and answer["error"].startswith(_PATH)
        return None if is_good else f"refused with {answer['code']}: {answer['error']}"
    if answer["announced"] not in {None, answer["rows"]}:
        return f"{answer['rows']} of {answer['announced']} rows were read"
    return f"{answer['mib']} MiB of memory" if answer["mib"] > _MOST_MIB else None


def _serve():
    from job.errors import DigitJobError
    from job.settings import ReadSettings
    from support.memory_storage import source_in_memory

    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    while head := sys.stdin.buffer.read(_HEAD_BYTES):
        content = sys.stdin.buffer.read(int.from_bytes(head, "little"))
        try:
            storage, source = source_in_memory(content, ReadSettings(scale=sys.argv[1]))
            found = sum(len(batch.pixels) for span in source.split(1) for batch in source.read(storage, span, 1024))
            answer = {"rows": found, "announced": source.rows}
        except DigitJobError as error:
            answer = {"code": int(error.exit_code), "error": str(error)}
        except Exception as error:  # noqa: BLE001
            answer = {"code": 70, "error": f"{type(error).__name__}: {error}"}
        answer["mib"] = _peak_mib()
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _peak_mib():
    """The most memory that this process has held; getrusage would begin with what its parent holds."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) >> 10


if __name__ == "__main__":
    _serve()
