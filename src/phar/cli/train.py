"""Train a recognizer, or the detector or pose net, on one's own data; or a bundled net on the rendered world.

With --data, which is what `phar dataset` wrote, the profile's net (or --config) is trained on the split
train and validated on val; test is never looked at. Logs, checkpoints, a card and a picture go to --out;
--resume goes on from the latest checkpoint there. --export PROFILE.yaml writes a profile that uses the best
checkpoint. Without --data a bundled net is trained on samples of the rendered world.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phar.cli.values import amount, count
from phar.schema import UsageError

if TYPE_CHECKING:
    from phar.openmmlab.training import Settings

NAMES = ("rgb", "skeleton", "audio", "moderation", "person", "pose", "stem", "moderation-still")
#: Kinds of the bundle's nets whose every sample is a picture that a worker draws.
_DRAWN = ("scene", "person", "pose")
#: Flags that say something about one's own data.
_OWN = (
    "config",
    "from_labels",
    "labels",
    "val",
    "images",
    "epochs",
    "batch_size",
    "lr",
    "patience",
    "with_val",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("model", choices=NAMES, help="which net")
    parser.add_argument("--profile", help="whose net it is (default: demo; moderation for moderation)")
    parser.add_argument("--out", type=Path, help="training folder (default: work_dirs/<model>)")
    parser.add_argument("--resume", action="store_true", help="go on from the latest checkpoint in --out")
    parser.add_argument(
        "--from",
        dest="init_from",
        type=Path,
        metavar="CKPT",
        help="weights, or a training folder, to start from",
    )
    parser.add_argument(
        "--export",
        nargs="?",
        const="",
        metavar="PROFILE.yaml",
        help="write a profile with the best checkpoint; without --data, the bundled weights",
    )
    parser.add_argument(
        "--export-only", action="store_true", help="train nothing, but export what is in --out"
    )
    _add_data(parser.add_argument_group("own data"))
    _add_training(parser.add_argument_group("training"))
    world = parser.add_argument_group("rendered world")
    world.add_argument("--world", type=int, default=1, help="its version (default: 1)")


def _add_data(group: Any) -> None:
    group.add_argument(
        "--data", type=Path, metavar="D", help="folder of a data set, of its examples, or a list of clips"
    )
    group.add_argument("--config", type=Path, help="OpenMMLab config, in place of the profile's")
    group.add_argument(
        "--labels", type=Path, metavar="FILE", help="which labels in which order (default: those of the data)"
    )
    group.add_argument(
        "--from-labels", type=Path, metavar="FILE", help="labels of --from, where it does not state them"
    )
    group.add_argument(
        "--plain", action="store_true", help="show each clip alike often, not each class and category"
    )
    group.add_argument(
        "--with-val",
        action="store_true",
        help="train on val too, once everything is chosen; nothing validates",
    )


def _add_training(group: Any) -> None:
    group.add_argument("--seed", type=int, default=0, help="of weights and samples (default: 0)")
    length = group.add_mutually_exclusive_group()
    length.add_argument("--iterations", type=count, help="in place of the config's")
    length.add_argument("--epochs", type=amount, help="times each clip is seen, in place of iterations")
    group.add_argument("--batch-size", type=count, help="of all processes together, in place of the config's")
    group.add_argument("--lr", type=amount, help="learning rate, in place of the config's")
    group.add_argument(
        "--patience",
        type=int,
        metavar="N",
        help="stop after N of the 20 validations without a better one, 0 for never (default: 8)",
    )
    group.add_argument(
        "--precision",
        choices=("auto", "fp32", "bf16", "fp16"),
        default="auto",
        help="auto: bf16 where the GPU has it or the CPU is faster in it, fp16 on other GPUs, else fp32",
    )
    group.add_argument("--workers", type=int, default=1, help="processes that make samples (default: 1)")
    group.add_argument(
        "--threads",
        type=count,
        help="threads of the net (default: all cores; less one a worker that draws pictures)",
    )
    group.add_argument("--minutes", type=amount, help="stop after so many minutes, to be resumed")
    group.add_argument("--tensorboard", action="store_true", help="also log for TensorBoard")


def run(args: argparse.Namespace) -> int:
    """Train, or only export."""
    if args.workers < 0:
        raise UsageError(f"--workers {args.workers} is below 0; give 0 for none")
    if args.tensorboard:
        _require_tensorboard()
    _tell_progress()
    if args.threads is not None:
        import torch

        torch.set_num_threads(args.threads)
    args.out = args.out or Path("work_dirs") / args.model
    return _on_world(args) if args.data is None else _on_data(args)


def _on_world(args: argparse.Namespace) -> int:
    from phar.training import MODELS, export, train_model

    if args.model not in MODELS:
        raise UsageError(f"{args.model} is trained on one's own data; name it by --data")
    if args.profile not in (None, "demo", "moderation"):
        raise UsageError(
            f"without --data only the bundled nets are trained, not {args.profile!r}'s; name your data"
        )
    given = [name for name in _OWN if getattr(args, name, None)]
    if given or args.plain or args.export:
        flag = f"--{given[0].replace('_', '-')}" if given else "--plain" if args.plain else "--export PROFILE"
        raise UsageError(f"{flag} is about one's own data; name it by --data, or leave the flag out")
    if not args.export_only:
        if args.threads is None and MODELS[args.model].kind in _DRAWN:
            _leave_cores(args.workers)
        result = train_model(
            args.model, args.out, _settings(args), world=args.world, iterations=args.iterations
        )
        metrics = ", ".join(f"{name} {value:.4g}" for name, value in result["validation"].items())
        print(f"{args.model}: {result['wall_s']} s; validation: {metrics or 'none yet'}")
    exports = args.export is not None or args.export_only
    if exports and MODELS[args.model].checkpoint is None:
        print(f"{args.model}: a step towards another net; there is nothing to ship")
    elif exports:
        path = export(args.model, args.out)
        print(f"{args.model}: wrote {path} ({path.stat().st_size / 1e6:.1f} MB)")
    return 0


def _leave_cores(num_workers: int) -> None:
    """Leave the processes that draw samples a core each; threads that wait for one slow the others down."""
    import torch

    torch.set_num_threads(max(1, torch.get_num_threads() - num_workers))


def _on_data(args: argparse.Namespace) -> int:
    from phar.profile import load_profile

    profile = load_profile(args.profile or ("moderation" if args.model == "moderation" else "demo"))
    if args.export == "" or (args.export_only and not args.export):
        raise UsageError("--export needs the name of the profile to write, such as mine.yaml")
    if args.export:
        from phar.training.exporting import check_export

        check_export(Path(args.export))
    if not args.export_only and _train(args, profile):
        return 0
    if args.export:
        from phar.training.exporting import export_profile, read_record

        weights, left_out = export_profile(args.out, read_record(args.out), profile, Path(args.export))
        print(f"{args.export}: a profile with {weights} ({weights.stat().st_size / 1e6:.1f} MB)")
        for what in left_out:
            print(f"{args.export}: left out {what}")
    return 0


def _train(args: argparse.Namespace, profile: Any) -> bool:
    """Train; gives whether this is not the process that reports."""
    from dataclasses import replace

    from phar.openmmlab.training import process_number
    from phar.profile import load_labels
    from phar.training.own import Request, prepare, train_own
    from phar.training.results import summary, write_results

    if args.model == "stem":
        raise UsageError("the stem learns where joints and objects are, which only the rendered world tells")
    if args.model == "moderation-still":
        raise UsageError("moderation-still is a control on the rendered world; leave --data out")
    plan: dict[str, Any] = {}
    if args.iterations or args.epochs:
        plan |= {"iterations": args.iterations, "epochs": args.epochs}
    if args.batch_size:
        plan["batch_size"] = args.batch_size
    request = Request(
        args.model,
        profile,
        args.data,
        config=args.config,
        labels=load_labels(args.labels) if args.labels else None,
        balanced=not args.plain,
        with_val=args.with_val,
        lr=args.lr,
        plan=plan,
    )
    prepared = prepare(request)
    if not process_number():
        for note in prepared.source.notes:
            print(f"{args.data}: {note}")
    settings = replace(_settings(args), patience=_patience(args), init_labels=_labels_of_start(args, profile))
    record = train_own(prepared, args.out, settings)
    if process_number():
        return True
    write_results(prepared, args.out, record)
    print(summary(args.out, prepared.kind))
    return False


def _settings(args: argparse.Namespace) -> Settings:
    from phar.openmmlab.training import Settings

    return Settings(
        seed=args.seed,
        init_from=args.init_from,
        resume=args.resume,
        num_workers=args.workers,
        max_minutes=args.minutes,
        precision=args.precision,
        tensorboard=args.tensorboard,
    )


def _patience(args: argparse.Namespace) -> int | None:
    patience = 8 if args.patience is None else args.patience
    if patience < 0:
        raise UsageError(f"--patience {patience} is below 0; 0 never stops early")
    return patience or None


def _labels_of_start(args: argparse.Namespace, profile: Any) -> tuple[str, ...] | None:
    """The labels of --from: those named, or the profile's own where it is the profile's own checkpoint."""
    from phar.profile import load_labels
    from phar.training.own import model_of, stream_name

    if args.from_labels:
        return load_labels(args.from_labels)
    model = model_of(args.model, profile)
    stream = profile.streams.get(stream_name(args.model, profile))
    own = model is not None and model.checkpoint is not None and args.init_from is not None
    if own and stream is not None and args.init_from.resolve() == model.checkpoint.resolve():
        return stream.labels
    return None


def _tell_progress() -> None:
    """Let training say on stderr how it goes."""
    logging.disable(logging.NOTSET)
    told = logging.getLogger("phar.training")
    told.setLevel(logging.INFO)
    told.propagate = False
    told.handlers = [logging.StreamHandler()]


def _require_tensorboard() -> None:
    from importlib.util import find_spec

    if find_spec("tensorboard") is None:
        raise UsageError("--tensorboard needs the package tensorboard; install it, or read log.csv in --out")
