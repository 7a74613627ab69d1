"""The only room that imports OpenMMLab: recognizers, person detector and pose estimator over numpy arrays."""

from phar.openmmlab import imports

imports.install()

from phar.openmmlab.clips import ClipSpec, PoseClip  # noqa: E402
from phar.openmmlab.detector import Detector  # noqa: E402
from phar.openmmlab.pose import PoseEstimator  # noqa: E402
from phar.openmmlab.recognizer import Recognizer  # noqa: E402

__all__ = ["ClipSpec", "Detector", "PoseClip", "PoseEstimator", "Recognizer"]
