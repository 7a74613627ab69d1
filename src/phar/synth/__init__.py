"""The rendered world: seeded, labelled videos of ordinary actions, with truth."""

from phar.synth.clip import Clip, TrueSegment, Truth
from phar.synth.world import World, load_world
from phar.synth.writing import write_clip

__all__ = ["Clip", "TrueSegment", "Truth", "World", "load_world", "write_clip"]
