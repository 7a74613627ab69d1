"""Checkpoints: which there are, bringing them here, whether they are right, and other forms of them."""

from phar.models.catalogue import Checkpoint, Wanted, catalogue, find, wanted
from phar.models.download import Patience, Progress
from phar.models.pull import Pulled, pull
from phar.models.verify import Verified, verify

__all__ = [
    "Checkpoint",
    "Patience",
    "Progress",
    "Pulled",
    "Verified",
    "Wanted",
    "catalogue",
    "find",
    "pull",
    "verify",
    "wanted",
]
