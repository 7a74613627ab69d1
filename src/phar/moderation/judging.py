"""A report and a policy in, a verdict with its reasons out; no model is asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from phar.moderation.policy import BLOCK, REVIEW, SAFE, Category, Policy, worst
from phar.moderation.spans import AlarmSpan, spans_of
from phar.schema import Prediction, Report, Window

#: What is in a report's warning that says that something could not be shown to the nets as it was.
_DAMAGE = "damaged"


@dataclass(frozen=True)
class WindowVerdict:
    """What is said of one window."""

    window: Window
    probabilities: Mapping[str, float | None]
    """By category; None where it was not judged."""
    action: str
    """The most severe action that a category's probability reaches, whatever the length of its span."""
    silent: Mapping[str, str]
    """Streams that did not look at it, and why."""


@dataclass(frozen=True)
class Verdict:
    """What is said of a video."""

    action: str
    """safe, review or block."""
    windows: tuple[WindowVerdict, ...]
    spans: tuple[AlarmSpan, ...]
    """By start, then category."""
    reasons: tuple[str, ...]
    """Why, most severe first; one line each, for people."""


def judge_window(
    policy: Policy,
    prediction: Prediction,
    labels: Sequence[str],
    vocabularies: Mapping[str, Sequence[str]],
) -> WindowVerdict:
    """Judge one window by itself."""
    probabilities: dict[str, float | None] = {}
    for category in policy.categories:
        score = category.score(prediction, labels, vocabularies.get(category.stream or "", ()))
        probabilities[category.name] = None if score is None else category.probability(score)
    return WindowVerdict(
        window=prediction.window,
        probabilities=probabilities,
        action=worst([_action(policy, category, probabilities) for category in policy.categories]),
        silent={name: score.silent for name, score in prediction.streams.items() if score.silent is not None},
    )


def judge(policy: Policy, report: Report) -> Verdict:
    """Judge a whole video.

    Raises:
        ProfileError: the policy asks for streams or labels that the report does not have.
    """
    policy.require(report.labels, report.vocabularies, f"the report of {report.video.path}")
    windows = tuple(
        judge_window(policy, prediction, report.labels, report.vocabularies)
        for prediction in report.predictions
    )
    spans = [
        span
        for category in policy.categories
        for span in spans_of(category, [(each.window, each.probabilities[category.name]) for each in windows])
    ]
    said = [(span.action, _span_reason(policy, span)) for span in spans]
    said += [(policy.unjudged, reason) for reason in _unjudged(policy, windows)]
    said += [
        (policy.damaged, f"could not be decoded whole: {line}") for line in report.warnings if _DAMAGE in line
    ]
    said = [(action, reason) for action, reason in said if action != SAFE]
    return Verdict(
        action=worst([action for action, _ in said]),
        windows=windows,
        spans=tuple(sorted(spans, key=lambda span: (span.start_s, span.category))),
        reasons=tuple(
            f"{action}: {reason}"
            for verdict in (BLOCK, REVIEW)
            for action, reason in said
            if action == verdict
        ),
    )


def clock(seconds: float) -> str:
    """Return a time of a video as h:mm:ss.s."""
    tenths = round(seconds * 10)
    return f"{tenths // 36000}:{tenths // 600 % 60:02}:{tenths // 10 % 60:02}.{tenths % 10}"


def _action(policy: Policy, category: Category, probabilities: Mapping[str, float | None]) -> str:
    """What one category says of a window; it is `unjudged` only if none could say anything."""
    probability = probabilities[category.name]
    if probability is not None:
        return category.action(probability)
    return policy.unjudged if all(value is None for value in probabilities.values()) else SAFE


def _span_reason(policy: Policy, span: AlarmSpan) -> str:
    category = next(each for each in policy.categories if each.name == span.category)
    what = "/".join(category.labels)
    source = f"the {category.stream} stream" if category.stream else "the fused scores"
    return (
        f"{span.category} ({what}, {source}) reaches {span.peak:.3f} where"
        f" {category.actions[span.action]:g} is enough, {clock(span.start_s)} to {clock(span.end_s)}"
    )


def _unjudged(policy: Policy, windows: Sequence[WindowVerdict]) -> list[str]:
    """Say how much was not judged at all, and why."""
    blind = [each for each in windows if all(value is None for value in each.probabilities.values())]
    if not blind:
        return []
    seconds = sum(each.window.duration_s for each in blind)
    why = Counter(f"{name}: {reason}" for each in blind for name, reason in each.silent.items())
    reason, _ = why.most_common(1)[0] if why else ("no stream looked", 0)
    return [
        f"{len(blind)} of {len(windows)} windows ({seconds:.1f} s), the first at"
        f" {clock(blind[0].window.start_s)}, could not be judged ({reason})"
    ]
