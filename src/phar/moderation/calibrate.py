"""From what people know of videos to a policy whose thresholds keep a promise."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from phar import __version__, foreign
from phar.export import replacing
from phar.moderation.isotonic import fit
from phar.moderation.policy import BLOCK, REVIEW, Calibration, Category, Policy, parse_policy
from phar.moderation.thresholds import Outcome, Promise, choose, curve, outcome
from phar.moderation.truth import Cases, Watched, cases
from phar.schema import Report


@dataclass(frozen=True)
class Calibrated:
    """One category with its new curve and threshold."""

    data: Cases
    curve: tuple[Outcome, ...]
    """Of every threshold of the grid, the highest first."""
    chosen: Outcome
    bound: float
    """What the promise's confidence says of the chosen one."""
    calibration: Calibration | None
    """None where the data hold no example, or nothing else: scores stay as they are."""

    @property
    def threshold(self) -> float:
        """The chosen threshold on calibrated probabilities."""
        raw = self.chosen.threshold
        return raw if self.calibration is None else self.calibration(raw)


def calibrate(
    policy: Policy, watched: Sequence[Watched], reports: Sequence[Report], promise: Promise
) -> dict[str, Calibrated]:
    """Choose a threshold for every category of a policy.

    Args:
        policy: whose categories, and how they make spans.
        watched: what people know of each video.
        reports: of the same videos, in the same order.
        promise: what every category's threshold is to keep.

    Raises:
        UsageError: there is too little data, or no threshold keeps the promise.
    """
    found = {}
    for category in policy.categories:
        data = cases(category, watched, reports)
        outcomes = tuple(curve(data))
        chosen = choose(outcomes, promise, category.name)
        known = [(row.score, row.truth) for row in data.rows if row.truth is not None]
        both = len({truth for _, truth in known}) == 2
        calibration = fit(*zip(*known, strict=True)) if both else None
        found[category.name] = Calibrated(data, outcomes, chosen, promise.bound(chosen), calibration)
    return found


def calibrated_policy(
    policy: Policy,
    results: Mapping[str, Calibrated],
    promise: Promise,
    action: str,
    path: Path,
    about: Mapping[str, Any],
) -> Policy:
    """Return a policy of the next version with new curves, and new thresholds for one action.

    The other action's threshold is carried over to the new curve; it never comes to lie on the wrong side.

    Args:
        policy: the one before.
        results: what `calibrate` found.
        promise: what was promised.
        action: `review` or `block`, the one whose threshold keeps the promise.
        path: where the new one will lie.
        about: added to every category's `promise`: data, profile.
    """
    document = copy.deepcopy(policy.document)
    document["version"] = policy.version + 1
    for category in policy.categories:
        result = results[category.name]
        entry = document["categories"][category.name]
        entry["actions"] = _actions(category, result, action)
        entry.pop("calibration", None)
        if result.calibration is not None:
            entry["calibration"] = {
                "scores": list(result.calibration.scores),
                "probabilities": list(result.calibration.probabilities),
            }
        entry["promise"] = {
            "action": action,
            promise.kind: promise.target,
            "confidence": promise.confidence,
            "bound": round(result.bound, 6),
            **summary(result.chosen),
            **about,
            "made": datetime.now(UTC).isoformat(timespec="seconds"),
        }
    return parse_policy(_yaml(document, policy), path)


def write_policy(policy: Policy) -> None:
    """Write a policy where it says that it lies, replacing the file in one step."""
    with replacing(policy.path) as temporary:
        temporary.write_bytes(policy.text)


def check(policy: Policy, watched: Sequence[Watched], reports: Sequence[Report]) -> dict[str, Outcome]:
    """Return what the lowest threshold of every category does to other data."""
    return {
        category.name: outcome(cases(category, watched, reports), _raw(category, category.alarm))
        for category in policy.categories
    }


def summary(chosen: Outcome) -> dict[str, Any]:
    """Return the figures of one threshold by name, as policies and tables show them."""
    return {
        "hours": round(chosen.hours, 4),
        "false_alarms": chosen.false_alarms,
        "false_alarms_an_hour": _figure(chosen.per_hour),
        "right_alarms": chosen.true_alarms,
        "events": chosen.events,
        "events_found": chosen.found,
        "event_recall": _figure(chosen.event_recall),
        "window_precision": _figure(chosen.precision),
        "window_recall": _figure(chosen.recall),
        "window_f1": _figure(chosen.f1),
    }


def _actions(category: Category, result: Calibrated, action: str) -> dict[str, float]:
    actions = {name: _carried(category, value, result) for name, value in category.actions.items()}
    actions[action] = result.threshold
    if REVIEW in actions and BLOCK in actions and actions[BLOCK] < actions[REVIEW]:
        other = BLOCK if action == REVIEW else REVIEW
        actions[other] = actions[action]
    return {name: actions[name] for name in (REVIEW, BLOCK) if name in actions}


def _carried(category: Category, threshold: float, result: Calibrated) -> float:
    """Return an old threshold as a probability of the new curve."""
    raw = _raw(category, threshold)
    return raw if result.calibration is None else result.calibration(raw)


def _raw(category: Category, threshold: float) -> float:
    """Return the score that has a probability."""
    curve = category.calibration
    return threshold if curve is None else float(np.interp(threshold, curve.probabilities, curve.scores))


def _yaml(document: Mapping[str, Any], before: Policy) -> bytes:
    head = f"## written by phar {__version__}: calibrated from {before.name} {before.version}\n"
    return (head + foreign.to_yaml(dict(document), width=100)).encode()


def _figure(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 6)
