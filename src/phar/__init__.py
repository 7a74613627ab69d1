"""Watches long videos and says which action happens when.

import phar
report = phar.analyze("video.mp4", profile="demo")
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from phar.pipeline import analyze

__version__ = "0.1.0"
__all__ = ["__version__", "analyze"]


def __getattr__(name: str) -> Any:
    """Import the pipeline, and torch with it, only when it is asked for."""
    if name == "analyze":
        from phar.pipeline import analyze

        return analyze
    raise AttributeError(f"module 'phar' has no attribute {name!r}")
