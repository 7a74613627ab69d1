"""Training: of the bundled nets on the rendered world, and of any net on one's own data."""

from phar.training.bundle import MODELS, export, train_model

__all__ = ["MODELS", "export", "train_model"]
