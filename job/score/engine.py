"""The local engine: threads of this process, each of which scores whole parts."""

import threading
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait

from job.errors import ResourceExhausted, Stopped
from job.flag_names import Flag
from job.score.output import Output
from job.score.part import PartScorer
from job.score.plan import Part, Plan
from job.storage import CheckStop


class ThreadEngine:
    """Scores parts in threads until all are done, one fails, or the run is stopped. rows: how many it has scored."""

    def __init__(self, check_stop: CheckStop) -> None:
        self._check_stop = check_stop
        self._has_failed = threading.Event()
        self.rows = 0

    def check_stop(self) -> None:
        """The stop token of the threads: also stops a part once another part has failed."""
        if self._has_failed.is_set():
            raise Stopped("stopped, because another part failed")
        self._check_stop()

    def score(self, scorer: PartScorer, plan: Plan, parts: Sequence[Part], output: Output, threads: int) -> None:
        """Score and commit the parts. Raises the first error of a part, ResourceExhausted if no thread can start."""
        with ThreadPoolExecutor(threads, thread_name_prefix="part") as pool:
            try:
                futures = [
                    pool.submit(scorer.score, part, plan.inputs[part.input_index], output.part_file(plan, part))
                    for part in parts
                ]
                finished, unfinished = wait(futures, return_when=FIRST_EXCEPTION)
            except RuntimeError as refusal:  # Python has no other error for a thread that the system refuses
                self._stop(pool)
                raise ResourceExhausted(
                    f"cannot start {threads} threads; lower {Flag.THREADS}, or allow more threads or memory"
                ) from refusal
            except BaseException:  # such as KeyboardInterrupt, where no handler of the command line's is installed
                self._stop(pool)
                raise
            if unfinished:
                self._stop(pool)
        errors = [error for future in finished if (error := future.exception())]
        if errors:
            raise errors[0]
        self.rows = sum(future.result() for future in finished)

    def _stop(self, pool: ThreadPoolExecutor) -> None:
        """Start no further part, and stop those being scored."""
        self._has_failed.set()
        pool.shutdown(wait=False, cancel_futures=True)
