"""Judge a video by a policy: safe, review or block, with the reasons and what it takes to repeat it.

SRC is a video, an http or https address of one, a report that phar-demo wrote (no model is loaded then), or
a folder. Of a folder OUT.json holds one row for each video; reports, verdicts and the catalogue go to the
folder OUT beside it, and running the same again does only what changed.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phar.cli import overrides
from phar.cli.values import count
from phar.export import check_target, read_report
from phar.schema import MediaError, UsageError

if TYPE_CHECKING:
    from phar.moderation.policy import Policy
    from phar.moderation.verdict import Input
    from phar.profile import Profile
    from phar.schema import Report


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("source", metavar="SRC", help="video, address, report or folder")
    parser.add_argument("out", type=Path, metavar="OUT.json", help="the verdict; replaced if phar wrote it")
    add_deciding(parser)
    parser.add_argument("--report", type=Path, metavar="FILE", help="also write the report that was judged")
    parser.add_argument(
        "--workers", type=count, metavar="N", help="of a folder: processes, as for phar batch"
    )


def add_deciding(parser: argparse.ArgumentParser) -> None:
    """Declare what says who looks and who decides."""
    overrides.add_choice_of_nets(parser)
    parser.add_argument(
        "--policy", metavar="NAME|FILE", help="a bundled policy or a YAML file (default: the profile's name)"
    )


def run(args: argparse.Namespace) -> int:
    """Judge one input, or everything in a folder."""
    check_target(args.out)
    source = Path(args.source)
    if "://" in args.source:
        return _address(args)
    if source.is_dir():
        return _folder(args)
    if not source.is_file():
        raise MediaError(f"{args.source} does not exist; name a video, a report, a folder or an address")
    check_target(args.out, [source])
    if source.suffix.lower() == ".json":
        return _stored(args)
    from phar.moderation.verdict import read_input

    profile, policy = deciders(args)
    judged = read_input(source)
    return _publish(args, _analysed(args, profile, source), policy, judged)


def deciders(args: argparse.Namespace) -> tuple[Profile, Policy]:
    """Return the profile and the policy that the flags name, having seen that they go together."""
    from phar.moderation.policy import load_policy
    from phar.profile import default_profile, load_profile, require_checkpoints, with_preset

    chosen, reason = (args.profile, "asked for") if args.profile else default_profile()
    profile = with_preset(load_profile(chosen), args.preset)
    policy = load_policy(args.policy or profile.name)
    vocabularies = {name: stream.labels for name, stream in profile.streams.items()}
    policy.require(profile.labels, vocabularies, f"the profile {profile.name}")
    require_checkpoints(profile)
    if not args.profile:
        print(f"phar moderate: profile {chosen}: {reason}", file=sys.stderr)
    return profile, policy


def _address(args: argparse.Namespace) -> int:
    import dataclasses

    from phar.media import fetched
    from phar.moderation.verdict import Input

    profile, policy = deciders(args)
    with fetched(args.source) as video:
        judged = Input(args.source, video.sha256, video.size_bytes, "video" if video.whole else "copy")
        report = _analysed(args, profile, video.path)
    report = dataclasses.replace(report, video=dataclasses.replace(report.video, path=args.source))
    return _publish(args, report, policy, judged)


def _stored(args: argparse.Namespace) -> int:
    """Judge a report."""
    from phar.moderation.policy import load_policy
    from phar.moderation.verdict import Input

    report = read_report(args.source)
    policy = load_policy(args.policy or str(report.profile["name"]))
    return _publish(args, report, policy, Input(args.source, None, None, "report"))


def _analysed(args: argparse.Namespace, profile: Profile, video: Path) -> Report:
    from phar.cli.progress import progress_bar
    from phar.pipeline import analyze

    with progress_bar() as progress:
        return analyze(video, profile, device=args.device, backend=args.backend, progress=progress)


def _publish(args: argparse.Namespace, report: Report, policy: Policy, judged: Input) -> int:
    from phar.export import WRITERS
    from phar.moderation.judging import judge
    from phar.moderation.verdict import to_document, write_document

    verdict = judge(policy, report)
    if args.report is not None:
        check_target(args.report, [Path(args.source)])
        WRITERS["json"].write(report, args.report)
    write_document(to_document(verdict, report, policy, judged), args.out)
    print(f"{args.out}: {verdict.action}; {len(verdict.windows)} windows, {len(verdict.spans)} spans")
    for reason in verdict.reasons:
        print(f"  {reason}")
    return 0


def _folder(args: argparse.Namespace) -> int:
    """Bring the reports of a folder up to date, then judge each."""
    from phar.cli import batch, entry
    from phar.moderation.verdict import to_summary, write_document

    if args.report is not None:
        raise UsageError(f"--report: of a folder all reports are kept, in {_beside(args.out)}; leave it out")
    profile, policy = deciders(args)
    folder = _beside(args.out)
    flags = [args.source, "--out", str(folder), "--profile", str(profile.path), "--device", args.device]
    flags += ["--backend", args.backend]
    flags += ["--preset", args.preset] if args.preset else []
    flags += ["--workers", str(args.workers)] if args.workers else []
    parser = entry.Parser(prog="phar moderate run")
    batch.add_arguments(parser)
    parser.add_argument("--verbose", action="store_true")
    code = batch.run(parser.parse_args([*flags, *(["--verbose"] if args.verbose else [])]))
    errors = _failures(folder)
    rows = [
        _judged(item, folder, policy, args.out.parent)
        if item.status == "done"
        else {"path": item.path, "error": errors.get(item.path, "not analysed yet; run again")}
        for item in _videos(args.source, folder)
    ]
    summary = to_summary(policy, rows)
    write_document(summary, args.out)
    counts = ", ".join(f"{number} {name}" for name, number in summary["counts"].items() if number)
    print(f"{args.out}: {counts}")
    return code


def _beside(out: Path) -> Path:
    folder = out.with_suffix("")
    if folder == out:
        raise UsageError(f"{out}: end the name in .json; the folder beside it bears the name without")
    return folder


def _videos(source: str, folder: Path) -> list[Any]:
    """Return the catalogue's row of every video of the folder."""
    from phar.batch.catalogue import rows_to_read
    from phar.batch.sources import find_videos

    rows = rows_to_read(folder)
    try:
        found = [rows.row(item.path) for item in find_videos([source], [], folder)]
    finally:
        rows.close()
    return [row for row in found if row is not None]


def _failures(folder: Path) -> dict[str, str]:
    """Return why videos failed, by path."""
    from phar.batch.search import Search

    search = Search(folder)
    try:
        return dict(search.failures())
    finally:
        search.close()


def _judged(row: Any, folder: Path, policy: Policy, base: Path) -> dict[str, Any]:
    """Judge one video of a folder by its report, and return its row of a summary that lies in `base`."""
    from phar.batch.job import Places
    from phar.moderation.judging import judge
    from phar.moderation.verdict import Input, summary_row, to_document, write_document

    report = read_report(Places(folder).report(row.place))
    size = row.stamp.size_bytes if row.stamp is not None else None
    document = to_document(judge(policy, report), report, policy, Input(row.path, row.content, size))
    target = folder / "verdicts" / f"{row.place}.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    write_document(document, target)
    return summary_row(document, str(target.relative_to(base)))
