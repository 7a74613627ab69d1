"""A project of the VGG annotator VIA 3: each segment a temporal segment, grouped by label.

Open it in VIA's video annotator ("Open a VIA project"). Where the browser may not read the video from its
path, VIA asks for the file.

Trap: VIA 3 loads whole projects in JSON; its CSV is an export that it does not read back. A segment's value
names an option of the attribute, and the attribute's anchor says that it belongs to a span of time.

Source: Code Documentation for VIA 3, https://gitlab.com/vgg/via/-/blob/master/via-3.x.y/CodeDoc.md
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path, PurePath
from typing import Any

from phar.export.target import VIA_CREATOR, replacing
from phar.export.ticks import Span, in_milliseconds
from phar.export.wording import path_text
from phar.schema import Report

#: VIA's codes: a video file, found at an address, a choice, a text, and a span of time in one file.
_VIDEO, _AT_ADDRESS = 4, 3
_TEXT, _SELECT = 1, 4
_SPAN_OF_TIME = "FILE1_Z2_XY0"


def write(report: Report, path: Path) -> None:
    """Write the project, replacing `path` in one step."""
    with replacing(path) as temporary:
        document = json.dumps(to_document(report), ensure_ascii=False, indent=1)
        temporary.write_text(document + "\n", encoding="utf-8", errors="replace")


def to_document(report: Report) -> dict[str, Any]:
    """Return the project; times are seconds to the millisecond."""
    name = PurePath(path_text(report.video.path)).name
    labels = dict.fromkeys(segment.label for segment in report.timestamps)
    return {
        "project": {
            "pid": "__VIA_PROJECT_ID__",
            "rev": "__VIA_PROJECT_REV_ID__",
            "rev_timestamp": "__VIA_PROJECT_REV_TIMESTAMP__",
            "pname": name,
            "data_format_version": "3.1.1",
            "creator": f"{VIA_CREATOR} {report.phar_version}",
            "created": _milliseconds(report.created),
            "vid_list": ["1"],
        },
        "config": {
            "file": {"loc_prefix": {"1": "", "2": "", "3": "", "4": ""}},
            "ui": {"file_content_align": "center"},
        },
        "attribute": {
            "1": _attribute("label", _SELECT, "what is seen", {label: label for label in labels}),
            "2": _attribute("score", _TEXT, "mean fused score, 0 to 1", {}),
        },
        "file": {
            "1": {"fid": "1", "fname": name, "type": _VIDEO, "loc": _AT_ADDRESS, "src": _address(report)}
        },
        "metadata": {
            f"1_{index:08}": _segment(span) for index, span in enumerate(in_milliseconds(report.timestamps))
        },
        "view": {"1": {"fid_list": ["1"]}},
    }


def _attribute(name: str, kind: int, description: str, options: dict[str, str]) -> dict[str, Any]:
    return {
        "aname": name,
        "anchor_id": _SPAN_OF_TIME,
        "type": kind,
        "desc": description,
        "options": options,
        "default_option_id": "",
    }


def _segment(span: Span) -> dict[str, Any]:
    return {
        "vid": "1",
        "flg": 0,
        "z": [span.start / 1000, span.end / 1000],
        "xy": [],
        "av": {"1": span.label, "2": f"{span.score:.3f}"},
    }


def _address(report: Report) -> str:
    if "://" in report.video.path:
        return report.video.path
    return Path(report.video.path).absolute().as_uri()


def _milliseconds(created: str) -> int:
    try:
        moment = datetime.fromisoformat(created)
    except ValueError:
        return 0
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
