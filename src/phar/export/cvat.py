"""CVAT's XML 1.1 for videos: each segment a track that fills the picture from its first frame to its last.

Import it into a task made of the same video, as "CVAT 1.1"; the task needs the labels already.

Traps: CVAT reads `<tag>` inside `<image>` only, so a span of a video is a track of a box over the whole
frame. The track lasts until a box with `outside="1"` on the first frame after; a first box must not be one.
A frame that the task does not have makes the import fail, so a track that lasts to the end has no such box.
Attributes that the task's label does not declare are refused, so scores are left out.

Source: XML annotation format, version 1.1, interpolation,
https://docs.cvat.ai/docs/manual/advanced/xml_format/
"""

from __future__ import annotations

from pathlib import Path, PurePath
from xml.etree import ElementTree as etree

from phar.export.target import replacing
from phar.export.ticks import Span, in_frames, num_frames
from phar.export.wording import mark, one_line, path_text
from phar.schema import Report, Video


def write(report: Report, path: Path) -> None:
    """Write one track per segment, replacing `path` in one step."""
    root = to_element(report)
    etree.indent(root)
    # A comment must not hold two hyphens.
    comment = mark(report).replace("--", "- ")
    head = f'<?xml version="1.0" encoding="utf-8"?>\n<!-- {comment} -->\n'
    with replacing(path) as temporary:
        temporary.write_text(f"{head}{etree.tostring(root, encoding='unicode')}\n", encoding="utf-8")


def to_element(report: Report) -> etree.Element:
    """Return the document's root."""
    root = etree.Element("annotations")
    _text(root, "version", "1.1")
    _add_meta(root, report)
    size = num_frames(report.video)
    for index, span in enumerate(in_frames(report.timestamps, report.video)):
        track = etree.SubElement(root, "track", id=str(index), label=one_line(span.label), source="auto")
        _add_boxes(track, span, report.video, size)
    return root


def _add_meta(root: etree.Element, report: Report) -> None:
    meta = etree.SubElement(root, "meta")
    task = etree.SubElement(meta, "task")
    name = one_line(path_text(report.video.path))
    _text(task, "name", PurePath(name).stem)
    _text(task, "size", str(num_frames(report.video)))
    _text(task, "mode", "interpolation")
    labels = etree.SubElement(task, "labels")
    for label in dict.fromkeys(one_line(segment.label) for segment in report.timestamps):
        entry = etree.SubElement(labels, "label")
        _text(entry, "name", label)
        _text(entry, "type", "any")
        etree.SubElement(entry, "attributes")
    original = etree.SubElement(task, "original_size")
    _text(original, "width", str(report.video.width_px))
    _text(original, "height", str(report.video.height_px))
    _text(task, "source", PurePath(name).name)
    _text(meta, "dumped", one_line(report.created))


def _add_boxes(track: etree.Element, span: Span, video: Video, size: int) -> None:
    ends = [(span.start, "0"), (span.end, "1")]
    for frame, outside in ends if span.end < size else ends[:1]:
        etree.SubElement(
            track,
            "box",
            frame=str(frame),
            keyframe="1",
            outside=outside,
            occluded="0",
            xtl="0.00",
            ytl="0.00",
            xbr=f"{video.width_px:.2f}",
            ybr=f"{video.height_px:.2f}",
            z_order="0",
        )


def _text(parent: etree.Element, name: str, text: str) -> None:
    etree.SubElement(parent, name).text = text
