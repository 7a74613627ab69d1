"""Scenes of games: drawn from seeds, and moving."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from phar.media import probe
from phar.synth import load_safety
from phar.synth.games import FPS, SIZES, Game


def test_a_game_follows_from_its_seed() -> None:
    game = Game(4, 10.0)
    picture = game.picture(2.5)
    assert picture.shape == (*SIZES[4 % 3][::-1], 3)
    assert np.array_equal(picture, Game(4, 10.0).picture(2.5))
    assert not np.array_equal(picture, game.picture(2.7))
    assert not np.array_equal(picture, Game(7, 10.0).picture(2.5))


def test_figures_step_about_as_fast_as_the_motion_they_are_taken_for() -> None:
    low, high = load_safety().world.spec["actions"]["jog"]["tempo_hz"]
    steps = [figure.steps_hz for seed in range(40) for figure in Game(seed, 10.0)._scene[0]]
    assert low - 0.3 < min(steps) < low
    assert high < max(steps) < high + 0.3


def test_a_game_is_written_with_its_length(tmp_path: Path) -> None:
    Game(0, 1.0).write(tmp_path / "game.mp4")
    found = probe(tmp_path / "game.mp4")
    assert (found.width_px, found.height_px) == SIZES[0]
    assert found.fps == FPS
