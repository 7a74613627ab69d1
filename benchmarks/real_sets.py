"""Train and test on small public sets of real clips, each with several seeds, and print a table.

    python benchmarks/real_sets.py --media DIR --work DIR [--only NAME ...] [--seeds 0 1 2] [--jobs 2]

DIR of --media holds `skeleton/derived/*.pkl` with their class names, and the recordings of the Free Spoken
Digit Dataset. Every step is a command of phar. Settings were chosen on a part of the training split; the
last training takes all of it, and the test split is scored once. What --work holds already is not done again;
a training that was stopped goes on.
"""

from __future__ import annotations

import argparse
import re
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

DIGITS = "audio/Jakobovski+free-spoken-digit-dataset/recordings"
SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")


@dataclass(frozen=True)
class Trial:
    """A set and what learns it."""

    model: str
    data: str
    """One of the folders that `prepare` makes."""
    config: str


TRIALS = {
    "utd-stgcn": Trial("skeleton", "utd", "skeleton/stgcn_small.py"),
    "utd-stgcn-whole": Trial("skeleton", "utd", "skeleton/stgcn_whole_small.py"),
    "utd-posec3d": Trial("skeleton", "utd", "skeleton/posec3d_small.py"),
    "jhmdb-stgcn": Trial("skeleton", "jhmdb", "skeleton/stgcn_small.py"),
    "jhmdb-posec3d": Trial("skeleton", "jhmdb", "skeleton/posec3d_small.py"),
    "digits": Trial("audio", "digits", "audio/resnet_small.py"),
    **{f"digits-{name}": Trial("audio", f"digits-{name}", "audio/resnet_small.py") for name in SPEAKERS},
}


def phar(*arguments: object) -> str:
    """Run a command of phar and return what it printed; stop where it fails."""
    command = [sys.executable, "-m", "phar.cli.main", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"phar {' '.join(command[3:])}: {done.stderr.strip()}")
    return done.stdout


def prepare(name: str, media: Path, work: Path) -> None:
    """Make the examples of a set, unless they are there."""
    folder = work / "data" / name
    if folder.is_dir():
        return
    made = work / "making" / name
    shutil.rmtree(made, ignore_errors=True)
    poses = media / "skeleton/derived"
    if name == "utd":
        phar(
            *("dataset", "poses", poses / "utd_mhad_coco17.pkl", "--labels", poses / "utd_mhad_classes.txt"),
            *("--splits", "train=xsub_train", "test=xsub_val", "--val-by", "s[0-9]+", "--val-share", 0.25),
            *("--out", made),
        )
    elif name == "jhmdb":
        phar(
            *("dataset", "poses", poses / "jhmdb_gt_coco17.pkl", "--labels", poses / "jhmdb_classes.txt"),
            *("--splits", "train=train", "test=test", "--val-share", 0.25, "--out", made),
        )
    else:
        table, speaker = work / f"{name}.csv", name.removeprefix("digits").removeprefix("-")
        script = Path(__file__).with_name("spoken_digits.py")
        held_out = ["--held-out", speaker] if speaker else []
        subprocess.run([sys.executable, script, media / DIGITS, table, *held_out], check=True)
        phar("dataset", "audio", table, "--out", made, "--quietest", 0)
    folder.parent.mkdir(exist_ok=True)
    made.rename(folder)


def trained(options: argparse.Namespace, job: tuple[str, int]) -> float:
    """Train a trial with a seed, score the test split, and return top-1."""
    name, seed = job
    trial, out = TRIALS[name], options.work / f"{name}-{seed}"
    profile, scores = out.with_suffix(".yaml"), out.with_suffix(".txt")
    configs = Path(__file__).resolve().parent.parent / "configs"
    data = options.work / "data" / trial.data
    if not profile.is_file():
        phar(
            *("train", trial.model, "--data", data, "--config", configs / trial.config, "--out", out),
            *("--seed", seed, "--with-val", "--patience", 0, "--resume", "--export", profile),
            *("--threads", 1, "--workers", 0),
        )
    if not scores.is_file():
        scores.write_text(phar("predict", trial.model, "--profile", profile, "--data", data))
    found = re.search(r"top-1 ([0-9.]+)", scores.read_text())
    assert found is not None
    print(f"{name}, seed {seed}: {found[1]}", flush=True)
    return float(found[1])


def rows(options: argparse.Namespace) -> Iterator[str]:
    """Yield the table."""
    yield "| set and net | top-1, by seed | mean |\n|---|---|---|"
    for data in {TRIALS[name].data for name in options.only}:
        prepare(data, options.media, options.work)
    jobs = [(name, seed) for name in options.only for seed in options.seeds]
    with ThreadPoolExecutor(options.jobs) as pool:
        found = dict(zip(jobs, pool.map(partial(trained, options), jobs), strict=True))
    for name in options.only:
        values = [found[name, seed] for seed in options.seeds]
        yield f"| {name} | {', '.join(f'{each:.4f}' for each in values)} | {statistics.mean(values):.4f} |"


def main() -> None:
    """Train, score, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--media", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True, help="folder for examples, nets and scores")
    parser.add_argument("--only", nargs="+", choices=tuple(TRIALS), default=tuple(TRIALS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--jobs", type=int, default=2, help="trainings at a time, of one thread each")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    print("\n".join(rows(options)))


if __name__ == "__main__":
    main()
