"""List the spoken digits of the Free Spoken Digit Dataset as clips for `phar dataset audio`.

    python benchmarks/spoken_digits.py RECORDINGS digits.csv
    python benchmarks/spoken_digits.py RECORDINGS theo.csv --held-out theo

Recordings are named {digit}_{speaker}_{number}.wav. The official split tests on the numbers 0 to 4; of the
rest, 5 to 9 validate. With --held-out one speaker is the test, and another one validates.
Source: https://github.com/Jakobovski/free-spoken-digit-dataset
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def split_of(speaker: str, number: int, held_out: str | None, speakers: list[str]) -> str:
    """Return train, val or test for one recording."""
    if held_out is None:
        return "test" if number < 5 else "val" if number < 10 else "train"
    validating = speakers[(speakers.index(held_out) + 1) % len(speakers)]
    return {held_out: "test", validating: "val"}.get(speaker, "train")


def main() -> None:
    """Write the list."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("recordings", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--held-out", metavar="SPEAKER")
    args = parser.parse_args()
    files = sorted(args.recordings.resolve().glob("*.wav"))
    named = [(path, *path.stem.split("_")) for path in files]
    speakers = sorted({speaker for _, _, speaker, _ in named})
    if args.held_out is not None and args.held_out not in speakers:
        raise SystemExit(f"--held-out {args.held_out!r} is no speaker; use one of {', '.join(speakers)}")
    with args.out.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["file", "label", "split", "group"])
        for path, digit, speaker, number in named:
            split = split_of(speaker, int(number), args.held_out, speakers)
            writer.writerow([path, NAMES[int(digit)], split, speaker])
    print(f"{args.out}: {len(named)} recordings of {len(speakers)} speakers")


if __name__ == "__main__":
    main()
