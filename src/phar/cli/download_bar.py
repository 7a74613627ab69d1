"""A progress bar for a download on a terminal, and silence where stderr is piped."""

from __future__ import annotations

from types import TracebackType

from tqdm import tqdm


class DownloadBar:
    """Draws how much of one file is here; a pause is said in the bar."""

    def __init__(self, name: str) -> None:
        self._bar = tqdm(
            desc=name,
            unit="B",
            unit_scale=True,
            unit_divisor=1000,
            disable=None,
            leave=False,
            dynamic_ncols=True,
        )

    def arrived(self, done_bytes: int, total_bytes: int | None) -> None:
        """So much of the file is here."""
        self._bar.total = total_bytes
        self._bar.set_postfix_str("", refresh=False)
        self._bar.update(done_bytes - self._bar.n)

    def waits(self, reason: str, wait_s: float) -> None:
        """The next attempt begins after a pause."""
        self._bar.set_postfix_str(f"{reason}; again in {wait_s:.0f} s")

    def __enter__(self) -> DownloadBar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the bar."""
        self._bar.close()
