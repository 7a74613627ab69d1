"""A Label Studio task with the segments as a prediction that annotators start from.

The project's labelling interface is Label Studio's own template "Video Frame Classification", with the frame
rate taken from the task:

    <View>
      <TimelineLabels name="videoLabels" toName="video"><Label value="..."/> ...</TimelineLabels>
      <Video name="video" value="$video" frameRate="$fps"/>
    </View>

Traps: frames are whole numbers counted from 1, and a range holds both its ends. Label Studio reckons with 24
frames per second unless the Video tag names the task's rate. The labels stand under `timelinelabels`,
whatever the tag is named. A path on disk is no address that a browser may read: export with `--video URL`.

Source: https://labelstud.io/tags/timelinelabels, https://labelstud.io/guide/predictions
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from phar.export.target import LABEL_STUDIO_MODEL, replacing
from phar.export.ticks import Span, in_frames
from phar.export.wording import path_text
from phar.schema import Report

#: Names of the two tags in the labelling interface.
CONTROL, OBJECT = "videoLabels", "video"


def write(report: Report, path: Path) -> None:
    """Write a list of one task, replacing `path` in one step."""
    with replacing(path) as temporary:
        document = json.dumps(to_document(report), ensure_ascii=False, indent=1)
        temporary.write_text(document + "\n", encoding="utf-8", errors="replace")


def to_document(report: Report) -> list[dict[str, Any]]:
    """Return the task: the video's address, its frame rate, and one prediction."""
    spans = in_frames(report.timestamps, report.video)
    frames = sum(span.end - span.start for span in spans)
    weighted = sum(span.score * (span.end - span.start) for span in spans)
    return [
        {
            "data": {"video": path_text(report.video.path), "fps": round(float(report.video.fps), 6)},
            "predictions": [
                {
                    "model_version": f"{LABEL_STUDIO_MODEL} {report.phar_version}",
                    "score": round(weighted / frames, 6) if frames else 0.0,
                    "result": [_region(index, span) for index, span in enumerate(spans)],
                }
            ],
        }
    ]


def _region(index: int, span: Span) -> dict[str, Any]:
    return {
        "id": f"phar{index:06}",
        "from_name": CONTROL,
        "to_name": OBJECT,
        "type": "timelinelabels",
        "origin": "prediction",
        "score": round(span.score, 6),
        # The frames before the end, counted from 1, have the end's number counted from 0.
        "value": {"ranges": [{"start": span.start + 1, "end": span.end}], "timelinelabels": [span.label]},
    }
