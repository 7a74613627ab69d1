"""Fit how a profile's streams are fused, on videos of which it is known what they show.

Weights by the original's grid and by log loss with a temperature for each stream, weights of single labels,
and logistic stacking are compared by cross-validation over videos; the best is fitted on all of them and
written as a profile. Fit on validation videos, and measure the result on others: phar eval.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from phar.cli.judging import add_running, add_truth, look, truths_of
from phar.schema import ProfileError, UsageError

if TYPE_CHECKING:
    from phar.profile import Profile

#: What --method calls the methods, and which they are.
_METHODS = {
    "grid": ("grid, weighted sum", "grid, within vocabulary"),
    "log-loss": ("log loss, weighted sum", "log loss, within vocabulary"),
    "class-weights": ("class weights",),
    "stacking": ("stacking",),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--profile", default="demo", help="name or YAML file (default: %(default)s)")
    target = parser.add_mutually_exclusive_group()
    target.add_argument(
        "--out", type=Path, metavar="FILE", help="write the fitted profile here, a .yaml file"
    )
    target.add_argument(
        "--in-place", action="store_true", help="change the profile's own file; its comments stay"
    )
    parser.add_argument("--name", help="of the written profile (default: that of the file)")
    parser.add_argument(
        "--method",
        nargs="+",
        choices=tuple(_METHODS),
        default=list(_METHODS),
        help="ways to compare (default: all)",
    )
    parser.add_argument(
        "--criterion",
        choices=("top1", "log-loss"),
        default="top1",
        help="by which the best is chosen, over videos it was not fitted on (default: %(default)s)",
    )
    parser.add_argument(
        "--anew",
        action="store_true",
        help="never choose the fusion as it is, which looks too good if it was fitted on the same videos",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures as JSON")
    add_truth(parser, seed=1_000_000, split="val")
    add_running(parser)


def run(args: argparse.Namespace) -> int:
    """Print the comparison as Markdown."""
    from phar.evaluate.comparison import common
    from phar.evaluate.fusion_choice import choose, document
    from phar.evaluate.fusion_data import FusionData
    from phar.evaluate.fusion_profile import check_profile_target, present_setting, write_profile
    from phar.evaluate.fusion_tables import markdown
    from phar.evaluate.runs import DEPLOYED
    from phar.evaluate.table import table_of_reports
    from phar.export import check_target, replacing
    from phar.profile import load_profile, with_preset

    profile = load_profile(args.profile)
    looking = with_preset(profile, args.preset)
    _check(args, profile)
    if args.out:
        check_profile_target(args.out, profile)
    if args.json:
        check_target(args.json)
    with truths_of(args) as truths:
        (made,) = look(args, [(profile.name, looking)], truths, [DEPLOYED])
        shown = common(truths, [made])
    reports = [made.reports[DEPLOYED][truth.name] for truth in shown]
    table = table_of_reports(shown, reports)
    data = FusionData.of(table, reports, looking.labels)
    names = [name for method in args.method for name in _METHODS[method]]
    choice = choose(data, present_setting(looking), names, args.criterion, args.anew)
    print(markdown(choice, data, len(shown)))
    if args.json:
        with replacing(args.json) as temporary:
            temporary.write_text(json.dumps(document(choice), indent=1) + "\n", encoding="utf-8")
    target = profile.path if args.in_place else args.out
    if target is not None:
        note = f"{choice.chosen}, fitted on {len(data.truth)} windows of {len(shown)} videos"
        name = None if args.in_place else args.name or target.stem
        write_profile(profile, choice.setting, target, name, note)
        print(f"\n{target}: {choice.chosen}")
    return 0


def _check(args: argparse.Namespace, profile: Profile) -> None:
    if args.name and not args.out:
        raise UsageError("--name is for a profile that is written by --out; add it")
    if args.in_place and profile.path is None:
        raise ProfileError(f"profile {profile.name!r} was read from no file; write it by --out")
    if len(profile.streams) < 2:
        raise UsageError(f"profile {profile.name!r} has a single stream; there is nothing to fuse")
