"""Ends calls of ONNX Runtime that take too long, and those of a run that is being stopped.

A network is tried before it runs (`trial`), but a loop can be as long as an image says. ONNX Runtime asks between two
operators whether to end a call; a thread that lives while there are calls tells it.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import onnxruntime as ort

from job.errors import ModelInvalid, ResourceExhausted
from job.model.bounds import MAX_BATCH_S
from job.storage import CheckStop

_POLL_S: Final = 0.2


class OnnxWatch:
    """Watches the calls of one network, from any thread. options: to be passed to every call."""

    def __init__(self, where: str, check_stop: CheckStop) -> None:
        """where: the file's path, for errors. check_stop: raises where the calls are to end."""
        self.options = ort.RunOptions()
        self._where = where
        self._check_stop = check_stop
        self._lock = threading.Lock()
        self._began: dict[object, float] = {}
        self._is_watching = False
        self._reason: Exception | None = None

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Around a call. Raises ModelInvalid, or what `check_stop` raised, in place of its error if it was ended."""
        call = object()
        with self._lock:
            self._began[call] = time.monotonic()
            if not self._is_watching:
                self._begin()
                self._is_watching = True
        try:
            yield
        except Exception:  # whatever the call raises once it is ended
            if self._reason is not None:
                raise self._reason from None
            raise
        finally:
            with self._lock:
                self._began.pop(call, None)

    def _begin(self) -> None:
        try:
            threading.Thread(target=self._watch, name="onnx-watch", daemon=True).start()
        except RuntimeError as refusal:  # Python has no other error for a thread that the system refuses
            self._began.clear()
            raise ResourceExhausted(f"{self._where}: cannot start a thread; allow more threads or memory") from refusal

    def _watch(self) -> None:
        """Until there are no calls; the next one starts another thread."""
        while True:
            time.sleep(_POLL_S)
            with self._lock:
                began = min(self._began.values(), default=None)
                if began is None:
                    self._is_watching = False
                    return
            self._end_if_due(time.monotonic() - began)

    def _end_if_due(self, seconds: float) -> None:
        """seconds: how long the oldest call has taken."""
        if self._reason is not None:
            return
        try:
            self._check_stop()
        except Exception as error:  # noqa: BLE001  # raised again where the calls are
            self._end(error)
            return
        if seconds > MAX_BATCH_S:
            self._end(
                ModelInvalid(
                    f"{self._where}: has computed one batch of images for {seconds:.0f} s; does the network loop for "
                    "ever? Export it again"
                )
            )

    def _end(self, reason: Exception) -> None:
        self._reason = reason
        self.options.terminate = True
