"""Int8 copies of a profile's nets, their ranges taken from the rendered world."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phar.pipeline import Analyzer
from phar.profile import Profile, ungated, with_overrides
from phar.synth import load_world, write_clip

#: Inputs per net that ranges are taken from, and how many bytes of them are used at most.
_MAX_INPUTS = 128
_MAX_BYTES = 400 << 20


@dataclass(frozen=True)
class Quantized:
    """One net for one shape of input."""

    shape: tuple[int | str, ...]
    """Sides and dtype of one input."""
    num_inputs: int
    """Inputs that ranges were taken from."""
    difference: float
    """Largest difference of outputs from float32's on some of them, relative to their largest."""


def quantize_profile(
    profile: Profile, num_clips: int, seed: int, progress: Callable[[str], None]
) -> Iterator[Quantized]:
    """Run the profile's nets on rendered clips, and write an int8 copy of each for what it was asked.

    profile: quantized as it is, presets apart. num_clips: short clips of the rendered world. seed: of the
    clips; those below 1000000 are for training. progress: told what comes next.
    Raises ModelError where NNCF is not installed.
    """
    from phar.openmmlab.quantizing import listening, quantize

    exact = with_overrides(ungated(profile), {"precision": "auto"})
    analyzer = Analyzer(exact, device="cpu", backend="openvino")
    world = load_world()
    rng = np.random.default_rng(seed)
    with listening() as heard, tempfile.TemporaryDirectory() as folder:
        for index in range(num_clips):
            progress(f"clip {index + 1} of {num_clips}")
            path = Path(folder) / "clip.mp4"
            write_clip(world.clip(seed, index), path)
            analyzer.analyze(path)
            path.unlink()
            for shapes in heard.values():
                for shape, inputs in shapes.items():
                    shapes[shape][:] = _some(inputs, rng)
    for net, shapes in heard.items():
        for shape, inputs in shapes.items():
            progress("net of " + "x".join(map(str, shape[:-1])))
            num_inputs, difference = quantize(net, shape, inputs)
            yield Quantized(shape, num_inputs, difference)


def _some(inputs: list[NDArray[Any]], rng: np.random.Generator) -> list[NDArray[Any]]:
    limit = max(8, min(_MAX_INPUTS, _MAX_BYTES // inputs[0].nbytes))
    if len(inputs) <= limit:
        return inputs
    return [inputs[i] for i in sorted(rng.choice(len(inputs), limit, replace=False))]
