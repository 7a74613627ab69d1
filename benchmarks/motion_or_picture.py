"""What motion is worth: the bundled moderation net against the same layers that see one picture of each clip.

    phar train moderation-still
    python benchmarks/motion_or_picture.py --still work_dirs/moderation-still [--clips 2000] [--keep DIR]

Both look at the same short clips of the rendered world that neither was trained on: half unsafe, the others
its twin, other motions and pictures that show nothing. Prints a table in Markdown.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from phar.openmmlab import Recognizer
from phar.openmmlab.training.export import best_checkpoint
from phar.profile import RESOURCES, load_profile
from phar.synth import load_world
from phar.training.safety import GROUPS, DrawnSamples, SafetySamples, draw_clips

#: Share of the safe clips of a group that a threshold lets through.
FALSE_ALARMS = 0.01


def scores(config: Path, checkpoint: Path, folder: Path, size: int) -> NDArray[np.float64]:
    """Return the log odds that each clip is unsafe, (size,)."""
    net = Recognizer.load(config, checkpoint, 2, sampling="seconds")
    samples = DrawnSamples(folder, size, 0, clip_len=net.clip.sampler.clip_len, varied=False)
    probs = [
        net.predict([samples[i].frames for i in range(at, min(size, at + 32))]) for at in range(0, size, 32)
    ]
    unsafe = np.concatenate(probs)[:, 1].astype(float).clip(1e-7, 1 - 1e-7)
    return np.log(unsafe / (1 - unsafe))


def row(name: str, found: NDArray[np.float64], groups: NDArray[np.int64]) -> str:
    """Return one line of the table: accuracy, then AUC and recall against each group."""
    from scipy.stats import rankdata

    positive = found[groups == 0]
    cells = [f"{np.mean((found > 0) == (groups == 0)):.1%}"]
    for number in range(1, len(GROUPS)):
        negative = found[groups == number]
        ranks = rankdata(np.r_[positive, negative])[: len(positive)]
        auc = (ranks.sum() - len(positive) * (len(positive) + 1) / 2) / len(positive) / len(negative)
        threshold = np.quantile(negative, 1 - FALSE_ALARMS)
        cells.append(f"{auc:.4f}, {np.mean(positive > threshold):.1%}")
    return f"| {name} | {' | '.join(cells)} |"


def main() -> None:
    """Draw, score, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--still", type=Path, required=True, help="training folder of moderation-still")
    parser.add_argument("--clips", type=int, default=2000)
    parser.add_argument("--split", default="test")
    parser.add_argument("--keep", type=Path, help="folder for the drawn clips")
    options = parser.parse_args()
    spec = load_profile("moderation").streams["moderation"]
    assert spec.model.checkpoint is not None
    nets = {
        "16 pictures over 2 s": (spec.model.config, spec.model.checkpoint),
        "one picture": (RESOURCES / "configs/moderation/i3d_demo_still.py", best_checkpoint(options.still)),
    }
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        draw_clips(SafetySamples(load_world(), options.split, 0, options.clips), folder, num_workers=2)
        groups = np.load(folder / "facts.npy")[:, 2]
        counts = ", ".join(f"{(groups == i).sum()} {name}" for i, name in enumerate(GROUPS))
        print(f"{counts}; each cell: AUC, recall at {FALSE_ALARMS:.0%} false alarms\n")
        print(f"| the net sees | accuracy | {' | '.join(f'against {name}' for name in GROUPS[1:])} |")
        print("|---|---|---|---|---|")
        for name, (config, checkpoint) in nets.items():
            print(row(name, scores(config, checkpoint, folder, options.clips), groups))


if __name__ == "__main__":
    main()
