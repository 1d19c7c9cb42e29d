"""The local engine: threads of this process, each of which works on whole parts."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from functools import partial

from job.errors import ResourceExhausted, Stopped
from job.flag_names import Flag
from job.score.output import Output
from job.score.part import PartScorer
from job.score.plan import Part, Plan
from job.storage import CheckStop


class ThreadEngine:
    """Works on parts in threads until all are done, one fails, or the run is stopped. rows: how many that were."""

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
        """Score and commit the parts. Raises as `run` does."""
        tasks = [
            partial(scorer.score, part, plan.inputs[part.input_index], output.part_file(plan, part)) for part in parts
        ]
        self.run(tasks, threads)

    def run(self, tasks: Sequence[Callable[[], int]], threads: int) -> None:
        """Call the tasks, one for each part, which return their rows.

        Raises the first error of a task, ResourceExhausted if no thread can start.
        """
        with ThreadPoolExecutor(threads, thread_name_prefix="part") as pool:
            try:
                futures = [pool.submit(task) for task in tasks]
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
