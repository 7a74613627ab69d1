"""What a recognizer's config does between a window and its net: choose frames, crop, draw, stack."""

from phar.openmmlab.clips.poses import PoseClip
from phar.openmmlab.clips.reading import read_clip
from phar.openmmlab.clips.spec import ClipSpec

__all__ = ["ClipSpec", "PoseClip", "read_clip"]
