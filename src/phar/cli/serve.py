"""Serve a moderation team: an HTTP API for videos, and a page on which people review what was found.

DIR holds all the server keeps: one SQLite file, uploads, reports and verdicts. Videos are sent, or named
below a --root. Run the same again to go on after any interruption. --add and --export do their work and
end; a server may run in DIR meanwhile. docs/serve.md describes page and API.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from phar.cli.moderate_run import add_deciding, deciders
from phar.cli.values import amount, count, length, seconds
from phar.schema import MediaError, UsageError

if TYPE_CHECKING:
    from phar.moderation.policy import Policy
    from phar.serve.store import Store

_TOKEN = "PHAR_SERVE_TOKEN"

_GIB = 2**30


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="what the server keeps")
    parser.add_argument(
        "--root",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="folder below which videos may be named; may be given again (default: none)",
    )
    add_deciding(parser)
    parser.add_argument("--labels", type=Path, metavar="FILE", help="more labels people may give, one a line")
    where = parser.add_argument_group("who may ask")
    where.add_argument("--host", default="127.0.0.1", help="address to listen at (default: %(default)s)")
    where.add_argument("--port", type=_port, default=8765, help="0 takes any (default: %(default)s)")
    where.add_argument(
        "--token-file",
        type=Path,
        metavar="FILE",
        help="tokens, one a line, after a moderator's name if it is theirs; without any only this machine "
        f"may ask (default: the variable {_TOKEN})",
    )
    where.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="another name the server is called by, as behind a proxy",
    )
    work = parser.add_argument_group("limits")
    work.add_argument("--workers", type=count, metavar="N", help="analyses at a time, as for phar batch")
    work.add_argument(
        "--timeout", type=seconds, metavar="S", help="longest time for one video, as for phar batch"
    )
    work.add_argument("--memory", type=amount, metavar="GIB", help="most memory for one worker")
    work.add_argument(
        "--max-upload", type=amount, default=8.0, metavar="GIB", help="largest upload (default: 8)"
    )
    work.add_argument(
        "--lease-minutes",
        type=amount,
        default=5.0,
        metavar="MIN",
        help="how long a span is held for a moderator who does nothing (default: 5)",
    )
    work.add_argument(
        "--retention-days",
        type=length,
        default=30.0,
        metavar="N",
        help="uploads, reports and unanswered spans are deleted after N days; 0: never (default: 30)",
    )
    once = parser.add_argument_group("instead of serving").add_mutually_exclusive_group()
    once.add_argument(
        "--add",
        nargs="+",
        type=Path,
        metavar="PATH",
        help="put on the queue: reports, folders of reports, or tables of phar moderate mine",
    )
    once.add_argument(
        "--export", type=Path, metavar="TABLE", help="write all verdicts as a table for phar dataset"
    )


def run(args: argparse.Namespace) -> int:
    """Serve, add or export."""
    if args.export is not None:
        return _export(args)
    if args.add is not None:
        return _add(args)
    from phar.serve.guard import access

    allowed = access(args.host, _tokens(args), args.allow_host)
    for root in args.root:
        if not root.is_dir():
            raise UsageError(f"--root {root} is no folder; name one that holds videos")
    profile, policy = deciders(args)

    from phar.batch.limits import Limits, default_memory_bytes, default_workers, num_cores
    from phar.profile import load_labels
    from phar.profile.fingerprint import analysis_fingerprint
    from phar.serve.running import run as serve
    from phar.serve.service import Settings

    num_workers = args.workers or default_workers(args.device)
    memory_bytes = int(args.memory * _GIB) if args.memory else default_memory_bytes(num_workers)
    settings = Settings(
        folder=args.folder.resolve(),
        profile=profile,
        policy=policy,
        analysis=analysis_fingerprint(profile),
        roots=tuple(root.resolve() for root in args.root),
        labels=load_labels(args.labels) if args.labels else (),
        device=args.device,
        backend=args.backend,
        num_workers=num_workers,
        num_threads=max(1, num_cores() // num_workers) if num_workers > 1 else 0,
        limits=Limits(memory_bytes, args.timeout),
        max_upload_bytes=int(args.max_upload * _GIB),
        lease_s=args.lease_minutes * 60,
        retention_days=args.retention_days or None,
        verbose=args.verbose,
    )
    about = f"profile {profile.name}, policy {policy.name} {policy.version}"
    serve(
        settings, args.host, args.port, allowed, lambda url: print(f"phar serve: {url} {about}", flush=True)
    )
    return 0


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port, 0 to 65535")
    return int(text)


def _tokens(args: argparse.Namespace) -> dict[bytes, str | None]:
    from phar.serve.guard import read_tokens

    if args.token_file is None:
        token = os.environ.get(_TOKEN)
        return read_tokens(token, _TOKEN) if token else {}
    try:
        text = args.token_file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--token-file {args.token_file} cannot be read ({error}); check it") from None
    return read_tokens(text, str(args.token_file))


def _store(folder: Path, *, new: bool) -> Store:
    from phar.serve.store import FILE_NAME, Store

    if not new and not (folder / FILE_NAME).is_file():
        raise UsageError(f"{folder} holds no {FILE_NAME}; name the folder that phar serve was given")
    return Store(folder.resolve())


def _export(args: argparse.Namespace) -> int:
    from phar.dataset.annotation import check_table_target, write_table
    from phar.serve.annotating import verdict_rows

    check_table_target(args.export)
    store = _store(args.folder, new=False)
    try:
        rows, left_out = verdict_rows(store)
    finally:
        store.close()
    write_table(rows, args.export)
    videos = len({row.video for row in rows})
    print(f"{args.export}: {len(rows)} rows, {videos} videos")
    if left_out:
        print(
            f"phar serve: {left_out} verdicts left out, the files of their videos are gone", file=sys.stderr
        )
    return 0


def _add(args: argparse.Namespace) -> int:
    from phar.dataset.importing import read_tables
    from phar.serve.annotating import enqueue, enqueue_report

    reports, tables = [], []
    for path in args.add:
        if path.is_dir():
            reports += sorted(each for each in path.rglob("*.json") if not each.name.startswith("."))
        elif not path.is_file():
            raise MediaError(f"{path} does not exist; name a report, a folder of reports or a table")
        else:
            (tables if path.suffix.lower() in (".csv", ".parquet") else reports).append(path)
    rows = read_tables(tables) if tables else []
    store = _store(args.folder, new=True)
    try:
        added = enqueue(store, rows)
        policies: dict[str, Policy] = {}
        for path in reports:
            added += enqueue_report(store, path, lambda name: _policy(args, name, policies))
    finally:
        store.close()
    print(f"{args.folder}: {added} spans added, of {len(reports)} reports and {len(tables)} tables")
    return 0


def _policy(args: argparse.Namespace, name: str, known: dict[str, Policy]) -> Policy:
    """Return the policy for reports of a profile."""
    from phar.moderation.policy import load_policy

    wanted = args.policy or name
    if wanted not in known:
        known[wanted] = load_policy(wanted)
    return known[wanted]
