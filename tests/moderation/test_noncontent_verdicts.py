"""Pictures that show nothing bother nobody, and what bothers is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from phar.cli.main import main
from phar.moderation.noncontent import peaks
from phar.moderation.policy import load_policy
from phar.pipeline import Analyzer
from phar.profile import load_profile
from phar.synth.noncontent import KINDS, SIZES, NonContent


@pytest.mark.parametrize("name", [pytest.param("demo", marks=pytest.mark.slow), "moderation"])
def test_the_bundled_models_call_nothing_something(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every kind in one size; `phar moderate noncontent` looks at all."""

    def one_of_each(seed: int, duration_s: float) -> list[NonContent]:
        return [NonContent(kind, seed, *SIZES[0], duration_s / 2) for kind in KINDS]

    monkeypatch.setattr("phar.moderation.noncontent.non_content", one_of_each)
    found = list(peaks(Analyzer(load_profile(name)), load_policy(name), 0, tmp_path))
    assert {each.video.kind for each in found} == set(KINDS)
    assert [(each.video.kind, each.category, each.probability) for each in found if not each.passes] == []


def test_the_command_prints_each_kind_and_fails_where_one_bothers(
    fake_streams: Callable[..., None],
    small_profile: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys,
) -> None:
    monkeypatch.setattr(
        "phar.moderation.noncontent.non_content",
        lambda seed, duration_s: [NonContent(kind, seed, 64, 48, 8.0) for kind in ("black", "bars")],
    )
    # The second window of every video is called a ring by 0.4.
    fake_streams(
        rgb=lambda start_s: [0.0, 0.0, 0.1 if start_s == 0 else 0.4, 0.6],
        skeleton=lambda _: "no person",
        audio=lambda _: "too quiet",
    )
    policy = tmp_path / "house.yaml"
    flags = ["--profile", str(small_profile), "--policy", str(policy), "--keep", str(tmp_path / "kept")]
    for threshold, code in ((0.5, 0), (0.3, 7)):
        ring = {"labels": ["ring"], "actions": {"review": threshold}}
        policy.write_text(yaml.safe_dump({"policy": "house", "version": 1, "categories": {"noise": ring}}))
        assert main(["moderate", "noncontent", *flags]) == code
    said = capsys.readouterr().out.splitlines()
    assert said[3] == "2 of 2 stay below the lowest threshold"
    assert [line.split() for line in said[5:7]] == [["black", "0.4000", "!"], ["bars", "0.4000", "!"]]
    assert said[7] == "0 of 2 stay below the lowest threshold"
    assert {path.name for path in (tmp_path / "kept").iterdir()} == {
        "black-64x48-0-8s.mp4",
        "bars-64x48-0-8s.mp4",
    }
