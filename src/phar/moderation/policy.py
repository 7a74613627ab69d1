"""Policies: which scores count for which category, and what is done above which threshold.

A policy is a YAML file with a name and a version. Its hash is that of the file's bytes and goes into every
verdict made by it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from phar import foreign
from phar.profile import RESOURCES
from phar.schema import Prediction, ProfileError

SAFE, REVIEW, BLOCK = "safe", "review", "block"

#: What may be said of a window, a span or a video, the mildest first.
VERDICTS = (SAFE, REVIEW, BLOCK)

SCHEMA_PATH = Path(__file__).with_name("policy.schema.json")

#: A calibration curve of ten thousand points, far more than there ever are, is 400 KB.
_MAX_BYTES = 4 << 20


def worst(verdicts: Sequence[str]) -> str:
    """Return the most severe of some verdicts, safe if there is none."""
    return max(verdicts, key=VERDICTS.index, default=SAFE)


@dataclass(frozen=True)
class Calibration:
    """A strictly increasing curve from scores to probabilities, straight between its points."""

    scores: tuple[float, ...]
    """Increasing, in [0, 1]."""
    probabilities: tuple[float, ...]
    """Increasing, in [0, 1]; as many."""

    def __post_init__(self) -> None:
        if len(self.scores) != len(self.probabilities) or not all(
            a < b for values in (self.scores, self.probabilities) for a, b in pairwise(values)
        ):
            raise ValueError("scores and probabilities must be as many, and both increase")

    def __call__(self, score: float) -> float:
        """Return the probability of a score; beyond the curve's ends that of the end."""
        return float(np.interp(score, self.scores, self.probabilities))


@dataclass(frozen=True)
class Category:
    """One thing moderators look for."""

    name: str
    labels: tuple[str, ...]
    """Labels of the fused scores, or of `stream`."""
    actions: Mapping[str, float]
    """Verdict to the probability from which on it is given: review, block or both; the mildest first."""
    stream: str | None = None
    """The stream whose own scores count; None: the fused ones."""
    combine: str = "max"
    """How several labels' scores become one: `max` or `sum`."""
    truth: tuple[str, ...] = ()
    """What annotations call it; the labels, if nothing else is said."""
    min_length_s: float = 0.0
    """Shorter spans are left out."""
    max_gap_s: float = 0.0
    """Gaps up to this long between two spans are bridged."""
    calibration: Calibration | None = None

    @property
    def alarm(self) -> float:
        """The lowest threshold: from here on people are bothered."""
        return min(self.actions.values())

    def action(self, probability: float) -> str:
        """Return the verdict that a probability gets."""
        return worst([name for name, threshold in self.actions.items() if probability >= threshold])

    def score(self, prediction: Prediction, labels: Sequence[str], own: Sequence[str] = ()) -> float | None:
        """Return what a window scores before calibration, in [0, 1]; None if it was not looked at.

        labels: names of the fused scores. own: names of the scores of `stream`.
        """
        if self.stream is None:
            if all(score.probs is None for score in prediction.streams.values()):
                return None
            probs, names = prediction.probs, labels
        else:
            said = prediction.streams[self.stream].probs
            if said is None:
                return None
            probs, names = said, own
        values = [float(probs[names.index(label)]) for label in self.labels]
        return min(1.0, sum(values) if self.combine == "sum" else max(values))

    def probability(self, score: float) -> float:
        """Return the calibrated probability of a score."""
        return score if self.calibration is None else self.calibration(score)


@dataclass(frozen=True)
class Policy:
    """A checked policy."""

    name: str
    version: int
    categories: tuple[Category, ...]
    unjudged: str
    """What a window gets in which no stream could look."""
    damaged: str
    """What a video gets of which parts could not be decoded."""
    path: Path
    text: bytes
    """The file, byte for byte."""

    @cached_property
    def sha256(self) -> str:
        """Hash of the file."""
        return hashlib.sha256(self.text).hexdigest()

    @cached_property
    def document(self) -> dict[str, Any]:
        """The YAML document."""
        return _parsed(self.text, str(self.path))

    def require(self, labels: Sequence[str], vocabularies: Mapping[str, Sequence[str]], whose: str) -> None:
        """Check that every category asks for labels that there are.

        labels: of the fused scores. vocabularies: of each stream, by name. whose: they are, for the message.

        Raises:
            ProfileError: one line with what is not there.
        """
        for category in self.categories:
            where = f"policy {self.path.name}: categories.{category.name}"
            if category.stream is not None and category.stream not in vocabularies:
                raise ProfileError(
                    f"{where} asks the stream {category.stream!r}, which {whose} has not"
                    f" ({', '.join(vocabularies)}); choose a policy that goes with it"
                )
            known = labels if category.stream is None else vocabularies[category.stream]
            for label in category.labels:
                if label not in known:
                    raise ProfileError(
                        f"{where} asks for the label {label!r}, which {whose} does not know;"
                        f" choose a policy that goes with it, or one of {', '.join(known)}"
                    )


def bundled_policies() -> list[str]:
    """Return the names of the policies that come with phar."""
    return sorted(path.stem for path in (RESOURCES / "configs" / "policies").glob("*.yaml"))


def load_policy(name_or_path: str | Path) -> Policy:
    """Read a bundled policy by name, or a YAML file, and check all of it.

    A text that ends in .yaml or holds a slash is a file.

    Raises:
        ProfileError: one line naming the file, the key and the remedy.
    """
    path = _find(str(name_or_path))
    try:
        text = foreign.read_bytes(path, _MAX_BYTES)
    except foreign.Unreadable as error:
        raise ProfileError(f"policy {path} cannot be read ({error})") from None
    return parse_policy(text, path)


def parse_policy(text: bytes, path: Path) -> Policy:
    """Check a policy's text; `path` is where it is, or will be. Raises ProfileError."""
    document = _parsed(text, str(path))
    _check_shape(document, f"policy {path}")
    return Policy(
        name=document["policy"],
        version=document["version"],
        categories=tuple(
            _category(name, entry, f"policy {path}: categories.{name}")
            for name, entry in document["categories"].items()
        ),
        unjudged=document.get("unjudged", REVIEW),
        damaged=document.get("damaged", SAFE),
        path=path,
        text=text,
    )


def _find(name: str) -> Path:
    if name.endswith((".yaml", ".yml")) or "/" in name:
        path = Path(name).expanduser()
        if not path.is_file():
            raise ProfileError(f"policy file {name} does not exist; check the path")
        return path
    path = RESOURCES / "configs" / "policies" / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(bundled_policies()) or "none"
        raise ProfileError(f"policy {name!r} is unknown; use one of {known}, or a .yaml file")
    return path


def _parsed(text: bytes, where: str) -> dict[str, Any]:
    try:
        document = foreign.parse_yaml(foreign.decoded(text))
    except foreign.Unreadable as error:
        raise ProfileError(f"policy {where} cannot be read ({error})") from None
    if not isinstance(document, dict):
        raise ProfileError(f"policy {where} holds no mapping; start from configs/policies/demo.yaml")
    return document


def _check_shape(document: Mapping[str, Any], where: str) -> None:
    import jsonschema

    schema = json.loads(SCHEMA_PATH.read_text(encoding="utf-8"))
    errors = jsonschema.Draft202012Validator(schema).iter_errors(document)
    for error in sorted(errors, key=lambda each: list(map(str, each.path))):
        key = ".".join(str(part) for part in error.absolute_path) or "the top level"
        raise ProfileError(f"{where}: {key}: {' '.join(error.message.split())}; correct it")


def _category(name: str, entry: Mapping[str, Any], where: str) -> Category:
    actions = {
        verdict: float(entry["actions"][verdict]) for verdict in VERDICTS if verdict in entry["actions"]
    }
    if list(actions.values()) != sorted(actions.values()):
        raise ProfileError(f"{where}.actions: block below review would never lead to a review; correct it")
    if 0 in actions.values():
        raise ProfileError(f"{where}.actions: a threshold of 0 takes every window; raise it")
    calibration = entry.get("calibration")
    try:
        curve = calibration and Calibration(
            tuple(map(float, calibration["scores"])), tuple(map(float, calibration["probabilities"]))
        )
    except ValueError as error:
        raise ProfileError(f"{where}.calibration: {error}; calibrate anew") from None
    return Category(
        name=name,
        labels=tuple(entry["labels"]),
        actions=actions,
        stream=entry.get("stream"),
        combine=entry.get("combine", "max"),
        truth=tuple(entry.get("truth", entry["labels"])),
        min_length_s=float(entry.get("min_length_s", 0.0)),
        max_gap_s=float(entry.get("max_gap_s", 0.0)),
        calibration=curve,
    )
