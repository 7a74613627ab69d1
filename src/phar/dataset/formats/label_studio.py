"""Label Studio JSON and JSON-MIN: timeline labels, and choices about the whole video.

Source: Label Studio's TimelineLabels and Video tags, https://labelstud.io/tags/timelinelabels.html: a range
holds the 1-based first and last frame, both inside. Frames are counted by the `frameRate` of the labelling
config, 24 where it states none, not by the video's own frames.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from phar.dataset.formats.document import read_json
from phar.dataset.formats.mark import (
    Fault,
    Mark,
    Parsed,
    ReadOptions,
    number_of,
    role_of,
    verdict_of,
)
from phar.schema import UsageError

_RATE_NOTE = "state the rate in the task's data as fps, or by --fps (24 where the config has no frameRate)"
_VIDEO_ENDS = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".ts", ".mpg", ".mpeg", ".wmv", ".flv")


def is_label_studio(document: object) -> bool:
    """Whether parsed JSON looks like Label Studio's."""
    tasks: list[Any] = document if isinstance(document, list) else [document]
    if not all(isinstance(task, dict) for task in tasks):
        return False
    return any(isinstance(task.get("data"), dict) or _video(task) for task in tasks)


def read_label_studio(path: Path, options: ReadOptions) -> Parsed:
    """Read the annotations of every task; predictions and cancelled annotations are only counted.

    Of a task with annotations marked as ground truth, those alone are read. A choice about the whole video
    is a label of all of it, or, if it is the word of a verdict, the verdict of all the task's spans; a
    choice made for one region holds for that region. Choices under a name such as category are categories.

    Raises:
        UsageError: the file cannot be read or is not Label Studio's.
    """
    document = read_json(path)
    if isinstance(document, list) and not document:
        return Parsed()
    if not is_label_studio(document):
        raise UsageError(f"{path}: is no Label Studio export; export as JSON")
    parsed = Parsed()
    for number, task in enumerate(document if isinstance(document, list) else [document], 1):
        _task(parsed, f"task {task.get('id', number)}", task, options)
    return parsed


def _task(parsed: Parsed, where: str, task: Mapping[str, Any], options: ReadOptions) -> None:
    data = task["data"] if isinstance(task.get("data"), dict) else task
    video = options.video or _video(data)
    if not video:
        parsed.faults.append(Fault(where, "no-video", "names no video", "name it in the data as video"))
        return
    fps = options.fps or next(
        (number for key, value in data.items() if role_of(key) == "fps" and (number := number_of(value))),
        None,
    )
    results = _results(parsed, where, task)
    if results is None:
        return
    parsed.videos.setdefault(video, where)
    if fps is None and any(isinstance(result["value"].get("ranges"), list) for _, result in results):
        what = "states no frame rate; the video's own was taken"
        parsed.faults.append(Fault(where, "frame-rate", what, _RATE_NOTE, kept=True))
    choices = [(at, result) for at, result in results if result["type"] == "choices"]
    whole, regions, held = _whole_video(choices, results)
    for at, result in results:
        if result["type"] != "choices":
            _region(parsed, at, video, fps, result, {**held, **regions.get(_id(result), {})})
    for at, label in whole:
        parsed.marks.append(Mark(at, video, label, **_texts(held)))
    if held.get("verdict") and verdict_of(held["verdict"]) == "complete":
        parsed.marks.append(Mark(where, video, "", verdict="complete"))


def _whole_video(
    choices: list[tuple[str, Any]], results: list[tuple[str, Any]]
) -> tuple[list[tuple[str, str]], dict[Any, dict[str, str]], dict[str, str]]:
    """Sort choices: labels of the whole video, what is said of single regions, what is said of all."""
    spans = {_id(result) for _, result in results if result["type"] != "choices"}
    whole: list[tuple[str, str]] = []
    regions: dict[Any, dict[str, str]] = {}
    held: dict[str, str] = {}
    for at, result in choices:
        role = role_of(str(result.get("from_name", "")))
        chosen = [str(each) for each in _list(result["value"].get("choices"))]
        target = regions.setdefault(_id(result), {}) if _id(result) in spans else held
        for each in chosen:
            if role in ("category", "verdict"):
                target[role] = each
            elif verdict_of(each):
                target["verdict"] = each
            elif target is held:
                whole.append((at, each))
            else:
                target["category"] = each
    return whole, regions, held


def _region(
    parsed: Parsed,
    where: str,
    video: str,
    fps: float | None,
    result: Mapping[str, Any],
    held: Mapping[str, str],
) -> None:
    value, kind = result["value"], result["type"]
    labels = value.get("timelinelabels") or value.get("labels") or []
    if verdict_of(held.get("verdict", "")) == "complete":
        held = {**held, "verdict": ""}
    if not isinstance(labels, list) or not labels:
        parsed.faults.append(Fault(where, "no-label", f"a {kind} without a label", "choose one"))
        return
    spans: list[dict[str, Any]] = []
    if isinstance(value.get("ranges"), list):
        for each in value["ranges"]:
            first, last = (
                number_of(each.get(end)) if isinstance(each, dict) else None for end in ("start", "end")
            )
            if first is None or last is None or first < 1 or last < first:
                what = f"has frames {str(each)[:60]}, which are no 1-based range"
                parsed.faults.append(Fault(where, "bad-span", what, "mark it anew"))
                continue
            spans.append({"frames": (round(first) - 1, round(last)), "fps": fps})
    elif kind == "labels" and number_of(value.get("start")) is not None:
        spans.append({"start_s": number_of(value["start"]), "end_s": number_of(value.get("end"))})
    else:
        parsed.faults.append(Fault(where, "not-a-span", f"is a {kind}, not a span", "use TimelineLabels"))
    for span in spans:
        for label in labels:
            parsed.marks.append(Mark(where, video, str(label), **span, **_texts(held)))


def _results(parsed: Parsed, where: str, task: Mapping[str, Any]) -> list[tuple[str, Any]] | None:
    """Results of the annotations that count; None where nobody annotated the task."""
    if not isinstance(task.get("data"), dict):
        return list(_min_results(task, where))
    predictions = task.get("predictions")
    if isinstance(predictions, list) and predictions:
        what = f"{len(predictions)} predictions are not what people say and were not read"
        parsed.faults.append(Fault(where, "predictions", what, "accept them in Label Studio", kept=True))
    given = task.get("annotations", task.get("completions"))
    annotations = [each for each in given if isinstance(each, dict)] if isinstance(given, list) else []
    truth = [each for each in annotations if each.get("ground_truth")]
    kept = []
    for annotation in truth or annotations:
        if annotation.get("was_cancelled"):
            what = "was skipped by the annotator"
            parsed.faults.append(Fault(where, "skipped", what, "annotate it"))
        else:
            kept.append(annotation)
    found = []
    for annotation in kept:
        for number, result in enumerate(_list(annotation.get("result")), 1):
            at = f"{where}, result {(result.get('id') if isinstance(result, dict) else None) or number}"
            if isinstance(result, dict) and isinstance(result.get("value"), dict) and result.get("type"):
                found.append((at, result))
            elif not (isinstance(result, dict) and result.get("type") == "relation"):
                parsed.faults.append(Fault(at, "not-a-span", "has no value", "delete it"))
    return found if kept else None


def _min_results(task: Mapping[str, Any], where: str = "") -> Iterator[tuple[str, Any]]:
    """Results of JSON-MIN, where a task holds them under the names of the tags."""
    for name, values in task.items():
        if isinstance(values, list):
            for number, value in enumerate(values, 1):
                if isinstance(value, dict) and "timelinelabels" in value:
                    at = f"{where}, {name} {number}"
                    yield at, {"id": at, "type": "timelinelabels", "from_name": name, "value": value}
        elif role_of(name) in ("category", "verdict", "label") and values:
            chosen = values["choices"] if isinstance(values, dict) and "choices" in values else [values]
            yield f"{where}, {name}", {"type": "choices", "from_name": name, "value": {"choices": chosen}}


def _video(data: Mapping[str, Any]) -> str:
    named = [value for key, value in data.items() if role_of(key) == "video" and isinstance(value, str)]
    ending = [
        value
        for value in data.values()
        if isinstance(value, str) and value.partition("?")[0].lower().endswith(_VIDEO_ENDS)
    ]
    return next((value for value in (*named, *ending) if value.strip()), "")


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _id(result: Mapping[str, Any]) -> str:
    return str(result.get("id"))


def _texts(held: Mapping[str, str]) -> dict[str, Any]:
    return {role: held.get(role, "") for role in ("category", "verdict")}
