"""The local engine: threads of this process, each scoring whole parts."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait

from job.errors import ResourceExhausted, Stopped
from job.flag_names import Flag
from job.score.output import Output
from job.score.part import PartScorer
from job.score.plan import Part, Plan


class ThreadEngine:
    """Threads that take parts until none is left, the first error, or a stop."""

    def __init__(self, check_stop: Callable[[], None]) -> None:
        self._is_asked_to_stop = check_stop
        self._has_failed = threading.Event()
        self.rows = 0

    def check_stop(self) -> None:
        if self._has_failed.is_set():
            raise Stopped("stopped, because another part failed")
        self._is_asked_to_stop()

    def score(self, scorer: PartScorer, plan: Plan, parts: Sequence[Part], output: Output, threads: int) -> None:
        with ThreadPoolExecutor(threads, thread_name_prefix="part") as pool:
            try:
                futures = [
                    pool.submit(scorer.score, part, plan.inputs[part.source], output.part(part)) for part in parts
                ]
            except RuntimeError as refusal:  # Python's word for a thread that the system refuses
                self._has_failed.set()
                pool.shutdown(cancel_futures=True)
                raise ResourceExhausted(
                    f"cannot start {threads} threads; lower {Flag.THREADS}, or allow more threads or memory"
                ) from refusal
            finished, unfinished = wait(futures, return_when=FIRST_EXCEPTION)
            if unfinished:
                self._has_failed.set()
                pool.shutdown(cancel_futures=True)
        errors = [error for future in finished if (error := future.exception())]
        if errors:
            raise errors[0]
        self.rows = sum(future.result() for future in finished)


def bytes_of(plan: Plan, parts: Sequence[Part]) -> int:
    """About how much of the input files some parts are."""
    shares = [len(plan.parts_of(index)) for index in range(len(plan.inputs))]
    return sum(plan.inputs[part.source].source.file.size // shares[part.source] for part in parts)
