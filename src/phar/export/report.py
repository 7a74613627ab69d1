"""The JSON report: the full account of one analysed video, and the way back from it.

Scores are written as the shortest decimals that give the same float32 again,
times in whole microseconds. Readers ignore keys they do not know.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from phar import foreign
from phar.export.target import is_legacy, replacing
from phar.schema import (
    FloatArray,
    Prediction,
    Report,
    ReportError,
    Segment,
    SegmentSpec,
    StreamScore,
    Tag,
    Video,
    Window,
)

SCHEMA_VERSION = "1.0"

#: The JSON Schema of the report.
SCHEMA_PATH = Path(__file__).with_name("report.schema.json")


def write(report: Report, path: Path) -> None:
    """Write the JSON report, replacing `path` in one step."""
    with replacing(path) as temporary:
        temporary.write_text(_laid_out(to_document(report)), encoding="utf-8")


def to_document(report: Report) -> dict[str, Any]:
    """Return the report as the JSON document that `report.schema.json` describes."""
    return {
        "schema_version": SCHEMA_VERSION,
        "phar_version": report.phar_version,
        "created": report.created,
        "video": {
            "path": os.fsencode(report.video.path).decode("utf-8", "replace"),
            "duration_s": _time(report.video.duration_s),
            "fps": float(report.video.fps),
            "width_px": report.video.width_px,
            "height_px": report.video.height_px,
            "has_audio": report.video.has_audio,
        },
        "profile": dict(report.profile),
        "labels": list(report.labels),
        "vocabularies": {name: list(labels) for name, labels in report.vocabularies.items()},
        "clips": [_clip(prediction, report) for prediction in report.predictions],
        "timestamps": [
            {
                "label": segment.label,
                "start_s": _time(segment.start_s),
                "end_s": _time(segment.end_s),
                "score": round(segment.score, 6),
            }
            for segment in report.timestamps
        ],
        "tags": [
            {
                "label": tag.label,
                "seconds": _time(tag.seconds),
                "share": round(tag.share, 6),
                "score": round(tag.score, 6),
                "clips": tag.clips,
            }
            for tag in report.tags
        ],
        "timing": dict(report.timing),
        "poses": report.poses_path,
        "warnings": list(report.warnings),
    }


def ranked(probs: FloatArray, labels: Sequence[str], topk: int | None = None) -> list[tuple[str, float]]:
    """Return exactly `topk` (label, score) pairs, best first, ties in label order; None returns all."""
    order = np.argsort(-probs, kind="stable")[:topk]
    return [(labels[i], decimal(probs[i])) for i in order]


def decimal(score: np.float32 | float) -> float:
    """Return the float with the shortest decimal form that is the same float32."""
    return float(str(np.float32(score)))


def read_report(path: str | Path) -> Report:
    """Read a JSON report.

    Raises:
        ReportError: the file is missing, no report, or of a version this phar does not know.
    """
    document = _read(Path(path))
    if is_legacy(document):
        raise ReportError(
            f"{path} is in the legacy form, which keeps too little; give a report in the json form"
        )
    try:
        return from_document(document)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise ReportError(
            f"{path} is not a whole report ({_named(error)}); write it anew with phar-demo"
        ) from None


def read_ranked(path: str | Path) -> tuple[str | None, list[list[tuple[str, float]]]]:
    """Return the video's path and each window's (label, score) pairs, best first.

    A legacy list is read too; it does not tell the video's path.
    """
    document = _read(Path(path))
    video = None
    if is_legacy(document):
        clips = [[(label, float(score)) for score, label in clip.items()] for clip in document]
    else:
        try:
            clips = [
                [(label, float(score)) for label, score in clip["scores"].items()]
                for clip in _known_version(document)["clips"]
            ]
            path_text = document.get("video", {}).get("path")
            video = None if path_text is None else str(path_text)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ReportError(
                f"{path} is not a whole report ({_named(error)}); write it anew with phar-demo"
            ) from None
    return video, [sorted(clip, key=lambda pair: -pair[1]) for clip in clips]


def from_document(document: Mapping[str, Any]) -> Report:
    """Return the Report a JSON document describes; saved poses stay in their own file.

    Raises:
        KeyError, TypeError, ValueError: a key is missing or wrong.
    """
    _check_shape(_known_version(document))
    labels = tuple(document["labels"])
    clips = document["clips"]
    vocabularies = {name: tuple(own) for name, own in document["vocabularies"].items()}
    video = document["video"]
    _check_sense(labels, clips, vocabularies)
    # Raises where the settings make no segments.
    SegmentSpec.of(document["profile"].get("segments", {}))
    return Report(
        video=Video(
            path=video["path"],
            duration_s=float(video["duration_s"]),
            fps=Fraction(video["fps"]).limit_denominator(1_000_000),
            width_px=video["width_px"],
            height_px=video["height_px"],
            has_audio=video["has_audio"],
        ),
        profile=document["profile"],
        labels=labels,
        vocabularies=vocabularies,
        predictions=tuple(_prediction(clip, labels, vocabularies) for clip in clips),
        timestamps=tuple(
            Segment(entry["label"], entry["start_s"], entry["end_s"], entry["score"])
            for entry in document["timestamps"]
        ),
        tags=tuple(
            Tag(entry["label"], entry["seconds"], entry["share"], entry["score"], entry["clips"])
            for entry in document["tags"]
        ),
        timing=document["timing"],
        created=document["created"],
        phar_version=document["phar_version"],
        topk=max((len(clip["topk"]) for clip in clips), default=5),
        poses_path=document["poses"],
        warnings=tuple(document["warnings"]),
    )


def _check_shape(document: Mapping[str, Any]) -> None:
    """Raise ValueError where the document is not what `report.schema.json` describes."""
    import fastjsonschema

    try:
        _shape()(document)
    except fastjsonschema.JsonSchemaValueException as error:
        raise ValueError(str(error.message).removeprefix("data").lstrip(". ")[:300]) from None


@cache
def _shape() -> Callable[[Any], Any]:
    import fastjsonschema

    compiled: Callable[[Any], Any] = fastjsonschema.compile(json.loads(SCHEMA_PATH.read_text()))
    return compiled


def _check_sense(
    labels: Sequence[str], clips: Sequence[Mapping[str, Any]], vocabularies: Mapping[str, Sequence[str]]
) -> None:
    for name, own in vocabularies.items():
        if not set(own) <= set(labels):
            raise ValueError(f"stream {name!r} knows labels that are not among the labels")
    for before, after in pairwise(clips):
        if not before["start_s"] < after["start_s"]:
            raise ValueError(f"the clip at {after['start_s']} s follows the one at {before['start_s']} s")


def _clip(prediction: Prediction, report: Report) -> dict[str, Any]:
    window = prediction.window
    return {
        "index": window.index,
        "start_s": _time(window.start_s),
        "end_s": _time(window.end_s),
        "topk": [
            {"label": label, "score": score}
            for label, score in ranked(prediction.probs, report.labels, report.topk)
        ],
        "scores": _scores(report.labels, prediction.probs),
        "weights": dict(prediction.weights),
        "streams": {
            name: {"silent": score.silent}
            if score.probs is None
            else {"scores": _scores(report.vocabularies[name], score.probs)}
            for name, score in prediction.streams.items()
        },
    }


def _prediction(
    clip: Mapping[str, Any], labels: Sequence[str], vocabularies: Mapping[str, Sequence[str]]
) -> Prediction:
    window = Window(clip["index"], clip["start_s"], clip["end_s"])
    streams = {}
    for name, entry in clip["streams"].items():
        if "silent" in entry:
            streams[name] = StreamScore(name, window, silent=entry["silent"])
        else:
            scores = [entry["scores"][label] for label in vocabularies[name]]
            streams[name] = StreamScore(name, window, np.array(scores, np.float32))
    probs = np.array([clip["scores"][label] for label in labels], np.float32)
    return Prediction(window, probs, streams, clip["weights"])


def _scores(labels: Sequence[str], probs: FloatArray) -> dict[str, float]:
    return {label: decimal(score) for label, score in zip(labels, probs, strict=True)}


def _time(seconds: float) -> float:
    return round(float(seconds), 6)


def _laid_out(document: Mapping[str, Any]) -> str:
    """Write one line per key, and one per element of the long lists."""
    lines = []
    for key, value in document.items():
        if key in ("clips", "timestamps", "tags") and value:
            rows = ",\n  ".join(_json(row) for row in value)
            lines.append(f" {_json(key)}: [\n  {rows}\n ]")
        else:
            lines.append(f" {_json(key)}: {_json(value)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _read(path: Path) -> Any:
    try:
        return foreign.read_json(path)
    except foreign.Unreadable as error:
        raise ReportError(
            f"report {path} cannot be read: {error}; give a report that phar-demo wrote"
        ) from None


def _known_version(document: Any) -> Mapping[str, Any]:
    if not isinstance(document, dict) or "schema_version" not in document:
        raise ReportError("the file is JSON but no report; give one that phar-demo wrote")
    version = foreign.shown(str(document["schema_version"])[:20])
    if version.split(".", maxsplit=1)[0] != SCHEMA_VERSION.split(".", maxsplit=1)[0]:
        raise ReportError(f"the report has schema version {version}, this phar reads 1.x; update phar")
    return document


def _named(error: Exception) -> str:
    return f"{error} is missing" if isinstance(error, KeyError) else str(error)
