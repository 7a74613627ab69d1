"""Write segments_vector.json: what phar.timeline makes of many small tables of scores.

Python's tests and the page's own function in a browser are both held against this file:

    python tests/export/make_segments_vector.py
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np

from phar.schema import Prediction, SegmentSpec, Window
from phar.timeline import lanes, owned_spans, segments, windows

PATH = Path(__file__).with_name("segments_vector.json")
LABELS = ("run", "jump", "wave", "none")
NUM_RANDOM = 120


def predictions(cover: list[Window], scores: list[list[float]]) -> list[Prediction]:
    return [
        Prediction(window, np.array(row, np.float32), {}, {})
        for window, row in zip(cover, scores, strict=True)
    ]


def answer(case: dict[str, Any]) -> dict[str, Any]:
    """Return what Python says of a case: the windows' own spans, segments, and lanes of every label."""
    cover = [Window(i, start, end) for i, (start, end) in enumerate(case["windows"])]
    given = predictions(cover, case["scores"])
    spec = SegmentSpec(**case["settings"])
    return {
        "bounds": [cover[0].start_s, *(end for _, end in owned_spans(cover))],
        "segments": [[s.label, s.start_s, s.end_s, s.score] for s in segments(given, case["labels"], spec)],
        "lanes": {
            label: [[s.start_s, s.end_s, s.score] for s in lane]
            for label, lane in lanes(given, case["labels"], spec).items()
        },
    }


def case(
    name: str, cover: list[Window], scores: list[list[float]], labels=LABELS, **settings
) -> dict[str, Any]:
    spans = [[window.start_s, window.end_s] for window in cover]
    return {
        "name": name,
        "labels": list(labels),
        "windows": spans,
        "scores": scores,
        "settings": SegmentSpec(**settings).settings(),
    }


def edge_cases() -> list[dict[str, Any]]:
    one, two, many = windows(3.2, 7, 7), windows(14, 7, 7), windows(9.7, 2, 0.7)
    hostile = ("__proto__", "constructor", "none", "</script>")
    alternating = [[0.5, 0, 0, 0], [0, 0, 0, 0.5]] * len(many)
    return [
        case("one short window", one, [[0.1, 0.2, 0.3, 0.4]]),
        case("nobody spoke", two, [[0, 0, 0, 0], [0, 0, 0, 0]]),
        case("nobody spoke and everything passes", two, [[0, 0, 0, 0], [0, 0, 0, 0]], hysteresis=1),
        case("the first of equals is best", two, [[0.5, 0.5, 0.5, 0.5], [0, 0.25, 0.25, 0.25]]),
        # As float32, 0.3 lies above the threshold 0.3 and 0.7 below the threshold 0.7.
        case("a score of 0.3 at 0.3", two, [[0.3, 0, 0, 0], [0.29999998, 0, 0, 0]], threshold=0.3),
        case("a score of 0.7 at 0.7", two, [[0.7, 0, 0, 0], [0.70000005, 0, 0, 0]], threshold=0.7),
        # 0.55 - 0.3 is more than 0.25 in float64, though 0.25 + 0.3 is 0.55; 0.34 - 0.09 is less.
        case(
            "hysteresis in binary, out", two, [[1, 0, 0, 0], [0.25, 0, 0, 0]], threshold=0.55, hysteresis=0.3
        ),
        case(
            "hysteresis in binary, in", two, [[1, 0, 0, 0], [0.25, 0, 0, 0]], threshold=0.34, hysteresis=0.09
        ),
        case("a threshold of 0", two, [[1e-7, 0, 0, 0], [0, 0, 0, 1e-7]], threshold=0),
        case("a threshold of 1", two, [[1, 0, 0, 0], [0.99999994, 0, 0, 0]], threshold=1),
        case("gaps just bridged", many, alternating[: len(many)], max_gap_s=0.7),
        case("gaps just not bridged", many, alternating[: len(many)], max_gap_s=0.69),
        case("runs just long enough", many, alternating[: len(many)], min_length_s=0.7),
        case("runs just too short", many, alternating[: len(many)], min_length_s=0.71),
        case("medians of even counts", many, alternating[: len(many)], smooth_s=1.4),
        case("a neighbour on the edge of smoothing", many, alternating[: len(many)], smooth_s=2.8),
        case("smoothing over everything", many, alternating[: len(many)], smooth_s=99),
        case("labels a script could trip over", two, [[1, 0, 0, 0], [0, 1, 0, 0]], labels=hostile),
        case(
            "settings of labels a script could trip over",
            windows(28, 7, 7),
            [[0.5, 0, 0, 0], [0, 0.5, 0, 0], [0, 0, 0.5, 0], [0, 0, 0, 0.5]],
            labels=hostile,
            label_thresholds={"__proto__": 0.6, "constructor": 0.4, "none": 0.9},
            label_min_lengths_s={"</script>": 7.5},
            label_max_gaps_s={"__proto__": 99},
        ),
    ]


def random_case(name: str, rng: random.Random) -> dict[str, Any]:
    """Return a case on a grid so coarse that ties and scores at the threshold are common."""
    stride_s = rng.choice([0.1, 0.3, 0.5, 1, 1.5, 2.35, 7])
    window_s = rng.choice([stride_s, round(stride_s * 2.5, 3), 7])
    duration_s = round(stride_s * rng.uniform(0.5, 22), 3)
    cover = windows(duration_s, window_s, stride_s)
    labels = LABELS[: rng.choice([2, 3])] if rng.random() < 0.3 else LABELS
    kept, scores = [0.0] * len(labels), []
    for _ in cover:
        if rng.random() < 0.45:
            kept = [rng.randrange(0, 21) / 20 for _ in labels]
        jitter = rng.choice([0, 0, 0.05, -0.05])
        scores.append([min(1.0, max(0.0, round(p + jitter, 2))) for p in kept])

    def maybe(values: list[float], chance: float = 0.5) -> float:
        return rng.choice(values) if rng.random() < chance else 0.0

    lengths = [stride_s, 2 * stride_s, round(3 * stride_s, 3), 2.5]
    return case(
        name,
        cover,
        scores,
        labels,
        threshold=rng.randrange(0, 21) / 20,
        label_thresholds={label: rng.randrange(0, 21) / 20 for label in labels if rng.random() < 0.25},
        hysteresis=maybe([0.05, 0.1, 0.25]),
        smooth_s=maybe([stride_s, 2 * stride_s, round(5 * stride_s, 3), 3.3]),
        min_length_s=maybe(lengths),
        label_min_lengths_s={label: rng.choice(lengths) for label in labels if rng.random() < 0.15},
        max_gap_s=maybe(lengths),
        label_max_gaps_s={label: rng.choice(lengths) for label in labels if rng.random() < 0.15},
    )


def main() -> None:
    rng = random.Random(5)
    cases = [*edge_cases(), *(random_case(f"random {i}", rng) for i in range(NUM_RANDOM))]
    lines = (json.dumps({**case, "expected": answer(case)}, separators=(",", ":")) for case in cases)
    PATH.write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
