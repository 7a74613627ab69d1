"""Measure a profile on held-out videos of the rendered world, from the mp4 on."""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from phar.cli.values import device
from phar.schema import UsageError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--profile", default="demo", help="name or YAML file (default: %(default)s)")
    parser.add_argument("--preset", help="measure this preset of the profile")
    parser.add_argument("--world", type=int, default=1, help="version of the world (default: %(default)s)")
    parser.add_argument(
        "--seed",
        type=int,
        default=2_000_000,
        help="seed of the held-out videos; those from 2000000 on are never trained on (default: %(default)s)",
    )
    parser.add_argument(
        "--clips", type=int, default=26, help="short clips, of one label each (default: %(default)s)"
    )
    parser.add_argument(
        "--videos", type=int, default=22, help="long videos of several labels (default: %(default)s)"
    )
    parser.add_argument(
        "--person-frames",
        type=int,
        default=0,
        metavar="N",
        help="also measure detector and pose on N frames (default: none)",
    )
    parser.add_argument("--fusion", help="measure another fusion rule than the profile's")
    parser.add_argument("--backend", default="auto", choices=("auto", "torch", "openvino"))
    parser.add_argument(
        "--device", type=device, default="auto", help="auto, cpu, cuda or cuda:N (default: auto)"
    )
    parser.add_argument(
        "--keep", type=Path, metavar="DIR", help="render into this folder and keep the videos"
    )
    parser.add_argument("--out", type=Path, help="write the figures as JSON")


def run(args: argparse.Namespace) -> int:
    """Print the accuracies as Markdown."""
    from phar.evaluate.windows import markdown

    if args.clips < 0 or args.videos < 0 or args.clips + args.videos == 0:
        raise UsageError(f"--clips {args.clips} --videos {args.videos} name no video; give at least one")
    summary = _measured(args)
    print(markdown(summary))
    if args.out:
        args.out.write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    return 0


def _measured(args: argparse.Namespace) -> dict[str, Any]:
    from tqdm import tqdm

    from phar.evaluate.windows import summarize
    from phar.evaluate.world import measure
    from phar.pipeline import Analyzer
    from phar.profile import load_profile, with_overrides, with_preset
    from phar.synth import load_world

    profile = with_preset(load_profile(args.profile), args.preset)
    if args.fusion:
        profile = with_overrides(profile, {"fusion": {"rule": args.fusion}})
    world = load_world(args.world)
    analyzer = Analyzer(profile, device=args.device, backend=args.backend)
    with (
        tempfile.TemporaryDirectory(prefix="phar-eval-") as temporary,
        tqdm(total=args.clips + args.videos, unit="video", disable=None) as bar,
    ):
        results = measure(
            analyzer,
            world,
            args.seed,
            args.clips,
            args.videos,
            args.keep or Path(temporary),
            lambda name, windows: bar.update(),
        )
    summary = summarize(results)
    summary |= {"profile": profile.name, "fusion": profile.fusion, "world": args.world, "seed": args.seed}
    if args.person_frames:
        from phar.evaluate.person import evaluate_person

        summary["person"] = evaluate_person(profile, world, args.seed, args.person_frames)
    return summary
