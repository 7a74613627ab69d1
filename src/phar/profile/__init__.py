"""Profiles: which models, labels, weights and gates, checked whole before any work.

A profile is a YAML file. Paths in it are looked up beside the file first, then
among the resources that come with phar. Defaults live here and nowhere else.
"""

from phar.profile.build import (
    STREAM_ORDER,
    default_profile,
    load_profile,
    ungated,
    with_overrides,
    with_preset,
    without_label_terms,
)
from phar.profile.checkpoints import (
    LOCK_FILE,
    describe,
    describe_decisions,
    fits_hash,
    hashes_in,
    require_checkpoints,
    sha256_of,
    stated_hash,
    weights_sha256,
)
from phar.profile.document import bundled_profiles
from phar.profile.labels import load_labels
from phar.profile.resources import (
    RESOURCES,
    below_checkpoints,
    checkpoints_folder,
    find_checkpoint,
    metafile,
)
from phar.profile.spec import (
    LoudnessGate,
    ModelSpec,
    OnnxSpec,
    PersonSpec,
    Profile,
    SkimSpec,
    StreamSpec,
)

__all__ = [
    "LOCK_FILE",
    "RESOURCES",
    "STREAM_ORDER",
    "LoudnessGate",
    "ModelSpec",
    "OnnxSpec",
    "PersonSpec",
    "Profile",
    "SkimSpec",
    "StreamSpec",
    "below_checkpoints",
    "bundled_profiles",
    "checkpoints_folder",
    "default_profile",
    "describe",
    "describe_decisions",
    "find_checkpoint",
    "fits_hash",
    "hashes_in",
    "load_labels",
    "load_profile",
    "metafile",
    "require_checkpoints",
    "sha256_of",
    "stated_hash",
    "ungated",
    "weights_sha256",
    "with_overrides",
    "with_preset",
    "without_label_terms",
]
