"""What is written beside the checkpoints when a training is over: its card and its picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from phar.export.target import replacing
from phar.openmmlab import Recognizer
from phar.openmmlab.complexity import complexity
from phar.openmmlab.training import MEASURES, best_checkpoint, best_row, read_log
from phar.training.card import card
from phar.training.curves import draw_curves
from phar.training.own import Prepared
from phar.training.predicting import predict


def write_results(prepared: Prepared, out: Path, record: dict[str, Any]) -> None:
    """Write `card.md` and `curves.png` to a training folder. Raises ModelError, OutputError."""
    rows = read_log(out)
    draw_curves(rows, prepared.kind, out / "curves.png")
    is_recognizer = prepared.view.clip is not None
    size = complexity(prepared.config, len(record["labels"]) if is_recognizer else None)
    per_class = None
    if is_recognizer and prepared.val.clips and best_row(rows, MEASURES[prepared.kind]) is not None:
        recognizer = Recognizer.load(
            prepared.config,
            best_checkpoint(out),
            len(record["labels"]),
            backend="torch",
            sampling=prepared.view.sampling,
        )
        per_class = predict(recognizer, prepared.source, "val", prepared.view).per_class()
    with replacing(out / "card.md") as partial:
        partial.write_text(card(record, prepared.kind, rows, size, per_class), encoding="utf-8")


def summary(out: Path, kind: str) -> str:
    """Return one line about a training that is over, or was stopped."""
    rows = read_log(out)
    best = best_row(rows, MEASURES[kind])
    done = round(rows[-1]["iteration"]) if rows else 0
    if best is None:
        return f"{out}: {done} iterations, not validated; see card.md and curves.png"
    shown = ", ".join(f"{name} {best[name]:.4f}" for name in best if "/" in name or name == "PCK")
    return (
        f"{out}: {done} iterations, best at {round(best['iteration'])}: {shown}; see card.md and curves.png"
    )
