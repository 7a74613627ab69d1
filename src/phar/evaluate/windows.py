"""Top-1 accuracy of a profile's windows, fused and per stream, as deployed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from phar import timeline
from phar.schema import NONE, Report, SegmentSpec, StreamScore, Window
from phar.synth import TrueSegment


@dataclass(frozen=True)
class WindowResult:
    """What was true and what was said of one window."""

    video: str
    window: Window
    truth: str
    """The label that covers most of the window."""
    purity: float
    """Share of the window that it covers, in (0, 1]."""
    fused: str
    """Best fused label, before the threshold."""
    fused_score: float
    named: str
    """The window's name after the threshold: a label or `none`."""
    streams: Mapping[str, str | None] = field(default_factory=dict)
    """Each stream's best label, None where it was silent."""


def true_label(window: Window, truth: Sequence[TrueSegment]) -> tuple[str, float]:
    """Return the label that covers most of a window, and its share; the earlier one wins a tie.

    Time that no segment covers counts as `none`.
    """
    covered: Counter[str] = Counter()
    for segment in truth:
        overlap = min(window.end_s, segment.end_s) - max(window.start_s, segment.start_s)
        if overlap > 0:
            covered[segment.label] += overlap
    bare = window.duration_s - sum(covered.values())
    if bare > 1e-6:
        covered[NONE] += bare
    label, seconds = covered.most_common(1)[0]
    return label, seconds / window.duration_s


def compare(report: Report, truth: Sequence[TrueSegment], name: str, spec: SegmentSpec) -> list[WindowResult]:
    """Hold each window of a report against the truth of the same video; `spec` names the windows."""
    names = timeline.window_labels(report.predictions, report.labels, spec)
    results = []
    for prediction, named in zip(report.predictions, names, strict=True):
        label, purity = true_label(prediction.window, truth)
        best = int(prediction.probs.argmax())
        results.append(
            WindowResult(
                video=name,
                window=prediction.window,
                truth=label,
                purity=purity,
                fused=report.labels[best] if prediction.probs[best] > 0 else NONE,
                fused_score=float(prediction.probs[best]),
                named=named,
                streams={
                    stream: _best(score, report.vocabularies[stream])
                    for stream, score in prediction.streams.items()
                },
            )
        )
    return results


def _best(score: StreamScore, labels: Sequence[str]) -> str | None:
    return None if score.probs is None else labels[int(score.probs.argmax())]


def summarize(results: Sequence[WindowResult]) -> dict[str, Any]:
    """Return the accuracies of a list of windows.

    `fused`, `fused_named` (after the threshold) and each stream under `streams` count all windows;
    a stream that was silent is wrong there. `spoke` counts the windows where a stream spoke:
    their number, the stream's and the fused accuracy, and RGB's on the same windows.
    """
    truth = np.array([r.truth for r in results])

    def accuracy(said: Sequence[str | None], rows: np.ndarray | slice = slice(None)) -> float | None:
        right = np.array([a == b for a, b in zip(said, truth, strict=True)], dtype=float)[rows]
        return round(float(right.mean()), 4) if right.size else None

    fused = [r.fused for r in results]
    streams = {
        name: [r.streams.get(name) for r in results]
        for name in dict.fromkeys(name for r in results for name in r.streams)
    }
    spoke = {}
    for name, said in streams.items():
        rows = np.array([label is not None for label in said])
        spoke[name] = {
            "windows": int(rows.sum()),
            "stream": accuracy(said, rows),
            "rgb": accuracy(streams.get("rgb", said), rows),
            "fused": accuracy(fused, rows),
        }
    per_label = {
        label: {"windows": int((truth == label).sum()), "fused": accuracy(fused, truth == label)}
        for label in sorted(set(truth))
    }
    pure = np.array([r.purity >= 0.999 for r in results])
    return {
        "windows": len(results),
        "videos": len({r.video for r in results}),
        "fused": accuracy(fused),
        "fused_pure": accuracy(fused, pure),
        "fused_named": accuracy([r.named for r in results]),
        "streams": {name: accuracy(said) for name, said in streams.items()},
        "spoke": spoke,
        "per_label": per_label,
        "confused": [
            {"truth": a, "fused": b, "windows": n}
            for (a, b), n in Counter((r.truth, r.fused) for r in results if r.truth != r.fused).most_common(
                10
            )
        ],
    }


def markdown(summary: Mapping[str, Any]) -> str:
    """Return a summary as Markdown tables, for people."""

    def percent(value: float | None) -> str:
        return "-" if value is None else f"{100 * value:.1f} %"

    lines = [
        f"{summary['windows']} windows of {summary['videos']} videos; a silent stream counts as wrong.",
        "",
        "| what | top-1, all windows | spoke in | top-1 where it spoke | RGB there | fused there |",
        "|---|---|---|---|---|---|",
        f"| **fused** | **{percent(summary['fused'])}** | | | | |",
    ]
    for name, value in summary["streams"].items():
        there = summary["spoke"][name]
        lines.append(
            f"| {name} | {percent(value)} | {there['windows']} | {percent(there['stream'])} "
            f"| {percent(there['rgb'])} | {percent(there['fused'])} |"
        )
    lines += ["", "| label | windows | fused top-1 |", "|---|---|---|"]
    lines += [
        f"| {label} | {row['windows']} | {percent(row['fused'])} |"
        for label, row in summary["per_label"].items()
    ]
    return "\n".join(lines)
