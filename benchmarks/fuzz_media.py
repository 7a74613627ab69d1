"""Hold the reader of videos against thousands of damaged files of every container.

    python benchmarks/fuzz_media.py [--mutations 2000] [--only mp4 mkv] [--seed 0]
    python benchmarks/fuzz_media.py --replay mkv:17 --keep DIR

Files of the shared media's folder `hard/` are cut, flipped, spliced and overwritten at random; each is
then read as the pipeline reads, and as skimming does, in a child process with limits of processor time,
memory and address space. A file is read when windows come out, refused when phar says so in one line;
anything else is a finding: an exception, a crash of the decoder, too much time or memory. Findings are
kept in --keep, and are made again from their container and number. Prints a Markdown table; exit code 1
if there are findings. Linux only (fork, wait4).
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from phar.media import MediaReader, WindowMedia, probe
from phar.media.stills import read_stills
from phar.schema import MediaError

#: Files larger than this are no seeds: they take longer and hold the same structures.
LARGEST_SEED_BYTES = 150_000
SEEDS_PER_CONTAINER = 8

#: Processor seconds and resident memory a file may take; these files take 0.05 s and 150 MB.
CPU_S, RESIDENT_BYTES = 20, 1 << 30
#: More than that is refused by the system, so that the machine survives a finding.
ADDRESS_BYTES = 8 << 30
WALL_S = 300

READ, WARNED, REFUSED = "read", "with warnings", "refused"
FINDINGS = ("error", "crash", "time", "memory")

#: Numbers at the edges of their types.
EDGES = (
    0,
    1,
    0x7F,
    0x80,
    0xFF,
    0x7FFF,
    0x8000,
    0xFFFF,
    0x7FFFFFFF,
    0x80000000,
    0xFFFFFFFF,
    0xFFFFFFFE,
    1 << 30,
)


@dataclass
class Tally:
    """What came of one container's files."""

    outcomes: Counter[str] = field(default_factory=Counter)
    slowest_s: float = 0.0
    largest_bytes: int = 0
    findings: list[dict[str, object]] = field(default_factory=list)


def seeds(folder: Path) -> dict[str, list[bytes]]:
    """Return the smallest files of each container, by suffix."""
    found: dict[str, list[bytes]] = {}
    for path in sorted(folder.rglob("*"), key=lambda path: (path.stat().st_size, path.name)):
        kept = found.setdefault(path.suffix.lower().removeprefix("."), []) if path.is_file() else []
        if (
            path.is_file()
            and 64 <= path.stat().st_size <= LARGEST_SEED_BYTES
            and len(kept) < SEEDS_PER_CONTAINER
        ):
            kept.append(path.read_bytes())
    return {name: files for name, files in sorted(found.items()) if files}


def mutated(files: Sequence[bytes], rng: random.Random) -> bytes:
    """Return one of the files, damaged in one to a few ways."""
    data = bytearray(rng.choice(files))
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        kind = rng.randrange(8)
        at = _place(data, rng)
        if kind == 0:
            for _ in range(rng.choice((1, 8, 64))):
                data[_place(data, rng)] ^= 1 << rng.randrange(8)
        elif kind == 1:
            data[at] = rng.randrange(256)
        elif kind == 2:
            width = rng.choice((1, 2, 4, 8))
            value = rng.choice(EDGES) % (1 << 8 * width)
            data[at : at + width] = value.to_bytes(width, rng.choice(("little", "big")))
        elif kind == 3:
            del data[at : at + rng.choice((1, 4, 64, 1024))]
        elif kind == 4:
            piece = data[at : at + rng.choice((4, 64, 1024))]
            data[at:at] = piece * rng.choice((1, 2, 50))
        elif kind == 5:
            other = rng.choice(files)
            begin = rng.randrange(len(other))
            taken = other[begin : begin + rng.choice((8, 256, 4096))]
            data[at : at + len(taken)] = taken
        elif kind == 6:
            data[at : at + rng.choice((4, 64))] = rng.randbytes(rng.choice((4, 64)))
        else:
            del data[rng.randrange(len(data)) :]
        if len(data) < 16:
            data += bytes(16)
    return bytes(data)


def _place(data: bytearray, rng: random.Random) -> int:
    """A random place; the ends, where containers keep their structure, come more often."""
    reach = min(len(data), 1500)
    where = rng.randrange(3)
    if where == 0:
        return rng.randrange(reach)
    if where == 1:
        return len(data) - 1 - rng.randrange(reach)
    return rng.randrange(len(data))


def read(path: Path) -> str:
    """Read a file as the pipeline does; return what came of it. Raises what nobody should have to see."""
    try:
        probe(path)
        with MediaReader(path, 7, 7, lambda n, *_: {0, n // 2, n - 1}, 16000, num_threads=2) as reader:
            windows = [checked(media) for media in reader]
        if not windows or windows != list(range(len(windows))):
            raise AssertionError(f"windows {windows[:9]}")
        for frame in read_stills(path, 2.0, 8.0, 1):
            frame.to_rgb(96, 64)
    except MediaError as error:
        if "\n" in str(error):
            raise AssertionError(f"not one line: {error!r}") from error
        return REFUSED
    return WARNED if reader.warnings else READ


def checked(media: WindowMedia) -> int:
    """Look at a window's pictures and sound as a net would; return its index."""
    for frame in media.frames.values():
        if frame.to_rgb(224, 224).shape != (224, 224, 3):
            raise AssertionError("a picture of another size than asked for")
    if media.audio is not None and not np.isfinite(media.audio).all():
        raise AssertionError("sound that is no number")
    return media.window.index


def tried(path: Path, log: Path) -> tuple[str, float, int]:
    """Read a file in a child process; return what came of it, processor seconds and resident bytes."""
    child = os.fork()
    if child == 0:
        _limit_myself()
        try:
            outcome = read(path)
        except BaseException:
            log.write_text(traceback.format_exc())
            os._exit(3)
        os._exit((READ, WARNED, REFUSED).index(outcome))
    with _killed_after(child, WALL_S):
        _, status, usage = os.wait4(child, 0)
    cpu_s, resident = usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        log.write_text(signal.Signals(number).name)
        return (
            ("time" if number in (signal.SIGXCPU, signal.SIGALRM, signal.SIGKILL) else "crash"),
            cpu_s,
            resident,
        )
    code = os.WEXITSTATUS(status)
    if code == 3:
        return "error", cpu_s, resident
    if resident > RESIDENT_BYTES:
        return "memory", cpu_s, resident
    return (READ, WARNED, REFUSED)[code], cpu_s, resident


def _limit_myself() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S + 5))
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_BYTES, ADDRESS_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


@contextmanager
def _killed_after(child: int, seconds: int):
    """Kill a child that sleeps for ever."""

    def kill(*_: object) -> None:
        os.kill(child, signal.SIGKILL)

    before = signal.signal(signal.SIGALRM, kill)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def run(name: str, files: Sequence[bytes], args: argparse.Namespace, folder: Path) -> Tally:
    """Try all mutations of one container."""
    tally = Tally()
    path, log = folder / f"file.{name}", folder / "log"
    for index in range(args.mutations):
        data = mutated(files, random.Random(f"{args.seed}:{name}:{index}"))
        path.write_bytes(data)
        log.write_text("")
        outcome, cpu_s, resident = tried(path, log)
        tally.outcomes[outcome] += 1
        tally.slowest_s = max(tally.slowest_s, cpu_s)
        tally.largest_bytes = max(tally.largest_bytes, resident)
        if outcome in FINDINGS:
            said = log.read_text().strip().splitlines() or [f"{cpu_s:.1f} s, {resident >> 20} MB"]
            tally.findings.append({"file": f"{name}:{index}", "outcome": outcome, "said": said[-1]})
            args.keep.mkdir(parents=True, exist_ok=True)
            (args.keep / f"{name}-{args.seed}-{index}.{name}").write_bytes(data)
            (args.keep / f"{name}-{args.seed}-{index}.txt").write_text("\n".join(said) + "\n")
            print(f"{name}:{index}: {outcome}: {said[-1]}", file=sys.stderr, flush=True)
    return tally


def main() -> int:
    """Try every container and print what came of it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    shared = os.environ.get("PHAR_SHARED_MEDIA", Path(__file__).resolve().parents[2] / "shared" / "media")
    parser.add_argument(
        "--media", type=Path, default=Path(shared) / "hard", help="folder of the files to damage"
    )
    parser.add_argument("--mutations", type=int, default=2000, help="files of each container (default: 2000)")
    parser.add_argument("--only", nargs="+", metavar="SUFFIX", help="these containers")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--keep", type=Path, default=Path("build/fuzz"), help="folder for findings and summary"
    )
    parser.add_argument("--replay", metavar="SUFFIX:N", help="make one file again, and read it here")
    args = parser.parse_args()
    found = seeds(args.media)
    if args.replay:
        name, _, index = args.replay.partition(":")
        args.keep.mkdir(parents=True, exist_ok=True)
        path = args.keep / f"{name}-{args.seed}-{index}.{name}"
        path.write_bytes(mutated(found[name], random.Random(f"{args.seed}:{name}:{index}")))
        print(path, read(path))
        return 0
    tallies = {}
    started = time.perf_counter()
    print(
        "| container | seeds | files | read | with warnings | refused | findings | slowest, s | largest, MB |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="phar-fuzz-") as folder:
        for name, files in found.items():
            if args.only and name not in args.only:
                continue
            tally = tallies[name] = run(name, files, args, Path(folder))
            cells = [
                name,
                len(files),
                args.mutations,
                *(tally.outcomes[each] for each in (READ, WARNED, REFUSED)),
            ]
            cells += [len(tally.findings), f"{tally.slowest_s:.1f}", tally.largest_bytes >> 20]
            print(f"| {' | '.join(map(str, cells))} |", flush=True)
    summary = {
        "seed": args.seed,
        "wall_s": round(time.perf_counter() - started),
        "containers": {
            name: {**tally.outcomes, "findings": tally.findings} for name, tally in tallies.items()
        },
    }
    args.keep.mkdir(parents=True, exist_ok=True)
    (args.keep / "summary.json").write_text(json.dumps(summary, indent=1) + "\n")
    return 1 if any(tally.findings for tally in tallies.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
