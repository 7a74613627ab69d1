"""Flags that change the profile: declared here, and applied by one function."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from phar import foreign
from phar.cli.values import PROFILE_HELP, count, device, length, seconds, unit
from phar.profile import STREAM_ORDER, Profile, ungated, with_overrides, with_preset, without_label_terms
from phar.schema import ProfileError, UsageError


def add_runtime(parser: argparse._ActionsContainer) -> None:
    """Declare on what the nets run, and what runs them."""
    parser.add_argument(
        "--device", type=device, default="auto", help="auto, cpu, cuda or cuda:N (default: auto)"
    )
    parser.add_argument(
        "--backend",
        choices=("auto", "torch", "openvino"),
        default="auto",
        help="what runs the nets (default: auto)",
    )


def add_choice_of_nets(parser: argparse.ArgumentParser) -> None:
    """Declare which profile and preset look, and what runs their nets."""
    parser.add_argument("--profile", metavar="NAME|FILE", help=PROFILE_HELP)
    parser.add_argument(
        "--preset",
        choices=("fast", "balanced", "accurate", "int8"),
        help="the profile's settings for this aim",
    )
    add_runtime(parser)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags; one that is not given leaves the profile as it is."""
    group = parser.add_argument_group("profile overrides")
    for name, title in (("rgb", "RGB"), ("skeleton", "skeleton"), ("audio", "audio")):
        group.add_argument(
            f"--{name}-config",
            metavar="FILE",
            help=f"MMAction2 1.x config of the {title} recognizer, whose way of picking frames is followed",
        )
        off = "" if name == "rgb" else "; '' switches the stream off"
        group.add_argument(f"--{name}-checkpoint", metavar="FILE", help=f"its weights{off}")
    for name, title in (("det", "person detector"), ("pose", "pose estimator")):
        group.add_argument(f"--{name}-config", metavar="FILE", help=f"OpenMMLab config of the {title}")
        group.add_argument(f"--{name}-checkpoint", metavar="FILE", help="its weights")
    group.add_argument("--det-score-thr", type=unit, metavar="P", help="drop person boxes below this score")
    group.add_argument(
        "--pose-score-thr", type=unit, metavar="P", help="keypoints from this score on are sure"
    )
    group.add_argument(
        "--correct-rate", type=unit, metavar="P", help="share of sure keypoints the skeleton stream asks for"
    )
    group.add_argument(
        "--ungated", action="store_true", help="ask every stream about every window, whatever its gate says"
    )
    group.add_argument(
        "--label-maps",
        nargs="+",
        metavar="FILE",
        help="label files in the order rgb, skeleton, audio, then the profile's other streams: "
        "one per enabled stream, or all three and the others",
    )
    group.add_argument(
        "--coefficients", nargs="+", type=length, metavar="W", help="fusion weights, in the same order"
    )
    group.add_argument(
        "--loudness-weights", metavar="FILE", help="JSON or YAML table of label: LUFS for the audio gate"
    )
    group.add_argument(
        "--subclip-len", type=seconds, metavar="S", help="length of a window, and of the stride"
    )
    group.add_argument("--stride", type=seconds, metavar="S", help="seconds from one window to the next")
    group.add_argument(
        "--short-side", type=count, metavar="PX", help="short side of frames for detector and pose"
    )


def apply(args: argparse.Namespace, profile: Profile) -> Profile:
    """Return a newly checked profile with the preset and then every flag of `args` applied.

    Raises:
        UsageError: a flag does not fit the streams that are on.
        ProfileError: the result is no valid profile.
    """
    profile = with_preset(profile, args.preset)
    if args.rgb_checkpoint == "":
        raise UsageError("--rgb-checkpoint '': the RGB stream cannot be switched off; name a file")
    off = {
        name: None
        for name in ("skeleton", "audio")
        if name in profile.streams and getattr(args, f"{name}_checkpoint") == ""
    }
    if off:
        profile = with_overrides(profile, {"streams": off})
    if args.coefficients is not None or args.label_maps is not None:
        profile = without_label_terms(profile)
    if args.loudness_weights is not None:
        profile = _with_loudness(profile, args.loudness_weights)
    profile = with_overrides(profile, _document(args, profile))
    return ungated(profile) if args.ungated else profile


def _document(args: argparse.Namespace, profile: Profile) -> dict[str, Any]:
    """Return the flags as a partial profile document."""
    streams: dict[str, dict[str, Any]] = {name: {} for name in profile.streams}
    for name in STREAM_ORDER:
        model = _model(getattr(args, f"{name}_config"), getattr(args, f"{name}_checkpoint"))
        if "config" in model:
            # The profile's rule is that of the profile's own nets.
            model["sampling"] = "frames-1.x"
        if model and name not in streams:
            if getattr(args, f"{name}_checkpoint") != "":
                raise UsageError(f"--{name}-config or --{name}-checkpoint: the profile has no {name} stream")
            continue
        streams.get(name, {}).update(model)
    for name, weight in _per_stream(args.coefficients, "--coefficients", profile).items():
        streams[name]["weight"] = weight
    maps = _per_stream(args.label_maps, "--label-maps", profile, _absolute)
    for name, path in maps.items():
        streams[name]["labels"] = path
    if args.correct_rate is not None and "skeleton" in streams:
        streams["skeleton"]["gate"] = {"min_keypoint_share": args.correct_rate}
    document: dict[str, Any] = {"streams": streams}
    if maps:
        document["labels"] = None
    if profile.persons is not None:
        settings = {
            "det_score_thr": args.det_score_thr,
            "pose_score_thr": args.pose_score_thr,
            "short_side_px": args.short_side,
        }
        document["persons"] = {
            "detector": _model(args.det_config, args.det_checkpoint),
            "pose": _model(args.pose_config, args.pose_checkpoint),
            **{key: value for key, value in settings.items() if value is not None},
        }
    window_s = args.subclip_len
    stride_s = args.stride if args.stride is not None else window_s
    document |= {k: v for k, v in (("window_s", window_s), ("stride_s", stride_s)) if v is not None}
    return document


def _model(config: str | None, checkpoint: str | None) -> dict[str, Any]:
    """Return the overrides for one net; a hash in the profile belongs to the profile's own weights."""
    if checkpoint == "":
        return {}
    changed: dict[str, Any] = {}
    if config is not None:
        changed["config"] = _absolute(config)
    if checkpoint is not None:
        changed |= {"checkpoint": _absolute(checkpoint), "sha256": None}
    return changed


def _per_stream(
    values: Sequence[Any] | None,
    flag: str,
    profile: Profile,
    read: Callable[[Any], Any] = lambda value: value,
) -> dict[str, Any]:
    """Bind a list of values to streams by name: one per enabled stream, or always all three.

    Streams of other names come after those three, as the profile lists them; values for the three alone
    leave the others as they are.
    """
    if values is None:
        return {}
    others = [name for name in profile.streams if name not in STREAM_ORDER]
    for names in (tuple(profile.streams), STREAM_ORDER, (*STREAM_ORDER, *others)):
        if len(values) == len(names):
            named = dict(zip(names, values, strict=True))
            return {name: read(named[name]) for name in profile.streams if name in named}
    raise UsageError(
        f"{flag} got {len(values)} values for the streams {', '.join(profile.streams)}; give one for each of"
        f" them, or {len(STREAM_ORDER) + len(others)} for {', '.join((*STREAM_ORDER, *others))}"
    )


def _with_loudness(profile: Profile, path: str) -> Profile:
    """Return the profile with the audio gate's table replaced; a fixed rule becomes the mean."""
    if "audio" not in profile.streams:
        raise UsageError("--loudness-weights: the audio stream is off; leave the flag out")
    try:
        table = foreign.read_yaml(Path(path))
    except foreign.Unreadable as error:
        raise ProfileError(f"loudness table {path} cannot be read: {error}") from None
    numbers = isinstance(table, dict) and all(
        isinstance(value, int | float) and not isinstance(value, bool) for value in table.values()
    )
    if not table or not numbers:
        raise ProfileError(
            f'loudness table {path} is no mapping of label to LUFS; write e.g. {{"ring": -45.0}}'
        )
    gate = profile.streams["audio"].loudness
    rule = gate.rule if gate is not None and gate.rule != "fixed" else "mean"
    thresholds = {str(label): float(value) for label, value in table.items()}
    cleared = with_overrides(profile, {"streams": {"audio": {"gate": {"loudness": None}}}})
    loudness = {"rule": rule, "thresholds_lufs": thresholds}
    return with_overrides(cleared, {"streams": {"audio": {"gate": {"loudness": loudness}}}})


def _absolute(path: str) -> str:
    return str(Path(path).expanduser().resolve())
