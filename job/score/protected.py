"""What a run reads must not lie among what it writes or removes: its inputs, its model, its label map.

`run` asks before it claims the output folder. That folder may be inside an input folder; then the results of earlier
runs are found there, and are no input.
"""

import glob
import os
from collections.abc import Sequence

from job.errors import OutputOccupied
from job.flag_names import Flag
from job.score.output import Output
from job.settings import ScoreSettings
from job.storage import FileInfo, Storage, is_within, join


def without_own_output(
    storage: Storage, settings: ScoreSettings, output: Output, files: Sequence[FileInfo]
) -> list[FileInfo]:
    """The files found for a run, except for results of earlier runs in its output folder.

    Raises OutputOccupied if a file is in a place for results and no run has written it; with --overwrite, also if a
    result was named as an input, itself or through a link, and not only found in a folder around the output folder.
    """
    own = [file for file in files if output.holds(file.path)]
    # Asked twice, because a run that finishes meanwhile removes what vouched and writes what does.
    if own and output.unvouched(own) and (foreign := output.unvouched(own)):
        raise OutputOccupied(
            f"{foreign[0].path}: is in a place for results, and no manifest.json or run.json says that a run "
            f"has written it; move it, or choose another {Flag.OUTPUT}"
        )
    if own and settings.is_overwriting:
        roots = [storage.real_path(_literal_part(storage, location)) for location in settings.inputs]
        is_around = any(is_within(output.real_folder, root) for root in roots)
        for file in own:
            if not is_around or _is_link(storage, file.path):
                raise OutputOccupied(
                    f"{file.path}: {Flag.OVERWRITE} would remove this input with the results in {output.folder}; "
                    f"choose another {Flag.OUTPUT}"
                )
    return [file for file in files if file not in own]


def check_model_stays(storage: Storage, settings: ScoreSettings, output: Output) -> None:
    """Raise OutputOccupied if the model, or the label map, is where --overwrite removes results."""
    label_map = settings.read.label_map
    for location in (settings.model_name or settings.model, *([label_map.location] if label_map else [])):
        path = storage.resolve(location)
        if settings.is_overwriting and output.holds(path):
            raise OutputOccupied(
                f"{path}: is among the results in {output.folder}, which {Flag.OVERWRITE} replaces; move it, or choose "
                f"another {Flag.OUTPUT}"
            )


def _literal_part(storage: Storage, location: str) -> str:
    """The path of a location, of a pattern up to its first wildcard."""
    path = storage.resolve(location)
    if storage.is_folder(path) or storage.stat(path) is not None:
        return path
    names = path.split("/")
    first = next((place for place, name in enumerate(names) if glob.has_magic(name)), len(names))
    return "/".join(names[:first]) or "/"


def _is_link(storage: Storage, path: str) -> bool:
    folder, name = os.path.split(path)
    return storage.real_path(path) != join(storage.real_path(folder), name)
