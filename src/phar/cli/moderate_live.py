"""Watch live sources and tell what happens, as lines of JSON on stdout and to a webhook.

SOURCE is an address (rtmp, rtmps, srt, http, https, tcp, udp) or a file that grows (MPEG-TS, FLV, Matroska).
Each is watched whole, or one window of it every so many seconds; sources that are not watched whole are
called anew for each window. docs/moderation.md describes the events.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phar.cli.moderate_run import add_deciding, deciders
from phar.cli.values import amount, count, length, seconds
from phar.schema import UsageError

if TYPE_CHECKING:
    from phar.moderation.live.events import Event
    from phar.moderation.live.sources import LiveSource

_SECRET = "PHAR_WEBHOOK_SECRET"

#: Last while for events that are not delivered when the session ends.
_GOODBYE_S = 5.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("source", nargs="*", metavar="SOURCE", help="address, or file that grows")
    parser.add_argument(
        "--list", type=Path, metavar="FILE", help="NAME ADDRESS [whole | every=S] [listen], one a line"
    )
    parser.add_argument(
        "--every",
        type=length,
        default=30.0,
        metavar="S",
        help="one window every S seconds; 0: all (default: 30)",
    )
    parser.add_argument(
        "--listen", action="store_true", help="wait at rtmp, tcp or srt addresses for somebody to push"
    )
    parser.add_argument(
        "--stall", type=seconds, default=10.0, metavar="S", help="call again after S seconds of silence"
    )
    parser.add_argument(
        "--idle", type=seconds, default=30.0, metavar="S", help="a file that has not grown for S seconds ends"
    )
    parser.add_argument(
        "--max-calls",
        type=count,
        default=16,
        metavar="N",
        help="sampled sources called at once (default: 16)",
    )
    parser.add_argument("--duration", type=amount, metavar="S", help="end after S seconds")
    add_deciding(parser)
    hook = parser.add_argument_group("webhook")
    hook.add_argument("--webhook", metavar="URL", help="where events are posted, as Standard Webhooks says")
    hook.add_argument(
        "--webhook-secret-file", type=Path, metavar="FILE", help=f"base64 (default: the variable {_SECRET})"
    )
    hook.add_argument(
        "--webhook-events",
        nargs="+",
        choices=("session", "window", "span", "source"),
        default=["span", "source"],
        help="which ones (default: span source)",
    )
    hook.add_argument(
        "--outbox", type=Path, metavar="FILE", help="where undelivered events wait (default: the user's data)"
    )


def run(args: argparse.Namespace) -> int:
    """Check everything, load the nets, and watch until all sources have ended or somebody interrupts."""
    from phar.moderation.live.sources import checked

    sources = checked(_sources(args))
    key = _key(args)
    profile, policy = deciders(args)

    from phar.moderation.live.events import Events
    from phar.moderation.live.session import LiveOptions, Session
    from phar.pipeline import Analyzer

    analyzer = Analyzer(profile, device=args.device, backend=args.backend)
    options = LiveOptions(args.stall, args.idle, args.max_calls, args.duration)
    if args.webhook is None:
        Session(analyzer, policy, sources, Events(_print), options).run()
        return 0

    from phar.moderation.live.outbox import Outbox
    from phar.moderation.live.webhook import Sender

    outbox = Outbox(args.outbox or _outbox(args.webhook), args.webhook)
    sender = Sender(outbox, args.webhook, key, say=_warn)
    sender.start()
    try:
        Session(analyzer, policy, sources, Events(_print, _poster(outbox, args)), options).run()
    finally:
        left = sender.finish(_GOODBYE_S)
        outbox.close()
        if left:
            _warn(f"webhook: {left} events are not delivered; the next session with this outbox goes on")
    return 0


def _sources(args: argparse.Namespace) -> list[LiveSource]:
    from phar.moderation.live.sources import named, read_sources

    found = [named(address, args.every, args.listen) for address in args.source]
    return found + (read_sources(args.list, args.every, args.listen) if args.list is not None else [])


def _key(args: argparse.Namespace) -> bytes | None:
    from urllib.parse import urlsplit

    from phar.moderation.live.webhook import read_secret

    if args.webhook is None:
        return None
    if urlsplit(args.webhook).scheme not in ("http", "https"):
        raise UsageError(f"--webhook {args.webhook}: give an http or https address")
    secret = os.environ.get(_SECRET)
    if args.webhook_secret_file is not None:
        try:
            secret = args.webhook_secret_file.read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"secret {args.webhook_secret_file} cannot be read ({error})") from None
    if secret is None:
        raise UsageError(f"a webhook needs a secret to sign with; give --webhook-secret-file or {_SECRET}")
    return read_secret(secret)


def _outbox(address: str) -> Path:
    import platformdirs

    digest = hashlib.sha256(address.encode()).hexdigest()[:12]
    return Path(platformdirs.user_data_dir("phar")) / f"outbox-{digest}.sqlite"


def _print(event: Event) -> None:
    from phar.moderation.live.events import line

    print(line(event), flush=True)


def _poster(outbox: Any, args: argparse.Namespace) -> Any:
    from phar.moderation.live.events import line

    def post(event: Event) -> None:
        if event["type"] in args.webhook_events:
            outbox.put(event["id"], line(event).encode())

    return post


def _warn(text: str) -> None:
    print(f"phar moderate live: {text}", file=sys.stderr)
