"""Time arithmetic: a duration into windows, predictions into segments and tags. All of it is pure."""

from phar.timeline.edits import Span, inverted, label_spans, lane_spans, merged, padded
from phar.timeline.features import Features, LabelFeatures, features
from phar.timeline.framing import Framing, follow, frame_size
from phar.timeline.overlaps import lanes_of, overlapping, spec_of, together_s
from phar.timeline.segments import lanes, segments, snapped, window_labels
from phar.timeline.shorts import Short, shorts
from phar.timeline.tags import resegmented, tags, top_tags, with_segments
from phar.timeline.windows import owned_spans, windows

__all__ = [
    "Features",
    "Framing",
    "LabelFeatures",
    "Short",
    "Span",
    "features",
    "follow",
    "frame_size",
    "inverted",
    "label_spans",
    "lane_spans",
    "lanes",
    "lanes_of",
    "merged",
    "overlapping",
    "owned_spans",
    "padded",
    "resegmented",
    "segments",
    "shorts",
    "snapped",
    "spec_of",
    "tags",
    "together_s",
    "top_tags",
    "window_labels",
    "windows",
    "with_segments",
]
