"""Accuracies counted by hand on four windows."""

from fractions import Fraction

import numpy as np
import pytest

from phar.evaluate.windows import compare, markdown, summarize, true_label
from phar.schema import Prediction, Report, SegmentSpec, StreamScore, Video, Window
from phar.synth import TrueSegment

LABELS = ("jog", "sing", "none")
TRUTH = (TrueSegment("jog", 0, 10), TrueSegment("sing", 10, 21))


def score(stream, window, *probs):
    return StreamScore(stream, window, probs=np.array(probs, dtype=np.float32))


def prediction(index, fused, rgb, audio):
    window = Window(index, 7.0 * index, 7.0 * index + 7)
    streams = {"rgb": score("rgb", window, *rgb)}
    streams["audio"] = (
        score("audio", window, *audio) if audio else StreamScore("audio", window, silent="quiet")
    )
    return Prediction(window, np.array(fused, dtype=np.float32), streams, {"rgb": 1.0})


REPORT = Report(
    video=Video("v.mp4", 28.0, Fraction(30), 64, 48, True),
    profile={},
    labels=LABELS,
    vocabularies={"rgb": LABELS, "audio": ("sing",)},
    predictions=(
        prediction(0, (0.9, 0.1, 0.0), (0.9, 0.1, 0.0), None),  # jog, right
        prediction(1, (0.6, 0.4, 0.0), (0.8, 0.2, 0.0), (1.0,)),  # sing (4 of 7 s), fused wrong
        prediction(2, (0.3, 0.7, 0.0), (0.8, 0.2, 0.0), (1.0,)),  # sing, fused right where RGB is not
        prediction(3, (0.35, 0.3, 0.3), (0.4, 0.3, 0.3), None),  # none, named none by the threshold
    ),
    timestamps=(),
    tags=(),
    timing={},
    created="2020-01-01T00:00:00+00:00",
    phar_version="0",
)


def test_the_label_that_covers_most_is_true_and_bare_time_is_none():
    assert true_label(Window(0, 0, 7), TRUTH) == ("jog", 1.0)
    assert true_label(Window(1, 7, 14), TRUTH) == ("sing", pytest.approx(4 / 7))
    assert true_label(Window(3, 20, 28), TRUTH) == ("none", pytest.approx(7 / 8))


def test_the_earlier_label_wins_a_tie():
    assert true_label(Window(1, 5, 15), TRUTH)[0] == "jog"


def test_summary_by_hand():
    results = compare(REPORT, TRUTH, "v", SegmentSpec(threshold=0.5))
    assert [r.truth for r in results] == ["jog", "sing", "sing", "none"]
    assert [r.named for r in results] == ["jog", "jog", "sing", "none"]
    summary = summarize(results)
    assert summary["fused"] == 0.5
    assert summary["fused_named"] == 0.75
    assert summary["fused_pure"] == pytest.approx(2 / 3, abs=1e-4)
    # Silent counts as wrong: audio spoke in two windows and was right in both.
    assert summary["streams"] == {"rgb": 0.25, "audio": 0.5}
    assert summary["spoke"]["audio"] == {"windows": 2, "stream": 1.0, "rgb": 0.0, "fused": 0.5}
    assert summary["per_label"]["sing"] == {"windows": 2, "fused": 0.5}


def test_markdown_shows_percent():
    summary = summarize(compare(REPORT, TRUTH, "v", SegmentSpec(threshold=0.5)))
    table = markdown(summary)
    assert "| **fused** | **50.0 %** |" in table
    assert "| audio | 50.0 % | 2 | 100.0 % | 0.0 % | 50.0 % |" in table
