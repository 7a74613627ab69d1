"""The actions of `phar dataset` that make examples for the skeleton and the audio stream."""

from __future__ import annotations

import argparse
import json
import os
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from phar.cli import overrides
from phar.cli.values import amount, count, unit
from phar.schema import NONE, SOME_FAILED, MediaError, UsageError

if TYPE_CHECKING:
    from phar.dataset.examples import Examples
    from phar.dataset.extracting import Extractor
    from phar.dataset.manifest import Clip

_CLIPS = "folder of a data set, its manifest, or a CSV of file,label,split"


def add_actions(add: Callable[[str, str], argparse.ArgumentParser]) -> None:
    """Declare skeleton, audio and poses."""
    action = add("skeleton", "poses of clips, by a profile's detector and pose net")
    _add_clips(action)
    action.add_argument("--profile", help="whose detector and pose net looks (default: as for phar-demo)")
    action.add_argument(
        "--pose-score-thr", type=unit, default=0.4, metavar="P", help="a pose is seen above it (default: 0.4)"
    )
    action.add_argument(
        "--min-share",
        type=unit,
        default=0.4,
        metavar="P",
        help="keep clips with a pose in this share of frames (default: 0.4)",
    )
    action.add_argument("--step", type=count, default=1, metavar="N", help="look at every N-th frame")
    overrides.add_runtime(action)
    _add_jobs(action, max(1, (os.cpu_count() or 1) // 2), "half the cores")

    action = add("audio", "log-mel features of clips, and the loudness they need")
    _add_clips(action)
    action.add_argument("--profile", help="whose windows clips are cut to (default: as for phar-demo)")
    action.add_argument(
        "--quietest",
        type=unit,
        default=0.2,
        metavar="P",
        help="leave out this share of each class, the quietest (default: 0.2)",
    )
    _add_jobs(action, os.cpu_count() or 1, "all cores")

    action = add("poses", "an annotation file of MMAction2's PoseDataset to examples")
    action.add_argument("file", type=Path, metavar="FILE", help=".pkl; no code in it is run")
    action.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the examples")
    action.add_argument(
        "--labels", type=Path, required=True, metavar="FILE", help="names of its label numbers, one a line"
    )
    action.add_argument(
        "--splits",
        nargs="+",
        required=True,
        metavar="OURS=THEIRS",
        help="such as train=xsub_train test=xsub_val",
    )
    action.add_argument(
        "--val-share", type=unit, default=0.1, metavar="P", help="of train that validates (default: 0.1)"
    )
    action.add_argument(
        "--val-by", metavar="REGEX", help="keep together clips in whose names this finds the same, as s[0-9]+"
    )
    action.add_argument("--fps", type=amount, default=30.0, metavar="N", help="frames a second (default: 30)")
    action.add_argument("--seed", type=int, default=0, help="another one lets others validate (default: 0)")


def _add_clips(action: argparse.ArgumentParser) -> None:
    action.add_argument("clips", type=Path, metavar="DATASET", help=_CLIPS)
    action.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the examples")
    action.add_argument(
        "--labels", type=Path, metavar="FILE", help=f"which labels, one a line (default: all but {NONE})"
    )


def _add_jobs(action: argparse.ArgumentParser, default: int, shown: str) -> None:
    action.add_argument("--jobs", type=count, default=default, help=f"processes (default: {shown})")


def skeleton(args: argparse.Namespace) -> int:
    """Extract poses and keep the clips that show enough of them."""
    from phar.dataset.examples import check_examples, write_examples
    from phar.dataset.poses import PoseExtractor, read_poses
    from phar.profile import load_profile, require_checkpoints

    profile = load_profile(args.profile)
    require_checkpoints(profile)
    clips, labels = _clips(args)
    folder = check_examples(args.out, "skeleton")
    extractor = PoseExtractor(profile, folder, args.step, args.device, args.backend)
    failed = _extract(clips, extractor, args.jobs)
    looked_at = []
    for clip in _distinct(clips):
        reason = "it cannot be read"
        if clip.id not in failed:
            share = read_poses(extractor.path(clip)).share_seen(args.pose_score_thr)
            seen = share >= args.min_share
            reason = "" if seen else f"poses in less than {args.min_share:.0%} of its frames"
        looked_at.append((clip, reason))
    settings = {
        "profile": profile.name,
        "pose_score_thr": args.pose_score_thr,
        "min_share": args.min_share,
        "step": args.step,
    }
    kept = _kept(clips, looked_at)
    return _told(write_examples(args.out, "skeleton", kept, looked_at, settings, labels), looked_at, failed)


def audio(args: argparse.Namespace) -> int:
    """Compute features, leave out the quietest, and write the loudness the gate asks for."""
    from phar.dataset.examples import check_examples, write_examples
    from phar.dataset.sounds import SoundExtractor, loud_enough, thresholds_lufs, windows, write_lists
    from phar.export.target import replacing
    from phar.profile import load_profile

    clips, labels = _clips(args)
    profile = load_profile(args.profile)
    clips = windows(clips, profile.window_s)
    extractor = SoundExtractor(check_examples(args.out, "audio"))
    failed = _extract(clips, extractor, args.jobs)
    loudness = {clip.id: extractor.lufs(clip) for clip in clips if clip.id not in failed}
    distinct = _distinct(clips)
    thresholds = (
        thresholds_lufs(
            [(clip, loudness[clip.id]) for clip in distinct if clip.id in loudness], args.quietest
        )
        if args.quietest
        else {}
    )
    looked_at = []
    for clip in distinct:
        reason = "it cannot be read, or has no sound"
        if clip.id in loudness:
            heard = loud_enough(clip, loudness[clip.id], thresholds)
            reason = "" if heard else "among the quietest of its class"
        looked_at.append((clip, reason))
    settings = {"profile": profile.name, "window_s": profile.window_s, "quietest": args.quietest}
    examples = write_examples(
        args.out,
        "audio",
        _kept(clips, looked_at),
        looked_at,
        {**settings, "thresholds_lufs": thresholds},
        labels,
    )
    write_lists(examples)
    beside = args.out / "loudness.json"
    if thresholds:
        with replacing(beside) as partial:
            partial.write_text(json.dumps(thresholds, indent=2) + "\n", encoding="utf-8")
        print(f"{beside}: thresholds of {len(thresholds)} labels, for --loudness-weights")
    else:
        beside.unlink(missing_ok=True)
    return _told(examples, looked_at, failed)


def poses(args: argparse.Namespace) -> int:
    """Import somebody else's poses."""
    from phar.dataset.examples import check_examples, write_examples
    from phar.dataset.listing import held_out
    from phar.dataset.pose_annotations import import_poses
    from phar.profile import load_labels

    pairs = [text.partition("=") for text in args.splits]
    if wrong := [ours for ours, equals, theirs in pairs if not equals or not theirs]:
        raise UsageError(f"--splits {wrong[0]!r} is not like train=xsub_train")
    labels = load_labels(args.labels)
    folder = check_examples(args.out, "skeleton")
    clips = import_poses(
        args.file, folder.resolve(), labels, {ours: theirs for ours, _, theirs in pairs}, args.fps
    )
    if args.val_share and "val" not in {ours for ours, _, _ in pairs}:
        clips = list(held_out(tuple(clips), args.val_share, args.val_by, args.seed))
    settings = {
        "imported_from": args.file.name,
        "fps": args.fps,
        "val_share": args.val_share,
        "seed": args.seed,
    }
    looked_at = [(clip, "") for clip in clips]
    return _told(write_examples(args.out, "skeleton", clips, looked_at, settings, labels), looked_at, {})


def _clips(args: argparse.Namespace) -> tuple[list[Clip], tuple[str, ...] | None]:
    """The clips whose labels are wanted, and the label file's order."""
    from phar.dataset.listing import read_clips
    from phar.profile import load_labels

    found = read_clips(args.clips)
    labels = load_labels(args.labels) if args.labels else None
    clips = [clip for clip in found if (clip.label in labels if labels else clip.label != NONE)]
    if not clips:
        raise UsageError(f"{args.clips}: of {len(found)} clips none has a wanted label; check --labels")
    return clips, labels


def _extract(clips: Sequence[Clip], extractor: Extractor, num_jobs: int) -> dict[str, str]:
    """Make all files; gives why some could not be, by clip."""
    from tqdm import tqdm

    from phar.dataset.extracting import extract_all

    failed: dict[str, str] = {}
    total = len({clip.id for clip in clips})
    with tqdm(total=total, unit="clip", disable=None, leave=False) as bar:
        for each in extract_all(clips, extractor, num_jobs):
            if each.error:
                failed[each.clip.id] = each.error
            if each.kept and not bar.disable:
                # What was there says nothing about how long the rest takes.
                bar.initial += 1
            bar.update()
    reasons = Counter(failed.values())
    for reason, times in reasons.most_common(20):
        tqdm.write(f"phar dataset: {reason}" + (f" ({times} clips)" if times > 1 else ""))
    if len(failed) == total:
        raise MediaError(f"none of {total} clips can be read, such as {next(iter(failed.values()))}")
    return failed


def _distinct(clips: Sequence[Clip]) -> list[Clip]:
    return list({clip.id: clip for clip in clips}.values())


def _kept(clips: Sequence[Clip], looked_at: Sequence[tuple[Clip, str]]) -> list[Clip]:
    left_out = {clip.id for clip, reason in looked_at if reason}
    return [clip for clip in clips if clip.id not in left_out]


def _told(examples: Examples, looked_at: Sequence[tuple[Clip, str]], failed: dict[str, str]) -> int:
    splits = Counter(clip.split for clip in examples.clips)
    shown = ", ".join(f"{splits[split]} {split}" for split in ("train", "val", "test"))
    left_out = sum(1 for _, reason in looked_at if reason)
    print(
        f"{examples.folder}: {len(examples.clips)} clips of {len(examples.labels)} labels ({shown});"
        f" {left_out} of {len(looked_at)} left out"
    )
    return SOME_FAILED if failed else 0
