"""The rendered world: seeded, labelled videos of ordinary actions, with truth."""

from phar.synth.ceilings import ceilings
from phar.synth.clip import Clip, TrueSegment, Truth
from phar.synth.props import PLACES
from phar.synth.world import World, load_world
from phar.synth.writing import write_clip

__all__ = ["PLACES", "Clip", "TrueSegment", "Truth", "World", "ceilings", "load_world", "write_clip"]
