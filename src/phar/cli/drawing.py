"""The flag that says what is drawn onto an annotated video beside its labels."""

from __future__ import annotations

import argparse
from typing import Any

from phar.export import Writer
from phar.schema import UsageError

#: What can be drawn; phar.export.overlay knows how.
DRAWN = ("skeleton",)


def add_argument(parser: Any) -> None:
    """Declare the flag."""
    parser.add_argument(
        "--draw", choices=DRAWN, nargs="+", default=[], help="draw persons onto the annotated video, too"
    )


def options(args: argparse.Namespace, writer: Writer) -> dict[str, Any]:
    """Return what the writer is to be told.

    Raises:
        UsageError: something is to be drawn, but not onto a video.
    """
    if not args.draw:
        return {}
    if "draw" not in writer.options:
        raise UsageError(f"--draw is about annotated videos, not {writer.name}; leave it out or write .mp4")
    return {"draw": tuple(args.draw)}
