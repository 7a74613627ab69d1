"""Time arithmetic: a duration into windows, predictions into segments and tags. All of it is pure."""

from phar.timeline.features import Features, LabelFeatures, features
from phar.timeline.overlaps import lanes_of, overlapping, spec_of, together_s
from phar.timeline.segments import lanes, segments, snapped, window_labels
from phar.timeline.tags import resegmented, tags, top_tags
from phar.timeline.windows import owned_spans, windows

__all__ = [
    "Features",
    "LabelFeatures",
    "features",
    "lanes",
    "lanes_of",
    "overlapping",
    "owned_spans",
    "resegmented",
    "segments",
    "snapped",
    "spec_of",
    "tags",
    "together_s",
    "top_tags",
    "window_labels",
    "windows",
]
