"""How far a training is: a bar on a terminal."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress


class TrainProgress:
    """A bar over the training steps, on a terminal; silent elsewhere."""

    def __init__(self, bar: "Progress") -> None:
        self._bar = bar
        self._task = bar.add_task("training", total=None, start=False)

    def __call__(self, done: int, total: int) -> None:
        """`done` of `total` steps are made."""
        if self._bar.tasks[self._task].total is None:
            self._bar.start_task(self._task)
        self._bar.update(self._task, total=total, completed=done)


@contextmanager
def train_progress(*, is_quiet: bool = False) -> Iterator[TrainProgress]:
    """A progress display for a training run."""
    from rich.console import Console  # noqa: PLC0415  # a tenth of a second that help need not
    from rich.progress import (  # noqa: PLC0415  # the same
        BarColumn,
        Progress,
        SpinnerColumn,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    with Progress(
        SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn(),
        console=console, transient=True, disable=is_quiet or not console.is_terminal,
        redirect_stdout=False, redirect_stderr=True,
    ) as bar:  # fmt: skip
        yield TrainProgress(bar)
