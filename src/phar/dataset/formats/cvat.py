"""CVAT 1.1 XML, for images and for video; the file itself or the .zip it comes in.

Source: CVAT XML annotation format 1.1, https://docs.cvat.ai/docs/manual/advanced/xml_format/. Frame numbers
are those of the video, also where a task holds every n-th frame only. In a track a shape with `outside="1"`
stands on the first frame in which the object is no longer seen, so a span ends before it; a track that is
never closed goes on to the end of the task. In the form for images an object is listed in each frame anew.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from phar.dataset.formats.document import read_elements
from phar.dataset.formats.mark import Fault, Mark, Parsed, ReadOptions, role_of
from phar.schema import UsageError

_JOBS = ("task", "job")
_SHAPES = ("box", "polygon", "polyline", "points", "cuboid", "ellipse", "mask", "skeleton")
#: Label, category and verdict of one object.
Key = tuple[str, str, str]


@dataclass(frozen=True)
class _Task:
    video: str
    first: int
    step: int
    end: int | None
    """The frame after the last; None where the size is not stated."""


def read_cvat(path: Path, options: ReadOptions) -> Parsed:
    """Read tags and shapes of images, and tracks, as spans of frames.

    Attributes named category or verdict (`mark.ROLES`) are taken over.

    Raises:
        UsageError: the file cannot be read or is not CVAT's.
    """
    parsed = Parsed()
    tasks: dict[str, _Task] = {}
    images: dict[tuple[str, Key], list[int]] = defaultdict(list)
    root = None
    for element, above in read_elements(path):
        root = above[0] if above else element.tag
        if above[:2] == ("annotations", "meta") and element.tag in _JOBS:
            tasks[element.findtext("id") or ""] = _task(element)
        elif above == ("annotations",) and element.tag == "image":
            frame = _frame(element.get("id"))
            task = element.get("task_id") or ""
            if frame is None:
                parsed.faults.append(_no_frame(f"image {element.get('name')}"))
                continue
            for child in element:
                if child.tag == "tag" or child.tag in _SHAPES:
                    images[task, _key(child.get("label"), child)].append(frame)
        elif above == ("annotations",) and element.tag == "track":
            _track(element, _of(tasks, element.get("task_id") or ""), parsed, options)
    if root != "annotations":
        raise UsageError(f"{path}: is no CVAT 1.1 file; export as 'CVAT for video 1.1' or 'for images 1.1'")
    for task in tasks.values():
        if task.video:
            parsed.videos.setdefault(task.video, "meta")
    for (task_id, key), frames in images.items():
        task = _of(tasks, task_id)
        for first, end in _runs(frames, task.step):
            where = f"images {first} to {end - task.step}"
            _add(parsed, where, task, key, (first, end), options)
    return parsed


def _track(element: Any, task: _Task, parsed: Parsed, options: ReadOptions) -> None:
    where = f"track {element.get('id')}"
    shapes = []
    for child in element:
        if child.tag in _SHAPES:
            frame = _frame(child.get("frame"))
            if frame is None:
                parsed.faults.append(_no_frame(where))
                return
            shapes.append((frame, child.get("outside") == "1", child))
    shapes.sort(key=lambda shape: shape[0])
    opened: tuple[int, Key] | None = None
    for frame, outside, child in shapes:
        key = _key(element.get("label"), child)
        if opened is not None and (outside or opened[1] != key):
            _add(parsed, f"{where}, frame {opened[0]}", task, opened[1], (opened[0], frame), options)
            opened = None
        if opened is None and not outside:
            opened = (frame, key)
    if opened is None:
        if not any(not outside for _, outside, _ in shapes):
            parsed.faults.append(
                Fault(where, "not-a-span", "is seen in no frame", "draw it, or delete the track")
            )
        return
    at = f"{where}, frame {opened[0]}"
    if task.end is None or task.end <= opened[0]:
        what = "is never closed, and the size of the task is not stated"
        parsed.faults.append(Fault(at, "bad-span", what, "close the track with 'outside'"))
        return
    what = f"is never closed and was taken to go on to frame {task.end - 1}"
    parsed.faults.append(Fault(at, "open-track", what, "close the track with 'outside'", kept=True))
    _add(parsed, at, task, opened[1], (opened[0], task.end), options)


def _add(
    parsed: Parsed, where: str, task: _Task, key: Key, frames: tuple[int, int], options: ReadOptions
) -> None:
    video = options.video or task.video
    if not video:
        fault = Fault(where, "no-video", "names no video", "name it by --video")
        parsed.faults.append(fault)
        return
    label, category, verdict = key
    parsed.marks.append(
        Mark(where, video, label, frames=frames, fps=options.fps, category=category, verdict=verdict)
    )


def _task(element: Any) -> _Task:
    def number(name: str) -> int | None:
        return _frame(element.findtext(name))

    first = number("start_frame") or 0
    filtered = element.findtext("frame_filter") or ""
    step = _frame(filtered.removeprefix("step=").strip()) or 1
    size = number("size")
    name = element.findtext("source") or element.findtext("name") or ""
    return _Task(name.strip(), first, step, None if size is None else first + size * step)


def _of(tasks: Mapping[str, _Task], task_id: str) -> _Task:
    if task_id in tasks:
        return tasks[task_id]
    return next(iter(tasks.values())) if len(tasks) == 1 else _Task("", 0, 1, None)


def _key(label: str | None, element: Any) -> Key:
    held = {role_of(each.get("name") or ""): (each.text or "").strip() for each in element.iter("attribute")}
    return (label or "").strip(), held.get("category", ""), held.get("verdict", "")


def _runs(frames: Iterable[int], step: int) -> list[tuple[int, int]]:
    """Return half-open runs of frames that follow each other at a distance of `step`."""
    runs: list[tuple[int, int]] = []
    for frame in sorted(set(frames)):
        if runs and frame <= runs[-1][1]:
            runs[-1] = (runs[-1][0], frame + step)
        else:
            runs.append((frame, frame + step))
    return runs


def _frame(text: str | None) -> int | None:
    text = (text or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else None


def _no_frame(where: str) -> Fault:
    return Fault(where, "bad-span", "has no frame number", "export it anew from CVAT")
