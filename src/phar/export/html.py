"""One self-contained page: the player, the scores of every window, and segments made anew as settings change.

Style, scripts and scores are all inside the file, and its content security policy forbids every request but
for a video file beside the page. The page holds no picture: what is shown is the reader's own video. Scores
are little-endian float32 in base64, so the page computes with the values that phar computed with.

Source: the characters that must not stand in a script element,
https://html.spec.whatwg.org/multipage/scripting.html#restrictions-for-contents-of-script-elements
"""

from __future__ import annotations

import base64
import contextlib
import html
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from numpy.typing import ArrayLike

from phar.export.one_file import one_file
from phar.export.target import replacing
from phar.schema import Prediction, Report, Segment, SegmentSpec
from phar.timeline import owned_spans, segments, spec_of

#: The page's parts; `SCRIPTS` are joined in this order and share one scope.
PARTS = Path(__file__).with_name("page")
STYLES = ("base.css", "style.css")
SCRIPTS = (
    "dom.js",
    "chrome.js",
    "report.js",
    "segments.js",
    "fusion.js",
    "player.js",
    "timeline.js",
    "why.js",
    "settings.js",
    "listing.js",
    "frame.js",
    "page.js",
)

#: `file:` and `'self'` let the video beside the page play, `blob:` one that the reader chose.
_POLICY = (
    "default-src 'none'; script-src '{script}'; style-src '{style}'; media-src 'self' file: blob:; "
    "base-uri 'none'; form-action 'none'"
)


def write(report: Report, path: Path) -> None:
    """Write the page, replacing `path` in one step."""
    with replacing(path) as temporary:
        temporary.write_text(page(report, path), encoding="utf-8", newline="\n")


def page(report: Report, path: Path) -> str:
    """Return the page as it is to lie at `path`, which decides where it looks for the video."""
    text, _ = one_file(
        PARTS / "page.html",
        [PARTS / name for name in STYLES],
        [PARTS / name for name in SCRIPTS],
        _POLICY,
        {
            "version": html.escape(report.phar_version),
            "title": html.escape(_text(Path(report.video.path).name)),
            "report": _inert(contents(report, path)),
        },
    )
    return text


def contents(report: Report, path: Path) -> dict[str, Any]:
    """Return what the page's scripts read: the report, with scores and times as base64 arrays."""
    predictions = report.predictions
    cover = [prediction.window for prediction in predictions]
    bounds = [cover[0].start_s, *(end for _, end in owned_spans(cover))] if cover else [0.0]
    spec = spec_of(report)
    return {
        "phar_version": report.phar_version,
        "created": report.created,
        "video": {
            "name": _text(Path(report.video.path).name),
            "sources": sources(report.video.path, path),
            "duration_s": report.video.duration_s,
            "fps": float(report.video.fps),
            "width_px": report.video.width_px,
            "height_px": report.video.height_px,
            "has_audio": report.video.has_audio,
        },
        "profile": _profile(report.profile, report.labels),
        "segments": spec.settings(),
        "labels": report.labels,
        "bounds": _packed(bounds, "<f8"),
        "starts": _packed([window.start_s for window in cover], "<f8"),
        "ends": _packed([window.end_s for window in cover], "<f8"),
        "scores": _packed([prediction.probs for prediction in predictions], "<f4"),
        "streams": [_stream(name, report) for name in report.vocabularies],
        "reported": _reported(report, spec),
        "warnings": list(report.warnings),
    }


def sources(video: str, page_path: Path) -> list[str]:
    """Return where the page looks for the video, relative to itself, best first.

    First where the video lies now, if that can be said relative to the page, then beside the page.
    """
    beside = Path(video).name
    found = [beside]
    # It cannot be said from another drive, or for a path this system cannot have.
    with contextlib.suppress(OSError, ValueError):
        found.insert(0, os.path.relpath(Path(video).resolve(), page_path.resolve().parent))
    return ["./" + quote(os.fsencode(name.replace(os.sep, "/"))) for name in dict.fromkeys(found)]


def _stream(name: str, report: Report) -> dict[str, Any]:
    """Return one stream: per window a position in `states`, and the scores of those that are not silent."""
    column = {label: i for i, label in enumerate(report.labels)}
    given = [prediction.streams.get(name) for prediction in report.predictions]
    states: dict[str, int] = {}
    state = [
        states.setdefault(json.dumps(_state(name, prediction)), len(states))
        for prediction in report.predictions
    ]
    rows = [score.probs for score in given if score is not None and score.probs is not None]
    return {
        "name": name,
        "labels": [column[label] for label in report.vocabularies[name]],
        "states": [json.loads(text) for text in states],
        "state": _packed(state, "<u4"),
        "scores": _packed(rows, "<f4"),
    }


def _state(name: str, prediction: Prediction) -> dict[str, Any]:
    score = prediction.streams.get(name)
    if score is None:
        return {"silent": "not asked"}
    if score.probs is None:
        return {"silent": score.silent}
    return {"weight": prediction.weights.get(name, 0.0)}


def _reported(report: Report, spec: SegmentSpec) -> list[list[Any]] | None:
    """Return the report's segments if they are not what its scores and settings give, as after snapping."""

    def rows(found: Sequence[Segment]) -> list[tuple[str, float, float]]:
        return [(entry.label, round(entry.start_s, 6), round(entry.end_s, 6)) for entry in found]

    if rows(report.timestamps) == rows(segments(report.predictions, report.labels, spec)):
        return None
    return [[entry.label, entry.start_s, entry.end_s, entry.score] for entry in report.timestamps]


def _profile(profile: Mapping[str, Any], labels: Sequence[str]) -> dict[str, Any]:
    """Return what the page says about the profile; folders of this machine stay out of it."""
    keys = ("name", "window_s", "stride_s", "fusion", "coefficients", "backend", "device", "precision")
    models = {
        name: Path(str(model.get("checkpoint") or "random weights")).name
        for name, model in profile["models"].items()
    }
    own = {key: profile[key] for key in keys}
    single = {
        key: {
            name: [values.get(label, blank) for label in labels]
            for name, values in profile.get(key, {}).items()
        }
        for key, blank in (("label_weights", None), ("biases", 0.0))
    }
    return {**own, "temperatures": profile.get("temperatures", {}), **single, "models": models}


def _packed(values: ArrayLike, dtype: str) -> str:
    return base64.b64encode(np.asarray(values, dtype).tobytes()).decode("ascii")


def _text(path: str) -> str:
    """Return a file name as text; bytes that are none become replacement characters."""
    return os.fsencode(path).decode("utf-8", "replace")


def _inert(document: Mapping[str, Any]) -> str:
    """Return JSON in which nothing can end or open an element, whatever a label or a path says."""
    text = json.dumps(document, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
