"""Time arithmetic: a duration into windows, predictions into segments and tags. All of it is pure."""

from phar.timeline.edits import Span, inverted, label_spans, lane_spans, merged, padded
from phar.timeline.framing import Framing, follow, frame_size
from phar.timeline.segments import lanes, segments, snapped, window_labels
from phar.timeline.shorts import Short, shorts
from phar.timeline.tags import resegmented, tags, top_tags
from phar.timeline.windows import owned_spans, windows

__all__ = [
    "Framing",
    "Short",
    "Span",
    "follow",
    "frame_size",
    "inverted",
    "label_spans",
    "lane_spans",
    "lanes",
    "merged",
    "owned_spans",
    "padded",
    "resegmented",
    "segments",
    "shorts",
    "snapped",
    "tags",
    "top_tags",
    "window_labels",
    "windows",
]
