"""Training of every kind of net through MMEngine's Runner, from plain numpy records."""

from phar.openmmlab.training.arrays import Arrays, Row, fill
from phar.openmmlab.training.datasets import Samples
from phar.openmmlab.training.export import (
    LABELS,
    best_checkpoint,
    export_weights,
    has_checkpoint,
    latest_checkpoint,
)
from phar.openmmlab.training.features import FeatureSamples, compute_features
from phar.openmmlab.training.log import read_log
from phar.openmmlab.training.measures import MEASURES, Measure, best_row
from phar.openmmlab.training.parallel import num_processes, process_number
from phar.openmmlab.training.plan import Plan, read_plan
from phar.openmmlab.training.precision import PRECISIONS, pick_precision
from phar.openmmlab.training.records import (
    ClipRecord,
    FeatureRecord,
    FrameRecord,
    PersonRecord,
    PictureRecord,
    PoseRecord,
    SceneRecord,
    SoundRecord,
)
from phar.openmmlab.training.runner import KINDS, Settings, train

__all__ = [
    "KINDS",
    "LABELS",
    "MEASURES",
    "PRECISIONS",
    "Arrays",
    "ClipRecord",
    "FeatureRecord",
    "FeatureSamples",
    "FrameRecord",
    "Measure",
    "PersonRecord",
    "PictureRecord",
    "Plan",
    "PoseRecord",
    "Row",
    "Samples",
    "SceneRecord",
    "Settings",
    "SoundRecord",
    "best_checkpoint",
    "best_row",
    "compute_features",
    "export_weights",
    "fill",
    "has_checkpoint",
    "latest_checkpoint",
    "num_processes",
    "pick_precision",
    "process_number",
    "read_log",
    "read_plan",
    "train",
]
