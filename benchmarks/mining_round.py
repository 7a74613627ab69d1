"""One round of mining: false alarms on a category that a moderation net never saw, before and after.

    python benchmarks/mining_round.py --keep DIR --streams DIR2

The new category are games (`phar.synth.games`), in which nothing is unsafe. The net watches half of them,
its worst windows are mined and refused as a moderator would refuse them, and the net is trained on with those
and with short clips of the world that it came from. The other half counts false alarms. Recall is that of
events in streams that `benchmarks/rare_events.py calibrate` has drawn into DIR2; the trained net's threshold
is set to where it finds as many as the net before. Every step is the command a person would use.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from phar import analyze
from phar.cli.main import main as phar
from phar.moderation.policy import Category, load_policy
from phar.moderation.thresholds import GRID, Outcome, outcome
from phar.moderation.truth import Watched, cases
from phar.profile import load_profile
from phar.schema import Report
from phar.synth import load_safety, write_clip
from phar.synth.games import Game

sys.path.insert(0, str(Path(__file__).parent))
import rare_events

#: Games that the net is trained on with come from these seeds, those that count from the others.
MINED, COUNTED = 0, 2_000_000
GAME_S = 30.0


def games(folder: Path, seed: int, minutes: float) -> list[Path]:
    """Render games from a seed on, unless they are there."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number in range(round(minutes * 60 / GAME_S)):
        paths.append(folder / f"{Game(seed + number, GAME_S).name}.mp4")
        if not paths[-1].exists():
            Game(seed + number, GAME_S).write(paths[-1])
    return paths


def known_clips(folder: Path, count: int) -> Path:
    """Render short clips of the world and write the table that says what they show."""
    safety, table = load_safety(), folder / "known.csv"
    with table.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["video", "start_s", "end_s", "label", "category", "source", "verdict"])
        for index in range(count):
            clip = safety.clip("train", index)
            path = folder / "known" / f"{index:04}.mp4"
            if not path.exists():
                write_clip(clip, path)
            label = safety.label(clip.label)
            rows.writerow([path, 0, round(clip.duration_s, 3), label, clip.label, "rendered", "accept"])
    return table


def refuse(table: Path) -> None:
    """Answer every mined window as a moderator would: no game is unsafe."""
    table.write_text(table.read_text().replace(",unsure", ",reject"))


def run(*command: object) -> None:
    """Run a command of phar and stop where it fails."""
    print("$ phar", *command, flush=True)
    code = phar([str(each) for each in command])
    if code:
        raise SystemExit(code)


def false_alarms(category: Category, reports: Sequence[Report], threshold: float) -> Outcome:
    """Count the spans of videos in which nothing is unsafe."""
    watched = [Watched(Path("/"), (), ((0.0, each.video.duration_s),)) for each in reports]
    return outcome(cases(category, watched, reports), threshold)


def told(name: str, recall: Outcome, games_seen: Outcome) -> None:
    """Print one line of the result."""
    print(
        f"{name}: threshold of scores {recall.threshold:.5f}, {recall.found} of {recall.events} events found,"
        f" {games_seen.false_alarms} false alarms in {games_seen.hours:.2f} h of games"
        f" ({games_seen.per_hour:.1f} an hour)"
    )


def main() -> None:
    """Mine, refuse, train on, count."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keep", type=Path, required=True, help="folder for videos, reports and the net")
    parser.add_argument("--streams", type=Path, required=True, help="folder of drawn streams")
    parser.add_argument("--hours", type=float, default=3, help="of drawn streams that tell recall")
    parser.add_argument("--minutes", type=float, default=20, help="of games in each half")
    parser.add_argument("--known", type=int, default=100, help="clips of the known world")
    parser.add_argument("--iterations", type=int, default=250)
    parser.add_argument("--lr", type=float, default=0.004)
    options = parser.parse_args()
    keep: Path = options.keep.resolve()
    profile = load_profile("moderation")
    checkpoint = profile.streams[rare_events.STREAM].model.checkpoint
    policy = load_policy("moderation")
    category = policy.categories[0]

    games(keep / "mined", MINED, options.minutes)
    unseen = games(keep / "counted", COUNTED, options.minutes)
    run("moderate", "run", keep / "mined", keep / "verdict.json", "--profile", "moderation")
    run("moderate", "mine", keep / "verdict", "--out", keep / "look", "--quota", 200)
    refuse(keep / "look" / "candidates.csv")
    run("dataset", "import", keep / "look" / "candidates.csv", "--out", keep / "verdicts.csv")
    known = known_clips(keep, options.known)
    run("dataset", "build", known, keep / "verdicts.csv", "--out", keep / "set", "--negative", "safe")
    run(
        *("train", "moderation", "--data", keep / "set", "--from", checkpoint, "--out", keep / "net"),
        *("--iterations", options.iterations, "--lr", options.lr, "--patience", 0),
        *("--export", keep / "tuned.yaml"),
    )
    drawn = sorted(options.streams.glob("windows-1000000-*.npy"))[: round(options.hours * 3)]
    watched, before = rare_events.judged("moderation", drawn)
    _, after = rare_events.judged(str(keep / "tuned.yaml"), drawn)
    plain = replace(category, calibration=None)
    raw = next(each for each in reversed(GRID) if category.probability(each) >= category.alarm)
    recall = outcome(cases(plain, watched, before), raw)
    counted = [analyze(path, profile="moderation") for path in unseen]
    told("before", recall, false_alarms(plain, counted, raw))
    data = cases(plain, watched, after)
    equal = next(each for each in (outcome(data, t) for t in GRID) if each.found >= recall.found)
    counted = [analyze(path, profile=str(keep / "tuned.yaml")) for path in unseen]
    told("after", equal, false_alarms(plain, counted, equal.threshold))
    clean = [cases(plain, watched, each) for each in (before, after)]
    for name, own, at in zip(("before", "after"), clean, (raw, equal.threshold), strict=True):
        each = outcome(own, at)
        print(f"{name}: {each.false_alarms} false alarms in {each.hours:.1f} h of streams")


if __name__ == "__main__":
    main()
