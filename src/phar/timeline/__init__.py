"""Time arithmetic: a duration into windows, predictions into segments and tags. All of it is pure."""

from phar.timeline.edits import Span, inverted, label_spans, lane_spans, merged, padded
from phar.timeline.segments import lanes, segments, snapped, window_labels
from phar.timeline.tags import resegmented, tags, top_tags
from phar.timeline.windows import owned_spans, windows

__all__ = [
    "Span",
    "inverted",
    "label_spans",
    "lane_spans",
    "lanes",
    "merged",
    "owned_spans",
    "padded",
    "resegmented",
    "segments",
    "snapped",
    "tags",
    "top_tags",
    "window_labels",
    "windows",
]
