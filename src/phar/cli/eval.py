"""Measure models on videos of which it is known what they show.

A MODEL is a profile by name, a profile's YAML file, or a folder of reports that were made already;
NAME=MODEL gives it another name in the tables. Without one, the profile `demo` is measured. The truth is
the rendered world's held-out videos, or --truth's annotations. Several models, and with --predictions
any other tool, are compared on the same videos.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from phar.cli.judging import add_running, add_truth, look, truths_of
from phar.cli.values import seconds, unit
from phar.foreign import shown
from phar.schema import SOME_FAILED, UsageError

if TYPE_CHECKING:
    from phar.evaluate.predictions import Said
    from phar.evaluate.runs import Runs
    from phar.evaluate.summary import Model
    from phar.evaluate.truth import VideoTruth
    from phar.profile import Profile


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "models", nargs="*", metavar="MODEL", help="profile, YAML file or folder of reports (default: demo)"
    )
    parser.add_argument("--profile", help="the same as one MODEL")
    parser.add_argument(
        "--predictions",
        action="append",
        default=[],
        metavar="FILE",
        help="CSV or JSON of another tool: video,start_s,end_s,label,score; NAME=FILE names it",
    )
    parser.add_argument(
        "--prediction-threshold",
        type=unit,
        default=0.5,
        metavar="P",
        help="what another tool's label must score to be a segment (default: %(default)s)",
    )
    parser.add_argument(
        "--window",
        type=seconds,
        default=7.0,
        metavar="S",
        help="windows where no model has its own (default: 7)",
    )
    parser.add_argument("--fusion", help="measure another fusion rule than the profile's")
    parser.add_argument(
        "--deployed-only", action="store_true", help="leave out the second look, with every stream open"
    )
    parser.add_argument(
        "--controls",
        action="store_true",
        help="also measure shuffled labels, the commonest label, and one picture for each window",
    )
    parser.add_argument(
        "--person-frames",
        type=int,
        default=0,
        metavar="N",
        help="also measure detector and pose on N frames of the rendered world (default: none)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="PATH",
        help="write .json, .md or .html; or a folder with all of them and the pictures",
    )
    add_truth(parser, seed=2_000_000, split="test")
    add_running(parser)


def run(args: argparse.Namespace) -> int:
    """Print the figures as Markdown."""
    from phar.evaluate.markdown import markdown
    from phar.evaluate.output import check_output, write_output
    from phar.evaluate.summary import summarize

    if args.person_frames and args.truth:
        raise UsageError("--person-frames are pictures of the rendered world; leave --truth out")
    if args.out:
        check_output(args.out)
    named = _named(args)
    with truths_of(args) as truths:
        # Before any analysis: that takes as long as the videos, and a wrong file is told at once.
        predictions = _predictions(args, named, truths)
        runs = _runs(args, named, truths)
        models, kept = _models(args, truths, runs, predictions)
    document = summarize(models, controls=args.controls)
    document["left_out"] = [truth.name for truth in truths if truth.name not in kept]
    if args.person_frames:
        document["models"][0]["person"] = _person(args, named)
    if args.out:
        write_output(document, args.out)
    print(markdown(document))
    return SOME_FAILED if any(run.failed for run in runs) else 0


def _named(args: argparse.Namespace) -> dict[str, Profile | Path]:
    """Return profiles, and folders of reports, by the names they have in the tables."""
    from phar.profile import load_profile, with_overrides, with_preset

    given = [*args.models, *([args.profile] if args.profile else [])]
    if not given and not args.predictions:
        given = ["demo"]
    named: dict[str, Profile | Path] = {}
    for text in given:
        name, value = _split(text)
        entry: Profile | Path
        if Path(value).is_dir():
            entry = Path(value)
            name = name or entry.resolve().name
            if args.reports:
                raise UsageError(f"--reports is for profiles, and {value} is reports; leave one out")
        else:
            entry = with_preset(load_profile(value), args.preset)
            if args.fusion:
                entry = with_overrides(entry, {"fusion": {"rule": args.fusion}})
            name = name or entry.name
        if name in named:
            raise UsageError(f"two models are called {name!r}; name one of them: OTHER={value}")
        named[name] = entry
    return named


def _split(text: str) -> tuple[str, str]:
    """Return NAME and REST of NAME=REST, or no name; a path may hold an equals sign."""
    name, equals, rest = text.partition("=")
    return (name, rest) if equals and "/" not in name and not Path(text).exists() else ("", text)


def _runs(
    args: argparse.Namespace, named: Mapping[str, Profile | Path], truths: Sequence[VideoTruth]
) -> list[Runs]:
    from phar.evaluate.runs import DEPLOYED, OPEN, STILL, stored

    ways = [DEPLOYED, *([] if args.deployed_only else [OPEN]), *([STILL] if args.controls else [])]
    profiles = [(name, entry) for name, entry in named.items() if not isinstance(entry, Path)]
    looked = {run.name: run for run in look(args, profiles, truths, ways)} if profiles else {}
    return [
        stored(name, entry, truths) if isinstance(entry, Path) else looked[name]
        for name, entry in named.items()
    ]


def _predictions(
    args: argparse.Namespace, named: Mapping[str, Profile | Path], truths: Sequence[VideoTruth]
) -> dict[str, dict[str, list[Said]]]:
    """Return what other tools say, by the names they have in the tables."""
    from phar.evaluate.predictions import read_predictions

    predictions: dict[str, dict[str, list[Said]]] = {}
    for text in args.predictions:
        name, value = _split(text)
        name = name or Path(value).stem
        if name in predictions or name in named:
            raise UsageError(f"two models are called {name!r}; name one of them: OTHER={value}")
        predictions[name], unknown = read_predictions(Path(value), truths)
        if unknown:
            rest = f" and {len(unknown) - 3} more" if len(unknown) > 3 else ""
            names = shown(", ".join(unknown[:3]))
            print(f"{value}: no such video: {names}{rest}; left out", file=sys.stderr)
    return predictions


def _models(
    args: argparse.Namespace,
    truths: Sequence[VideoTruth],
    runs: Sequence[Runs],
    predictions: Mapping[str, Mapping[str, Sequence[Said]]],
) -> tuple[list[Model], set[str]]:
    """Return what is compared, and the names of the videos on which it is."""
    from phar.evaluate.comparison import common, compared

    kept = common(truths, runs)
    if len(kept) < len(truths):
        print(f"{len(truths) - len(kept)} of {len(truths)} videos have no report; left out", file=sys.stderr)
    models = compared(kept, runs, predictions, window_s=args.window, threshold=args.prediction_threshold)
    return models, {truth.name for truth in kept}


def _person(args: argparse.Namespace, named: Mapping[str, Profile | Path]) -> dict[str, float]:
    from phar.evaluate.person import evaluate_person
    from phar.synth import load_world

    profile = next((entry for entry in named.values() if not isinstance(entry, Path)), None)
    if profile is None:
        raise UsageError("--person-frames needs a profile, whose detector and pose net are measured")
    return evaluate_person(
        profile,
        load_world(args.world),
        args.seed,
        args.person_frames,
        device=args.device,
        backend=args.backend,
    )
