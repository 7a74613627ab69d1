"""Training of the bundled nets on the rendered world."""

from phar.training.bundle import MODELS, export, train_model

__all__ = ["MODELS", "export", "train_model"]
