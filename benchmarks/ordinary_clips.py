"""Count the windows of ordinary videos, which show none of a profile's actions, that come out as `none`.

    python benchmarks/ordinary_clips.py DIR [--profile demo]

Every video in DIR that can be read is analysed as `phar-demo` does it. Prints the share, and which label the
other windows got from which streams.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

from phar.batch.sources import find_videos
from phar.pipeline import Analyzer
from phar.profile import load_profile
from phar.schema import NONE, MediaError
from phar.timeline import window_labels


def main() -> None:
    """Analyse, count, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--profile", default="demo")
    options = parser.parse_args()
    analyzer = Analyzer(load_profile(options.profile))
    labels: Counter[str] = Counter()
    streams: Counter[tuple[str, str]] = Counter()
    for found in find_videos([str(options.folder)], []):
        try:
            report = analyzer.analyze(found.path)
        except MediaError as error:
            print(error)
            continue
        named = window_labels(report.predictions, report.labels, analyzer.profile.segments)
        labels.update(named)
        for prediction, label in zip(report.predictions, named, strict=True):
            if label != NONE:
                streams[label, "+".join(sorted(prediction.weights))] += 1
    total = labels.total()
    print(f"{labels[NONE]} of {total} windows are {NONE}: {labels[NONE] / total:.1%}")
    for (label, who), count in streams.most_common():
        print(f"{label}\tby {who}\t{count}")


if __name__ == "__main__":
    main()
