"""The only room that imports OpenMMLab: recognizers, person detector and pose estimator over numpy arrays."""

from phar.openmmlab import imports

imports.install()
