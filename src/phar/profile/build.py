"""From a YAML document to a checked Profile, and to a changed one."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from phar.profile.document import check_shape, find_profile, merged, read_yaml
from phar.profile.labels import check_spelling, labels_of
from phar.profile.onnx import deciding, onnx_stream
from phar.profile.resources import RESOURCES, resolve
from phar.profile.spec import LoudnessGate, ModelSpec, PersonSpec, Profile, SkimSpec, StreamSpec
from phar.schema import NONE, ProfileError, SegmentSpec

#: The order in which command-line lists name the streams; streams of other names follow.
STREAM_ORDER = ("rgb", "skeleton", "audio")

#: Names that the person models have among a profile's models.
_TAKEN_NAMES = ("detector", "pose")

_DEFAULTS: Mapping[str, Any] = {
    "sampling": "frames-1.x",
    "precision": "auto",
    "persons": {
        "det_score_thr": 0.8,
        "pose_score_thr": 0.4,
        "detector_stride": 1,
        "max_persons": 4,
    },
    "fusion": {"rule": "weighted_sum", "threshold": 0.0},
    "segments": {},
    "skim": {"threshold": 0.2, "every_s": 2.0, "max_gap_s": 10.0},
}


def load_profile(name_or_path: str | Path | None = None) -> Profile:
    """Read a bundled profile by name, or a YAML file, and check all of it.

    A text that ends in .yaml or holds a slash is a file; None is the default profile.

    Checkpoints may be missing until they are used: see `require_checkpoints`.

    Raises:
        ProfileError: one line naming the file, the key and the remedy.
    """
    if name_or_path is None:
        name_or_path, _ = default_profile()
    path = find_profile(str(name_or_path))
    return _checked(read_yaml(path), path)


def default_profile() -> tuple[str, str]:
    """Return the name of the profile to use when none is asked for, and why."""
    try:
        missing = load_profile("phar17").missing_checkpoints()
    except ProfileError:
        return "demo", "the bundled one"
    if missing:
        return "demo", "the checkpoints of phar17 are not here (phar models pull phar17)"
    return "phar17", "its checkpoints are here"


def with_overrides(profile: Profile, overrides: Mapping[str, Any]) -> Profile:
    """Return a newly checked profile with `overrides` merged into its document.

    Mappings merge key by key, other values replace, and None removes a key:
    `{"streams": {"audio": None}}` switches the audio stream off. Without a
    skeleton stream the person models go too, and presets lose what they say
    of a missing stream. Relative paths in overrides are looked up as those of
    the profile are: pass absolute ones to be sure.
    """
    document = merged(profile.document, overrides)
    streams = document.get("streams", {})
    parts = [document, *document.get("presets", {}).values()]
    for part in parts:
        if "skeleton" not in streams:
            part.pop("persons", None)
        if part is not document and "streams" in part:
            part["streams"] = {name: entry for name, entry in part["streams"].items() if name in streams}
    return _checked(document, profile.path)


def with_preset(profile: Profile, preset: str | None) -> Profile:
    """Return the profile with one of its presets merged in; None and `balanced` may be undefined."""
    presets = profile.document.get("presets", {})
    if preset is None or (preset == "balanced" and preset not in presets):
        return profile
    if preset not in presets:
        defined = ", ".join(presets) or "none at all"
        raise ProfileError(f"profile {profile.name!r} has no preset {preset!r}; it defines {defined}")
    return with_overrides(profile, presets[preset])


def ungated(profile: Profile) -> Profile:
    """Return the profile with every gate open: each stream looks at every window it can."""
    streams = {name: {"gate": None} for name in profile.streams}
    return with_overrides(profile, {"streams": streams})


def without_label_terms(profile: Profile) -> Profile:
    """Return the profile without weights and biases of single labels, which were fitted to its nets.

    Rule `stacked` lives by them and becomes `within_vocabulary`. A profile that has none stays as it is.
    """
    if not any(stream.label_weights or stream.bias for stream in profile.streams.values()):
        return profile
    rule = "within_vocabulary" if profile.fusion == "stacked" else profile.fusion
    streams = {name: {"label_weights": None, "bias": None} for name in profile.streams}
    return with_overrides(profile, {"streams": streams, "fusion": {"rule": rule}})


def _checked(document: Mapping[str, Any], path: Path | None) -> Profile:
    """Check a document and each of its presets, and build the profile."""
    profile = _build(document, path)
    for preset, overrides in document.get("presets", {}).items():
        try:
            _build(merged(_without_presets(document), overrides), path)
        except ProfileError as error:
            raise ProfileError(f"preset {preset!r}: {error}") from None
    return profile


def _without_presets(document: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in document.items() if key != "presets"}


def _build(document: Mapping[str, Any], path: Path | None) -> Profile:
    where = f"profile {path}" if path else f"profile {document.get('name')!r}"
    _check_names(document, where)
    check_shape(document, where)
    filled = merged(_DEFAULTS, document)
    bases = [path.parent, RESOURCES] if path else [RESOURCES]
    names = sorted(filled["streams"], key=lambda name: (*STREAM_ORDER, name).index(name))
    streams = {
        name: (_stream if name in STREAM_ORDER else _KINDS[filled["streams"][name]["kind"]])(
            name, filled["streams"][name], filled["sampling"], bases, f"{where}: streams.{name}"
        )
        for name in names
    }
    _check_streams(streams, where)
    labels = (
        labels_of(filled["labels"], bases, f"{where}: labels")
        if "labels" in filled
        else tuple(dict.fromkeys(label for stream in streams.values() for label in stream.labels))
    )
    segments = SegmentSpec(threshold=filled["fusion"]["threshold"], **filled["segments"])
    _check_labels(labels, streams, segments, where)
    window_s = float(filled["window_s"])
    stride_s = float(filled.get("stride_s", window_s))
    if stride_s > window_s:
        raise ProfileError(
            f"{where}: stride_s {stride_s:g} is longer than window_s {window_s:g} and leaves gaps; lower it"
        )
    return Profile(
        name=filled["name"],
        labels=labels,
        window_s=window_s,
        stride_s=stride_s,
        sampling=filled["sampling"],
        streams=streams,
        persons=_persons(document, filled, streams.get("skeleton"), bases, where),
        fusion=filled["fusion"]["rule"],
        segments=segments,
        path=path,
        precision=filled["precision"],
        skim=_skim(filled["skim"], bases, f"{where}: skim") if "skim" in document else None,
        document=copy.deepcopy(dict(document)),
    )


def _check_names(document: Mapping[str, Any], where: str) -> None:
    """Refuse a stream whose name says nothing and that does not say its kind."""
    streams = document.get("streams")
    for name, entry in streams.items() if isinstance(streams, Mapping) else ():
        if name in STREAM_ORDER:
            continue
        if not isinstance(entry, Mapping) or entry.get("kind") not in _KINDS:
            raise ProfileError(
                f"{where}: streams.{name} is none of {', '.join(STREAM_ORDER)} and says no known kind;"
                f" correct the name, or give it a kind: {' or '.join(_KINDS)}"
            )
        if not isinstance(name, str) or name in _TAKEN_NAMES:
            raise ProfileError(f"{where}: a stream cannot be called {name!r}; choose another name")


def _check_streams(streams: Mapping[str, StreamSpec], where: str) -> None:
    for name, stream in streams.items():
        gate = f"{where}: streams.{name}.gate"
        if stream.rgb_topk is not None and (name == "rgb" or "rgb" not in streams):
            raise ProfileError(f"{gate}.rgb_topk asks another stream, rgb, which is not there; remove it")
        if stream.min_keypoint_share is not None and name != "skeleton":
            raise ProfileError(f"{gate}.min_keypoint_share fits the skeleton stream only; remove it")
        if stream.loudness is not None and name != "audio":
            raise ProfileError(f"{gate}.loudness fits the audio stream only; remove it")
    if all(stream.weight == 0 for stream in streams.values()):
        raise ProfileError(f"{where}: every stream's weight is 0; give one a weight above 0")


def _check_labels(
    labels: Sequence[str], streams: Mapping[str, StreamSpec], segments: SegmentSpec, where: str
) -> None:
    check_spelling([labels, *(stream.labels for stream in streams.values())], where)
    for name, stream in streams.items():
        for label in stream.labels:
            if label not in labels:
                other = "" if stream.onnx is None else ", or let a label_map name those that count"
                raise ProfileError(
                    f"{where}: streams.{name}.labels has {label!r}, which labels has not; add it there{other}"
                )
        for label in stream.label_weights:
            if label not in stream.labels:
                raise ProfileError(
                    f"{where}: streams.{name}.label_weights names {label!r}, which the stream does not know"
                )
        for label in stream.bias:
            if label not in labels:
                raise ProfileError(f"{where}: streams.{name}.bias names {label!r}, which is no label")
    for name in ("label_thresholds", "label_min_lengths_s", "label_max_gaps_s"):
        for label in getattr(segments, name):
            if label not in labels:
                raise ProfileError(f"{where}: segments.{name} names {label!r}, which is no label")


def _stream(
    name: str, entry: Mapping[str, Any], sampling: str, bases: Sequence[Path], where: str
) -> StreamSpec:
    gate = entry.get("gate", {})
    return StreamSpec(
        name=name,
        kind=entry.get("kind", name),
        model=_model(entry, bases, where),
        labels=labels_of(entry["labels"], bases, f"{where}.labels"),
        weight=float(entry["weight"]),
        sampling=entry.get("sampling", sampling),
        **deciding(entry),
        rgb_topk=gate.get("rgb_topk"),
        min_keypoint_share=gate.get("min_keypoint_share"),
        loudness=_loudness(gate["loudness"], f"{where}.gate.loudness") if "loudness" in gate else None,
    )


def _loudness(entry: Mapping[str, Any], where: str) -> LoudnessGate:
    rule = entry["rule"]
    needed = "lufs" if rule == "fixed" else "thresholds_lufs"
    if needed not in entry:
        raise ProfileError(f"{where}: rule {rule!r} needs {needed}; add it")
    if rule == "fixed":
        return LoudnessGate(rule, fixed_lufs=float(entry["lufs"]))
    return LoudnessGate(rule, {label: float(value) for label, value in entry["thresholds_lufs"].items()})


def _persons(
    document: Mapping[str, Any],
    filled: Mapping[str, Any],
    skeleton: StreamSpec | None,
    bases: Sequence[Path],
    where: str,
) -> PersonSpec | None:
    given = "persons" in document
    if skeleton is None and given:
        raise ProfileError(
            f"{where}: persons is given without a skeleton stream; remove one or add the other"
        )
    if skeleton is None:
        return None
    if not given:
        raise ProfileError(f"{where}: the skeleton stream needs persons.detector and persons.pose; add them")
    entry = filled["persons"]
    return PersonSpec(
        detector=_model(entry["detector"], bases, f"{where}: persons.detector"),
        pose=_model(entry["pose"], bases, f"{where}: persons.pose"),
        det_score_thr=float(entry["det_score_thr"]),
        pose_score_thr=float(entry["pose_score_thr"]),
        correct_rate=float(skeleton.min_keypoint_share or 0.0),
        detector_stride=entry["detector_stride"],
        max_persons=entry["max_persons"],
        short_side_px=entry.get("short_side_px"),
    )


def _skim(entry: Mapping[str, Any], bases: Sequence[Path], where: str) -> SkimSpec:
    labels = labels_of(entry["labels"], bases, f"{where}.labels")
    if NONE not in labels:
        raise ProfileError(f"{where}.labels has no {NONE!r}, by which it would pass over anything; add it")
    return SkimSpec(
        model=_model(entry, bases, where),
        labels=labels,
        threshold=float(entry["threshold"]),
        every_s=float(entry["every_s"]),
        max_gap_s=float(entry["max_gap_s"]),
    )


#: What reads the entry of a stream of another name, by the kind it says.
_KINDS = {"onnx": onnx_stream, "moderation": _stream}


def _model(entry: Mapping[str, Any], bases: Sequence[Path], where: str) -> ModelSpec:
    config = resolve(entry["config"], bases)
    if not config.is_file():
        raise ProfileError(f"{where}.config: {entry['config']} does not exist; check the path")
    checkpoint = resolve(entry["checkpoint"], bases) if "checkpoint" in entry else None
    return ModelSpec(config, checkpoint, entry.get("sha256"))
