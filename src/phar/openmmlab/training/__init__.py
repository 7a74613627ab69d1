"""Training of every kind of net through MMEngine's Runner, from plain numpy records."""

from phar.openmmlab.training.datasets import Samples
from phar.openmmlab.training.export import export_weights
from phar.openmmlab.training.features import FeatureSamples, compute_features
from phar.openmmlab.training.records import (
    FeatureRecord,
    FrameRecord,
    PersonRecord,
    PictureRecord,
    PoseRecord,
    SceneRecord,
    SoundRecord,
)
from phar.openmmlab.training.runner import KINDS, train

__all__ = [
    "KINDS",
    "FeatureRecord",
    "FeatureSamples",
    "FrameRecord",
    "PersonRecord",
    "PictureRecord",
    "PoseRecord",
    "Samples",
    "SceneRecord",
    "SoundRecord",
    "compute_features",
    "export_weights",
    "train",
]
