"""Count the windows of ordinary videos, which show none of a profile's actions, that come out as `none`.

    python benchmarks/ordinary_clips.py DIR [--profile demo]

Every video in DIR that can be read is analysed as `phar-demo` does it. Prints the share, and which label the
other windows got from which streams.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

import phar
from phar.profile import load_profile
from phar.schema import NONE, MediaError

SUFFIXES = {".avi", ".mkv", ".mov", ".mp4", ".webm"}


def main() -> None:
    """Analyse, count, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--profile", default="demo")
    options = parser.parse_args()
    threshold = load_profile(options.profile).threshold
    labels: Counter[str] = Counter()
    streams: Counter[tuple[str, str]] = Counter()
    for path in sorted(each for each in options.folder.rglob("*") if each.suffix.lower() in SUFFIXES):
        try:
            report = phar.analyze(path, profile=options.profile)
        except MediaError as error:
            print(f"{path.name}: {error}")
            continue
        for prediction in report.predictions:
            best = int(prediction.probs.argmax())
            label = report.labels[best] if prediction.probs[best] >= threshold else NONE
            labels[label] += 1
            if label != NONE:
                streams[label, "+".join(sorted(prediction.weights))] += 1
    total = labels.total()
    print(f"{labels[NONE]} of {total} windows are {NONE}: {labels[NONE] / total:.1%}")
    for (label, who), count in streams.most_common():
        print(f"{label}\tby {who}\t{count}")


if __name__ == "__main__":
    main()
