"""The rendered world: seeded, labelled videos of ordinary actions, with truth."""

from phar.synth.ceilings import ceilings
from phar.synth.clip import Clip, TrueSegment, Truth
from phar.synth.elsewhere import Elsewhere
from phar.synth.props import PLACES
from phar.synth.safety import SAFE, UNSAFE, Safety, load_safety
from phar.synth.world import World, load_world
from phar.synth.writing import write_clip

__all__ = [
    "PLACES",
    "SAFE",
    "UNSAFE",
    "Clip",
    "Elsewhere",
    "Safety",
    "TrueSegment",
    "Truth",
    "World",
    "ceilings",
    "load_safety",
    "load_world",
    "write_clip",
]
