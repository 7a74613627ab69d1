"""Time arithmetic: a duration into windows, predictions into segments and tags. All of it is pure."""

from phar.timeline.segments import lanes, segments, snapped, window_labels
from phar.timeline.tags import resegmented, tags, top_tags
from phar.timeline.windows import owned_spans, windows

__all__ = [
    "lanes",
    "owned_spans",
    "resegmented",
    "segments",
    "snapped",
    "tags",
    "top_tags",
    "window_labels",
    "windows",
]
