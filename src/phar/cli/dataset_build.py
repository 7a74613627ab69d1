"""The actions of `phar dataset` that look for shots: `scenes` lists them, `build` makes clips of them."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from phar.cli.values import length, seconds
from phar.foreign import shown
from phar.schema import NONE, SOME_FAILED, MediaError, UsageError

if TYPE_CHECKING:
    from phar.dataset.detectors import DetectorSettings
    from phar.dataset.indexing import Indexed, Progress

_VIDEO_SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".flv", ".ts", ".mts", ".m2ts"),
    *(".mpg", ".mpeg", ".wmv", ".asf", ".ogv", ".3gp", ".mxf", ".gif"),
)
_DETECTORS = ("adaptive", "content", "transnetv2")


def add_actions(add: Callable[[str, str], argparse.ArgumentParser]) -> None:
    """Declare scenes and build."""
    _add_scenes(add("scenes", "find where the shots of videos begin"))
    _add_build(add("build", "annotation tables to the clips of a data set"))


def _add_scenes(action: argparse.ArgumentParser) -> None:
    action.add_argument("inputs", type=Path, nargs="+", metavar="INPUT", help="videos, folders or tables")
    action.add_argument("--out", type=Path, metavar="FILE", help="write the shots as .csv or .parquet")
    _add_detector(action)


def _add_build(action: argparse.ArgumentParser) -> None:
    action.add_argument(
        "tables", type=Path, nargs="+", metavar="TABLE", help="what `phar dataset import` wrote"
    )
    action.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the data set")
    action.add_argument(
        "--num-samples",
        nargs="+",
        default=[],
        metavar="SPLIT=N",
        help="clips wanted, such as train=800 val=100 test=100 (default: every clip once)",
    )
    action.add_argument(
        "--shares",
        nargs=3,
        type=float,
        default=(0.8, 0.1, 0.1),
        metavar=("TRAIN", "VAL", "TEST"),
        help="of the clips (default: 0.8 0.1 0.1)",
    )
    action.add_argument("--splits", type=Path, metavar="FILE", help="CSV of video,split that fixes some")
    action.add_argument(
        "--fresh", action="store_true", help="forget in which split videos were in the last build of DIR"
    )
    action.add_argument("--seed", type=int, default=0, help="another one chooses others (default: 0)")
    action.add_argument(
        "--drop",
        metavar="CHECKS",
        help="what to leave out of short, clash, duplicate, repeated, black, frozen, silent; "
        "all or none (default: short,clash,duplicate)",
    )
    action.add_argument(
        "--min-clip", type=length, default=2.0, metavar="S", help="less is short (default: 2)"
    )
    action.add_argument(
        "--max-clip",
        type=seconds,
        default=10.0,
        metavar="S",
        help="longer shots become several (default: 10)",
    )
    action.add_argument(
        "--negative",
        default=NONE,
        metavar="LABEL",
        help=f"label of negatives, '' for no negatives (default: {NONE})",
    )
    action.add_argument(
        "--margin",
        type=length,
        default=1.0,
        metavar="S",
        help="distance of the unlabelled rest of a shot to annotations (default: 1)",
    )
    action.add_argument("--materialize", action="store_true", help="also write each clip as a file")
    action.add_argument("--strict", action="store_true", help="fail where a video cannot be read")
    _add_detector(action)


def _add_detector(action: argparse.ArgumentParser) -> None:
    action.add_argument("--detector", choices=_DETECTORS, default="adaptive", help="default: %(default)s")
    action.add_argument("--threshold", type=length, help="of the detector, in place of its own default")
    action.add_argument(
        "--min-shot", type=length, default=0.5, metavar="S", help="no shot is shorter (default: %(default)s)"
    )
    action.add_argument("--weights", type=Path, help="net of transnetv2, .onnx or .xml")
    action.add_argument(
        "--cache", type=Path, metavar="DIR", help="keep what was found there, not in the user's"
    )
    action.add_argument(
        "--jobs",
        type=int,
        default=max(1, (os.cpu_count() or 1) // 2),
        help="videos read at once (default: half the cores)",
    )


def scenes(args: argparse.Namespace) -> int:
    """Find the shots of videos."""
    from phar.dataset.indexing import index_all
    from phar.dataset.shots import write_shots

    videos = _videos(args.inputs)
    found: list[Indexed] = []
    failed: list[str] = []
    if args.out:
        unnamed = [video for video in videos if not _is_unicode(video)]
        failed += [f"{video}: its name is not UTF-8, which a table must be; rename it" for video in unnamed]
        for line in failed if len(videos) > 1 else []:
            _say(f"phar dataset: {line}")
        videos = [video for video in videos if video not in unnamed]
    with _bar(videos) as progress:
        for each in index_all(videos, _detector(args), args.cache, args.jobs, progress):
            if each.index is None:
                failed.append(each.error)
                if len(videos) > 1:
                    _say(f"phar dataset: {each.error}")
                continue
            found.append(each)
            num_shots = len(each.index.shots())
            how = ", from the cache" if each.cached else ""
            shots = "1 shot" if num_shots == 1 else f"{num_shots} shots"
            _say(f"{each.video}: {shots} in {each.index.duration_s:.1f} s{how}", out=True)
    if not found:
        raise MediaError(failed[0] if len(failed) == 1 else f"none of {len(failed)} videos can be read")
    if args.out:
        write_shots(found, args.out)
        print(f"{args.out}: {sum(len(each.index.shots()) for each in found if each.index)} shots")
    return SOME_FAILED if failed else 0


def _is_unicode(path: Path) -> bool:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def build(args: argparse.Namespace) -> int:
    """Make the clips of a data set."""
    from phar.dataset.build import BuildSettings
    from phar.dataset.build import build as build_dataset
    from phar.dataset.checks import DROPPED, parse_checks
    from phar.dataset.folder import changes, check_folder, remembered, report, write_folder
    from phar.dataset.importing import read_tables
    from phar.dataset.indexing import index_all
    from phar.dataset.manifest import NAME, read_manifest
    from phar.dataset.splits import SPLITS, read_pins

    shares = dict(zip(SPLITS, args.shares, strict=True))
    check_folder(args.out)
    settings = BuildSettings(
        num_samples=_num_samples(args.num_samples),
        shares=shares,
        seed=args.seed,
        drop=DROPPED if args.drop is None else parse_checks(args.drop),
        shortest_s=args.min_clip,
        longest_s=args.max_clip,
        negative=args.negative or None,
        margin_s=args.margin,
        detector=_detector(args),
        pinned=read_pins(args.splits) if args.splits else {},
        remembered={} if args.fresh else remembered(args.out, args.seed, shares),
    )
    annotations = read_tables(args.tables)
    before = read_manifest(args.out) if (args.out / NAME).is_file() and not args.fresh else None
    videos = sorted({row.video for row in annotations})
    with _bar(videos) as progress:
        indexed = list(index_all(videos, settings.detector, args.cache, args.jobs, progress))
    unread = [each for each in indexed if each.index is None]
    if args.strict and unread:
        raise MediaError(f"{len(unread)} videos cannot be read, such as {unread[0].error}")
    dataset = build_dataset(annotations, indexed, settings)
    write_folder(dataset, settings, args.out)
    print(report(dataset, settings), end="")
    if before is not None:
        kept, added, removed = changes(before, dataset.clips)
        print(f"\nSince the last build {kept} clips stayed, {added} came and {removed} went.")
    if args.materialize:
        _materialize(args.out / "clips", dataset.clips)
    print(f"\n{args.out}: {len(dataset.clips)} clips")
    return 0


def _materialize(folder: Path, clips: Sequence[object]) -> None:
    from tqdm import tqdm

    from phar.dataset.manifest import Clip
    from phar.dataset.materialize import materialize

    own = [clip for clip in clips if isinstance(clip, Clip)]
    with tqdm(total=len({(clip.id, clip.split) for clip in own}), unit="clip", disable=None) as bar:
        materialize(own, folder, lambda done: bar.update(done - bar.n))


def _detector(args: argparse.Namespace) -> DetectorSettings:
    from phar.dataset.detectors import DetectorSettings

    if args.jobs < 1:
        raise UsageError(f"--jobs {args.jobs} is no number of videos; give 1 or more")
    return DetectorSettings(args.detector, args.threshold, args.min_shot, args.weights)


def _videos(inputs: Sequence[Path]) -> list[Path]:
    from phar.dataset.annotation import SUFFIXES
    from phar.dataset.importing import read_tables

    found: dict[Path, None] = {}
    for path in inputs:
        if path.is_dir():
            files = sorted(file for file in path.rglob("*") if file.suffix.lower() in _VIDEO_SUFFIXES)
            if not files:
                raise UsageError(f"{path}: there is no video in this folder")
        elif path.suffix.lower() in SUFFIXES:
            files = sorted({row.video for row in read_tables([path])})
        else:
            files = [path]
        found |= dict.fromkeys(file.resolve() for file in files)
    return list(found)


def _num_samples(texts: Sequence[str]) -> Mapping[str, int]:
    from phar.dataset.splits import SPLITS

    found: dict[str, int] = {}
    for text in texts:
        split, _, number = text.partition("=")
        if split not in SPLITS or not number.isdecimal() or split in found:
            raise UsageError(f"--num-samples {text!r} is not like train=800; splits are {', '.join(SPLITS)}")
        found[split] = int(number)
    # Whoever names one split wants nothing of those left out.
    return dict.fromkeys(SPLITS, 0) | found if found else {}


@contextmanager
def _bar(videos: Sequence[Path]) -> Iterator[Progress]:
    """Yield a function of (video, seconds done) that draws how far all of them are."""
    from tqdm import tqdm

    from phar.dataset.library import facts

    total_s = 0.0
    for video in videos if sys.stderr.isatty() else ():
        try:
            total_s += facts(video).duration_s
        except MediaError:
            continue
    done_s: dict[Path, float] = {}
    form = "{desc}{percentage:3.0f}% |{bar}| {n:.0f}/{total:.0f} s of video, {remaining} left"
    with tqdm(total=total_s, disable=None, leave=False, bar_format=form) as bar:

        def tell(video: Path, seconds: float) -> None:
            bar.update(seconds - done_s.get(video, 0.0))
            done_s[video] = seconds

        yield tell


def _say(text: str, out: bool = False) -> None:
    from tqdm import tqdm

    tqdm.write(shown(text), file=sys.stdout if out else sys.stderr)
