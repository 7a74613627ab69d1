"""Let a stream of a profile score the clips of a data set, one by one and without gates.

Prints top-1 and the mean over classes, and writes a table of scores.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from phar.cli import overrides
from phar.schema import UsageError

NAMES = ("rgb", "skeleton", "audio", "moderation")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("model", choices=NAMES, help="which stream")
    parser.add_argument("--profile", default="demo", help="whose stream (default: demo)")
    parser.add_argument(
        "--data",
        type=Path,
        required=True,
        metavar="D",
        help="as for `phar train`: a data set or its examples",
    )
    parser.add_argument("--split", choices=("train", "val", "test"), default="test", help="default: test")
    parser.add_argument("--out", type=Path, metavar="FILE.csv", help="write the scores of every clip")
    parser.add_argument(
        "--per-class", action="store_true", help="also print how many of each class are right"
    )
    overrides.add_runtime(parser)


def run(args: argparse.Namespace) -> int:
    """Score the clips of a split."""
    from tqdm import tqdm

    from phar.openmmlab import Recognizer
    from phar.profile import load_profile
    from phar.training.own import stream_name
    from phar.training.predicting import predict, write_predictions
    from phar.training.sources import SOURCES, View

    profile = load_profile(args.profile)
    stream = profile.streams.get(stream_name(args.model, profile))
    if stream is None:
        raise UsageError(
            f"profile {profile.name} has no stream {args.model}; it has {', '.join(profile.streams)}"
        )
    source = SOURCES[args.model](args.data, stream.labels, stream.labels)
    chosen = source.split(args.split)
    if not chosen.clips:
        raise UsageError(f"{args.data}: no clip of split {args.split} has a label that the stream knows")
    recognizer = Recognizer.load(
        stream.model.config,
        stream.model.checkpoint,
        len(stream.labels),
        args.device,
        args.backend,
        sampling=stream.sampling,
    )
    view = View(profile.window_s, stream.sampling, recognizer.clip)
    with tqdm(total=len(chosen.clips), unit="clip", disable=None, leave=False) as bar:
        found = predict(recognizer, source, args.split, view, lambda done: bar.update(done - bar.n))
    for note in source.notes:
        print(f"{args.data}: {note}")
    if args.per_class:
        for label, (right, count) in sorted(found.per_class().items()):
            print(f"{label}: {right} of {count}")
    print(
        f"{args.data}, {args.split}: top-1 {found.top1:.4f}, mean over classes {found.mean_class:.4f}"
        f" ({len(found.clips)} clips)"
    )
    if args.out:
        write_predictions(found, args.out)
    return 0
