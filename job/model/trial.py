"""Runs a function on a model file from elsewhere in a process of its own, which is killed if it takes too long.

A file can make the library that reads it loop for ever, take any amount of memory, or crash. Nothing in a card speaks
against that: who makes the one can make the other. `onnx_predictor` tries ONNX files, `train.export.claims` HDF5 files.

The process is a new interpreter, because a process with threads cannot be forked safely. It gets a JSON line and the
file on its standard input, and answers with a JSON line on its standard output.
"""

import contextlib
import importlib
import json
import math
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any, BinaryIO, Final, NoReturn

from job import errors
from job.errors import OUT_OF_MEMORY, DigitJobError, ModelInvalid, ResourceExhausted
from job.model.bounds import MAX_TRIAL_BYTES, MAX_TRIAL_S
from job.storage import CheckStop, never_stop, translated_errors

_RUN: Final = "import sys; sys.path[:] = {path!r}; from job.model.trial import answer; answer()"
_POLL_S: Final = 0.1
_MOST_KILLABLE: Final = b"1000"


def tried(
    function: Callable[..., Any],
    content: bytes,
    where: str,
    *,
    check_stop: CheckStop = never_stop,
    limit_s: float = MAX_TRIAL_S,
    **arguments: Any,
) -> Any:
    """The result of `function(content, where, **arguments)`, computed in another process.

    function: of a module, with JSON values as arguments and result. content: of the file; where: its path, for errors.
    Raises the function's own errors of `job.errors`, and ModelInvalid where the process crashes, takes longer than
    `limit_s` or more memory than `bounds` allows; also what `check_stop` raises.
    """
    call = {
        "module": function.__module__,
        "name": function.__name__,
        "where": where,
        "arguments": arguments,
        "limit_s": limit_s,
    }
    command = [sys.executable, "-P", "-c", _RUN.format(path=sys.path)]
    # Input by a file, because `communicate` may forget the rest of its input after a timeout.
    with translated_errors("the folder for temporary files"), tempfile.TemporaryFile() as request:
        request.write(json.dumps(call).encode() + b"\n")
        request.write(content)
        request.seek(0)
        process = subprocess.Popen(  # noqa: S603  # this interpreter and this module
            command, stdin=request, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
        )
    with process:
        try:
            result = _result(process, where, check_stop, limit_s)
        finally:
            process.kill()
    check_stop()
    if process.returncode or not result:
        _raise_death(process.returncode, where)
    answer = json.loads(result)
    if "error" in answer:
        raise _error(answer["error"], answer["message"])
    return answer["result"]


def _result(process: subprocess.Popen[bytes], where: str, check_stop: CheckStop, limit_s: float) -> bytes:
    """What the process writes until it ends."""
    deadline = time.monotonic() + limit_s
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.communicate(timeout=_POLL_S)[0]
        check_stop()
        if time.monotonic() > deadline:
            raise ModelInvalid(
                f"{where}: was tried in a process of its own, which did not end within {limit_s:g} s; does the network "
                "loop for ever? Export it again"
            )


def _raise_death(code: int, where: str) -> NoReturn:
    """Raise the error for a process that ended without an answer."""
    if code == -signal.SIGKILL:
        raise ResourceExhausted(f"{where}: was tried in a process of its own, which was killed: {OUT_OF_MEMORY}")
    with contextlib.suppress(ValueError):  # an exit code, or a signal of another system
        raise ModelInvalid(
            f"{where}: crashes the library that reads it ({signal.Signals(-code).name}): it is damaged, or made to; "
            "export or copy it again"
        )
    raise ModelInvalid(f"{where}: ends the process that reads it with {code}; export or copy it again")


def _error(name: str, message: str) -> DigitJobError:
    kind = getattr(errors, name)
    return kind(message) if issubclass(kind, DigitJobError) else ModelInvalid(message)


def answer() -> None:
    """What the process of `tried` does: read a call from standard input, and answer on standard output."""
    with open(os.dup(1), "wb") as output:
        # What libraries print goes nowhere.
        os.dup2(2, 1)
        call = json.loads(sys.stdin.buffer.readline())
        has_limit = _limit_resources(call["limit_s"])
        try:
            _answer(output, call)
        except (DigitJobError, MemoryError) as error:
            _write(output, **_described(error, call["where"], has_limit=has_limit))


def _answer(output: BinaryIO, call: dict[str, Any]) -> None:
    content = sys.stdin.buffer.read()
    function = getattr(importlib.import_module(call["module"]), call["name"])
    _write(output, result=function(content, call["where"], **call["arguments"]))


def _described(error: Exception, where: str, *, has_limit: bool) -> dict[str, str]:
    """An error as JSON values. has_limit: whether the limit of memory is this module's own."""
    if not isinstance(error, (MemoryError, ResourceExhausted)):
        return {"error": type(error).__name__, "message": str(error)}
    if not has_limit:
        return {"error": ResourceExhausted.__name__, "message": f"{where}: {OUT_OF_MEMORY}"}
    gibibytes = MAX_TRIAL_BYTES >> 30
    return {
        "error": ModelInvalid.__name__,
        "message": f"{where}: needs more than {gibibytes} GiB of memory; expected a network for digits",
    }


def _write(output: BinaryIO, **content: Any) -> None:
    output.write(json.dumps(content).encode() + b"\n")


def _limit_resources(limit_s: float) -> bool:
    """Bound this process where the system can; whether the bound of memory is `MAX_TRIAL_BYTES`, not the user's."""
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "wb") as file:
        # Where memory runs out all the same, Linux ends this process and not the one that waits for it.
        file.write(_MOST_KILLABLE)
    try:
        import resource
    except ImportError:  # Windows
        return False
    # Should the process that waits for it be killed, only this limit ends it.
    resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(limit_s) + 1, resource.getrlimit(resource.RLIMIT_CPU)[1]))
    limits = [resource.getrlimit(kind) for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA)]
    if any(soft != resource.RLIM_INFINITY for soft, _ in limits):
        return False
    resource.setrlimit(resource.RLIMIT_DATA, (MAX_TRIAL_BYTES, limits[1][1]))
    return True
