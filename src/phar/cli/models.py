"""List, fetch, check and convert checkpoints.

Downloads go to the folder that PHAR_CHECKPOINTS names, else to checkpoints/ of the checkout, else to the
user's data folder. PHAR_MIRROR replaces scheme and host of every address; the usual proxy variables are
honoured.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phar.cli.values import count
from phar.schema import ModelError

if TYPE_CHECKING:
    from phar.models import Checkpoint


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")

    def add(name: str, summary: str) -> argparse.ArgumentParser:
        action = actions.add_parser(
            name,
            help=summary,
            description=summary,
            formatter_class=parser.formatter_class,
            allow_abbrev=False,
        )
        action.add_argument("--verbose", action="store_true", default=argparse.SUPPRESS, help="say more")
        return action

    action = add("list", "every checkpoint phar knows, and whether it is here")
    action.add_argument("--json", action="store_true", help="print one JSON array")
    action = add("info", "what is known of one checkpoint, and how large its net is")
    action.add_argument("name", help="a name of `phar models list`")
    action.add_argument("--time", action="store_true", help="also build the net and measure it here")
    action.add_argument("--json", action="store_true", help="print one JSON object")
    action = add("pull", "fetch a checkpoint, or all of a profile, and check it")
    _add_selection(action, required=True)
    action.add_argument(
        "--force", action="store_true", help="fetch anew, and take another file than the first download's"
    )
    action = add("verify", "hold checkpoints against their hashes; exit code 4 if one is wrong")
    _add_selection(action, required=False)
    action.add_argument("--json", action="store_true", help="print one JSON array")
    action = add("import", "write a checkpoint's weights as safetensors; runs no code of the file")
    action.add_argument("source", type=Path, metavar="X.pth", help="any checkpoint")
    action.add_argument("--out", type=Path, required=True, metavar="Y.safetensors", help="file to write")
    action.add_argument("--config", type=Path, help="OpenMMLab config whose net must take every weight")
    action = add("random", "write a profile's nets with random weights, to measure speed with")
    action.add_argument("profile", help="a bundled profile")
    action.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write to")
    action.add_argument("--seed", type=int, default=0, help="same seed, same weights (default: 0)")
    action = add("quantize", "make int8 copies of a profile's nets, for --preset int8")
    action.add_argument("profile", help="a profile's name or file")
    action.add_argument(
        "--clips", type=count, default=39, help="rendered clips to take ranges from (default: 39)"
    )
    action.add_argument("--seed", type=int, default=0, help="of the clips (default: 0)")
    action = add("export", "write a net in a form that other programs run")
    action.add_argument("name", help="a name of `phar models list`")
    action.add_argument("out", type=Path, metavar="OUT", help=".xml for OpenVINO, .onnx for ONNX")


def run(args: argparse.Namespace) -> int:
    """Do what the action says."""
    actions = {
        "list": _list,
        "info": _info,
        "pull": _pull,
        "verify": _verify,
        "import": _import,
        "random": _random,
        "quantize": _quantize,
        "export": _export,
    }
    return actions[args.action](args)


def _add_selection(parser: argparse.ArgumentParser, *, required: bool) -> None:
    what = "a checkpoint's name, a profile's, or a profile file"
    parser.add_argument(
        "name",
        nargs=None if required else "?",
        metavar="NAME|PROFILE",
        help=what if required else f"{what} (default: every checkpoint)",
    )
    parser.add_argument("--preset", help="of a profile: only what this preset needs")


def _list(args: argparse.Namespace) -> int:
    from phar.models import wanted

    rows = [
        {
            "name": item.name,
            "profile": item.checkpoint.profile,
            "size_bytes": _size_bytes(item.path, item.checkpoint),
            "here": item.path.is_file(),
            "licence": item.checkpoint.licence,
            "path": str(item.path),
        }
        for item in wanted()
        if item.checkpoint is not None
    ]
    if args.json:
        print(json.dumps(rows, indent=2))
        return 0
    _print_table(
        ("name", "profile", "size", "here", "licence"),
        [
            (
                str(row["name"]),
                str(row["profile"]),
                _size(row["size_bytes"]),
                "yes" if row["here"] else "no",
                str(row["licence"]),
            )
            for row in rows
        ],
    )
    return 0


def _info(args: argparse.Namespace) -> int:
    from phar.models import find, wanted
    from phar.models.weights import measure, seconds

    checkpoint = find(args.name)
    (item,) = wanted(checkpoint.name)
    size = measure(checkpoint)
    found: dict[str, Any] = {
        "name": checkpoint.name,
        **{"profile": checkpoint.profile, **checkpoint.facts},
        "path": str(item.path),
        "here": item.path.is_file(),
        "hash_expected": item.sha256,
        "parameters": size.parameters,
        f"gflops_per_{size.unit}": round(size.gflops, 3),
        "input_shape": list(size.input_shape),
    }
    if args.time:
        taken_s, backend = seconds(checkpoint)
        found |= {f"seconds_per_{size.unit}": round(taken_s, 4), "backend": backend}
    if args.json:
        print(json.dumps(found, indent=2))
        return 0
    width = max(map(len, found))
    for name, value in found.items():
        print(f"{name:{width}}  {_shown(value)}")
    return 0


def _pull(args: argparse.Namespace) -> int:
    from phar.cli.download_bar import DownloadBar
    from phar.models import pull, wanted

    for item in wanted(args.name, args.preset):
        with ExitStack() as bars:
            done = pull(item, lambda name, bars=bars: bars.enter_context(DownloadBar(name)), force=args.force)
        how = "fetched" if done.fetched else "here"
        print(
            f"{done.name}: {how}, {_size(done.size_bytes)}, sha256 {done.sha256[:8]}, {done.path}",
            flush=True,
        )
    return 0


def _verify(args: argparse.Namespace) -> int:
    from phar.models import verify, wanted

    found = [verify(item) for item in wanted(args.name, args.preset)]
    # What was asked for by name is needed; of everything there is, most people need a part.
    faults = {"wrong hash"} if args.name is None else {"wrong hash", "missing"}
    if args.json:
        print(json.dumps([{**asdict(each), "path": str(each.path)} for each in found], indent=2))
    else:
        rows = [
            (each.name, each.state, (each.sha256 or "")[:8], (each.expected or "")[:8], str(each.path))
            for each in found
        ]
        _print_table(("name", "state", "sha256", "expected", "file"), rows)
    return ModelError.exit_code if any(each.state in faults for each in found) else 0


def _import(args: argparse.Namespace) -> int:
    from phar.models.weights import import_weights

    done = import_weights(args.source, args.out, args.config)
    print(f"{done.path}: {done.num_tensors} tensors, {done.num_values} values, {_size(done.size_bytes)}")
    return 0


def _random(args: argparse.Namespace) -> int:
    from phar.models.untrained import write_untrained

    profile, files = write_untrained(args.profile, args.out, args.seed)
    for file in files:
        print(f"{file.path}: {file.num_values} values, {_size(file.size_bytes)}")
    print(f"{profile}: random weights; use it with --profile {profile}")
    return 0


def _quantize(args: argparse.Namespace) -> int:
    from phar.models.quantize import quantize_profile
    from phar.profile import load_profile

    def say(text: str) -> None:
        print(f"phar models quantize: {text}", file=sys.stderr)

    for net in quantize_profile(load_profile(args.profile), args.clips, args.seed, say):
        shape = "x".join(map(str, net.shape[:-1]))
        print(f"{shape}: {net.num_inputs} inputs, outputs within {net.difference:.1%} of float32's")
    return 0


def _export(args: argparse.Namespace) -> int:
    from phar.models import find
    from phar.models.weights import export

    done = export(find(args.name), args.out)
    files = ", ".join(f"{path} ({_size(path.stat().st_size)})" for path in done.files)
    shape = "x".join(str(side or "N") for side in done.input_shape)
    print(f"{files}: takes {shape} {done.input_dtype}")
    return 0


def _size_bytes(path: Path, checkpoint: Checkpoint) -> int | None:
    return path.stat().st_size if path.is_file() else checkpoint.size_bytes


def _size(size_bytes: object) -> str:
    if not isinstance(size_bytes, int):
        return "unknown"
    return f"{size_bytes / 1e6:.1f} MB" if size_bytes >= 100_000 else f"{size_bytes / 1e3:.1f} kB"


def _shown(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{key} {each}" for key, each in value.items()) or "none"
    if isinstance(value, list):
        return "x".join(map(str, value))
    return str(value)


def _print_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for name in head:
        table.add_column(name, no_wrap=True, justify="right" if name == "size" else "left")
    for row in rows:
        table.add_row(*row)
    # Piped output is for programs: no line is cut to a terminal's width.
    console = Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else 10_000)
    console.print(table, soft_wrap=True)
