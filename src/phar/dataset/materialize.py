"""Write the clips of a manifest as files, in folders by split, class and category."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from phar.dataset.manifest import NAME, Clip, write_manifest
from phar.media import write_excerpt
from phar.schema import OutputError

_OWN = re.compile(r"[0-9a-f]{16}\.mp4")


def materialize(clips: Sequence[Clip], folder: Path, told: Callable[[int], None] | None = None) -> list[Clip]:
    """Write each clip once as `folder/split/class/category/id.mp4`, and a manifest of the files.

    Files that are there already are kept, those of clips that are no longer in the manifest are removed; so
    a data set that changes little is rewritten little.

    Args:
        clips: the manifest.
        folder: where to; made if needed.
        told: told after each clip how many are done.

    Returns:
        The clips as they stand in the new manifest: whole files, from 0 on.

    Raises:
        MediaError: a video cannot be opened.
        OutputError: a file cannot be written.
    """
    written: dict[tuple[str, str], Path] = {}
    for clip in clips:
        parts = (clip.split, _name(clip.label), _name(clip.category or "-"))
        written.setdefault((clip.id, clip.split), folder.resolve().joinpath(*parts, f"{clip.id}.mp4"))
    wanted = set(written.values())
    try:
        for path in folder.glob("*/*/*/*.mp4"):
            if path.resolve() not in wanted and _OWN.fullmatch(path.name):
                path.unlink()
        for path in wanted:
            path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written ({error.strerror}); choose another place") from None
    done = set()
    for clip in clips:
        path = written[clip.id, clip.split]
        if path not in done:
            if not path.is_file():
                write_excerpt(clip.video, clip.start_s, clip.end_s, path)
            done.add(path)
            if told is not None:
                told(len(done))
    files = [
        replace(
            clip,
            video=written[clip.id, clip.split],
            start_s=0.0,
            end_s=round(clip.end_s - clip.start_s, 6),
            shot_s=0.0,
        )
        for clip in clips
    ]
    write_manifest(files, folder / NAME)
    return files


def _name(text: str) -> str:
    """A name that is one folder on any system."""
    return re.sub(r"[^\w\- ()]+", "_", text).strip(" .") or "_"
