"""MMEngine's loop over iterations, going on where a training was stopped."""

from __future__ import annotations

from typing import Any


def register() -> None:
    """Register RecordTrainLoop with MMEngine, once."""
    from mmengine.registry import LOOPS
    from mmengine.runner import IterBasedTrainLoop

    if "RecordTrainLoop" in LOOPS.module_dict:
        return

    class RecordTrainLoop(IterBasedTrainLoop):
        """A loop that goes on after the samples it has seen, without drawing them again."""

        def run(self) -> Any:
            batches = type(self.dataloader_iterator)
            self.dataloader.sampler.start = self._iter
            self.dataloader_iterator = _Skipping(batches(self.dataloader), self._iter)
            return super().run()

    LOOPS.register_module(module=RecordTrainLoop)


class _Skipping:
    """Batches of which the first few are asked for and thrown away, so they need not be made."""

    def __init__(self, batches: Any, skipped: int) -> None:
        self._batches = batches
        self._skipped = skipped

    def __next__(self) -> Any:
        if self._skipped > 0:
            self._skipped -= 1
            return None
        return next(self._batches)
