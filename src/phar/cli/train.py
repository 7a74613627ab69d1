"""Train one of the bundled nets on the rendered world.

Logs, validation metrics and checkpoints go to --out; --resume goes on from the latest one there. With
--export the weights are written to where the demo profile reads them.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from phar.schema import UsageError

NAMES = ("person", "pose", "stem", "rgb", "motion", "skeleton", "audio")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("model", choices=NAMES, help="which net")
    parser.add_argument("--profile", default="demo", help="profile whose net it is (only demo)")
    parser.add_argument("--world", type=int, default=1, help="version of the rendered world (default: 1)")
    parser.add_argument("--seed", type=int, default=0, help="seed of weights and samples (default: 0)")
    parser.add_argument("--out", type=Path, help="training folder (default: work_dirs/<model>)")
    parser.add_argument("--iterations", type=int, help="iterations in place of the config's")
    parser.add_argument("--resume", action="store_true", help="go on from the latest checkpoint in --out")
    parser.add_argument("--init-from", type=Path, help="weights to start from")
    parser.add_argument("--workers", type=int, default=1, help="processes that draw samples (default: 1)")
    parser.add_argument("--minutes", type=float, help="stop after so many minutes, to be resumed")
    parser.add_argument("--threads", type=int, help="threads of the net (default: all cores)")
    parser.add_argument("--export", action="store_true", help="write the bundled weights when done")
    parser.add_argument(
        "--export-only", action="store_true", help="train nothing: write the latest checkpoint's weights"
    )


def run(args: argparse.Namespace) -> int:
    """Train, or only export; prints the validation's metrics."""
    if args.profile != "demo":
        raise UsageError(f"profile {args.profile!r} cannot be trained here; only demo's nets are")
    for name in ("iterations", "threads", "minutes"):
        value = getattr(args, name)
        if value is not None and value <= 0:
            raise UsageError(f"--{name} {value:g} is not positive; leave it out for the default")
    from phar.training import MODELS, export, train_model

    # Training tells how it goes, on the terminal and in its folder.
    logging.disable(logging.NOTSET)

    if args.threads is not None:
        import torch

        torch.set_num_threads(args.threads)
    out = args.out or Path("work_dirs") / args.model
    if not args.export_only:
        result = train_model(
            args.model,
            out,
            world=args.world,
            seed=args.seed,
            iterations=args.iterations,
            resume=args.resume,
            init_from=args.init_from,
            num_workers=args.workers,
            max_minutes=args.minutes,
        )
        metrics = ", ".join(f"{name} {value:.4g}" for name, value in result["validation"].items())
        print(f"{args.model}: {result['wall_s']} s; validation: {metrics or 'none yet'}")
    if (args.export or args.export_only) and MODELS[args.model].checkpoint is None:
        print(f"{args.model}: a step towards another net; there is nothing to ship")
    elif args.export or args.export_only:
        path = export(args.model, out)
        print(f"{args.model}: wrote {path} ({path.stat().st_size / 1e6:.1f} MB)")
    return 0
