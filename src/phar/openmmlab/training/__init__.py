"""Training of every kind of net through MMEngine's Runner, from plain numpy records."""

from phar.openmmlab.training.export import export_weights
from phar.openmmlab.training.records import (
    FrameRecord,
    PersonRecord,
    PictureRecord,
    PoseRecord,
    SoundRecord,
)
from phar.openmmlab.training.runner import KINDS, train

__all__ = [
    "KINDS",
    "FrameRecord",
    "PersonRecord",
    "PictureRecord",
    "PoseRecord",
    "SoundRecord",
    "export_weights",
    "train",
]
