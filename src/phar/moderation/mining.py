"""What is worth a person's look: windows near and above thresholds, and those streams disagree on.

Four reasons, each ranked by its own measure and taken in turn, so that none drowns the others:

* `above`: people would be bothered with it; each that they refuse is a hard negative. Highest first.
* `near`: below the threshold and above a lowered one; what is missed lies here. Highest first.
* `uncertain`: nearest to the threshold on either side.
* `disagree`: two streams that know the same labels say different things. Widest apart first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, zip_longest

from phar.moderation.policy import Category, Policy
from phar.schema import Prediction, Report, Window

ABOVE, NEAR, UNCERTAIN, DISAGREE = "above", "near", "uncertain", "disagree"
REASONS = (ABOVE, NEAR, UNCERTAIN, DISAGREE)

#: Streams that are so far apart on a category disagree.
_APART = 0.5

#: Least share of a stream's probability on the labels it has in common with another, for the two to be held
#: against each other.
_LEAST_MASS = 0.2

#: 64-bit hashes of pictures that differ in at most so many bits look alike, as in `phar dataset build`.
ALIKE_BITS = 8


@dataclass(frozen=True)
class Candidate:
    """One window that a person should look at."""

    report: int
    """Which of the reports, from 0."""
    window: Window
    category: str
    label: str
    """What a person would call it: the category's first word for it in annotations."""
    probability: float
    why: str
    """One of `REASONS`."""
    measure: float
    """By which the reason ranks, highest first."""
    picture: int = 0
    """64-bit perceptual hash of its middle."""


@dataclass(frozen=True)
class Mining:
    """How much is taken."""

    quota: int = 50
    """Most windows of each category."""
    lower: float = 0.5
    """Share of a category's lowest threshold from which on a window is near."""
    reasons: tuple[str, ...] = REASONS


def mine(
    policy: Policy,
    reports: Sequence[Report],
    settings: Mining,
    picture: Callable[[int, float], int | None],
) -> list[Candidate]:
    """Return windows to look at, by category, those that matter most first, no two alike.

    Args:
        policy: whose categories and thresholds.
        reports: of videos.
        settings: how much is taken.
        picture: the 64-bit hash of what a report's video shows at a time; None if it cannot be had.

    Raises:
        ProfileError: the policy asks for what a report does not have.
    """
    for report in reports:
        policy.require(report.labels, report.vocabularies, f"the report of {report.video.path}")
    found: list[Candidate] = []
    for category in policy.categories:
        chosen: list[Candidate] = []
        for candidate in _in_turn(_ranked(category, reports, settings)):
            if len(chosen) == settings.quota:
                break
            if any(_overlap(candidate, other) for other in chosen):
                continue
            middle_s = (candidate.window.start_s + candidate.window.end_s) / 2
            seen = picture(candidate.report, middle_s)
            if seen is None or any((seen ^ other.picture).bit_count() <= ALIKE_BITS for other in chosen):
                continue
            chosen.append(replace(candidate, picture=seen))
        found += chosen
    return found


def disagreement(
    category: Category, prediction: Prediction, vocabularies: Mapping[str, Sequence[str]]
) -> float:
    """Return how far two streams are apart on a category, in [0, 1]: the widest of all pairs that spoke.

    A pair is compared on the labels that both know, as if there were no others; what the first of the two
    holds unlikely altogether counts less.
    """
    spoke = {name: score.probs for name, score in prediction.streams.items() if score.probs is not None}
    widest = 0.0
    for one, other in combinations(spoke, 2):
        shared = [label for label in vocabularies[one] if label in vocabularies[other]]
        asked = [label for label in category.labels if label in shared]
        if not asked or len(shared) == len(asked):
            continue
        shares, masses = [], []
        for name in (one, other):
            column = {label: float(spoke[name][i]) for i, label in enumerate(vocabularies[name])}
            masses.append(sum(column[label] for label in shared))
            shares.append(sum(column[label] for label in asked) / masses[-1] if masses[-1] > 0 else 0.0)
        if min(masses) >= _LEAST_MASS:
            widest = max(widest, abs(shares[0] - shares[1]) * min(1.0, *masses))
    return widest


def _ranked(category: Category, reports: Sequence[Report], settings: Mining) -> Mapping[str, list[Candidate]]:
    """Return the candidates of each reason, best first."""
    found: dict[str, list[Candidate]] = {reason: [] for reason in settings.reasons}
    for number, report in enumerate(reports):
        own = report.vocabularies.get(category.stream or "", ())
        for prediction in report.predictions:
            score = category.score(prediction, report.labels, own)
            if score is None:
                continue
            probability = category.probability(score)
            apart = disagreement(category, prediction, report.vocabularies)
            for reason, measure in _reasons(category, probability, apart, settings):
                if reason in found:
                    found[reason].append(
                        Candidate(
                            report=number,
                            window=prediction.window,
                            category=category.name,
                            label=category.truth[0],
                            probability=probability,
                            why=reason,
                            measure=measure,
                        )
                    )
    for rows in found.values():
        rows.sort(key=lambda each: (-each.measure, each.report, each.window.start_s))
    return found


def _reasons(
    category: Category, probability: float, apart: float, settings: Mining
) -> Iterator[tuple[str, float]]:
    low = category.alarm * settings.lower
    if probability >= category.alarm:
        yield ABOVE, probability
    elif probability >= low:
        yield NEAR, probability
    if probability >= low:
        yield UNCERTAIN, -abs(probability - category.alarm)
    if apart >= _APART:
        yield DISAGREE, apart


def _in_turn(ranked: Mapping[str, list[Candidate]]) -> Iterator[Candidate]:
    """Yield the best of each reason, then the second best of each, ..."""
    for row in zip_longest(*ranked.values()):
        yield from (candidate for candidate in row if candidate is not None)


def _overlap(one: Candidate, other: Candidate) -> bool:
    return one.report == other.report and (
        one.window.start_s < other.window.end_s and other.window.start_s < one.window.end_s
    )
