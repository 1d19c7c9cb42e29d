"""Which parts of a run are one shard's, and what is left to the others.

Shards are processes, here or on other machines, that make the same plan and share an output folder, and nothing else.
Each commits its own share; whichever finds every part there gathers, and two may find so at once.
"""

from collections.abc import Sequence

from job.errors import StorageError
from job.score.output import Output
from job.score.plan import Part, Plan
from job.settings import Shard


def share(parts: Sequence[Part], shard: Shard | None) -> list[Part]:
    """A shard's parts; all of them where there are no shards. Dealt out in turn, so that large files are shared."""
    return [part for part in parts if shard is None or part.index % shard.count == shard.index]


def missing_parts(plan: Plan, output: Output, shard: Shard | None) -> list[Part]:
    """The other shards' parts that are not there, once this one's are.

    Raises StorageError where one of its own is missing, or all is done: another has gathered, and tidied up, meanwhile.
    """
    committed = {*output.committed(plan)}
    missing = [part for part in plan.parts if part not in committed]
    # Asked after the look: _SUCCESS is written before the parts are taken away.
    if missing and (share(missing, shard) or output.is_finished(plan)):
        raise StorageError(f"{output.parts}: a part is gone while the run was writing; run the same command again")
    return missing
