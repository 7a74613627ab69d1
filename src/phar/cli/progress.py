"""A progress bar on a terminal, and silence where stderr is piped."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from phar.pipeline import Progress


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """Yield a function of (stage, done_s, total_s) that draws stage, share done and time left."""
    from tqdm import tqdm

    bar = tqdm(
        total=0.0,
        disable=not sys.stderr.isatty(),
        leave=False,
        bar_format="{desc:<9} {percentage:3.0f}% |{bar}| {n:.0f}/{total:.0f} s of video, {remaining} left",
    )

    def tell(stage: str, done_s: float, total_s: float) -> None:
        if bar.disable:
            return
        if bar.desc.strip() != stage or done_s < bar.n:
            bar.reset(total=total_s)
            bar.set_description_str(stage, refresh=False)
        # A container may claim less than there is.
        bar.total = max(total_s, done_s)
        bar.update(done_s - bar.n)
        bar.refresh()

    with bar:
        yield tell
