"""What makes stored scores, or stored segments, count no longer."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from phar.profile import load_profile, with_overrides
from phar.profile.fingerprint import analysis_fingerprint, config_digest, settings_fingerprint


def fingerprints(path: Path, overrides: Mapping[str, Any] | None = None) -> tuple[str, str]:
    profile = with_overrides(load_profile(path), overrides or {})
    return analysis_fingerprint(profile), settings_fingerprint(profile, (), 5, None)


@pytest.mark.parametrize(
    "overrides",
    [
        {"fusion": {"threshold": 0.5}},
        {"fusion": {"rule": "within_vocabulary"}},
        {"streams": {"rgb": {"weight": 0.9}}},
        {"streams": {"rgb": {"temperature": 2.0}}},
        {"streams": {"rgb": {"label_weights": {"ring": 0.2}}}},
        {"fusion": {"rule": "stacked"}, "streams": {"rgb": {"bias": {"ring": 0.2}}}},
        {"segments": {"max_gap_s": 3}},
        {"segments": {"label_thresholds": {"ring": 0.9}}},
        {"labels": ["none", "ring", "wave", "march"]},
    ],
)
def test_what_acts_on_scores_needs_no_models(small_profile: Path, overrides: dict[str, Any]) -> None:
    analysis, settings = fingerprints(small_profile)
    changed = fingerprints(small_profile, overrides)
    assert changed[0] == analysis
    assert changed[1] != settings


@pytest.mark.parametrize(
    "overrides",
    [
        {"window_s": 5},
        {"stride_s": 3},
        {"sampling": "seconds"},
        {"streams": {"audio": None}},
        {"streams": {"skeleton": {"gate": {"rgb_topk": 2}}}},
        {"streams": {"audio": {"gate": {"loudness": {"rule": "fixed", "lufs": -30}}}}},
        {"streams": {"audio": {"labels": ["wave"]}}},
        {"persons": {"det_score_thr": 0.5}},
    ],
)
def test_what_acts_on_the_streams_needs_them(small_profile: Path, overrides: dict[str, Any]) -> None:
    assert fingerprints(small_profile, overrides)[0] != fingerprints(small_profile)[0]


def test_outputs_are_settings(small_profile: Path) -> None:
    profile = load_profile(small_profile)
    each = [
        settings_fingerprint(profile, formats, topk, preset)
        for formats, topk, preset in (((), 5, None), (("mp4",), 5, None), ((), 3, None), ((), 5, "fast"))
    ]
    assert len(set(each)) == 4
    assert settings_fingerprint(profile, ("a", "b"), 5, None) == settings_fingerprint(
        profile, ("b", "a"), 5, None
    )


def test_the_content_of_configs_and_checkpoints_counts_and_not_their_names(small_profile: Path) -> None:
    before = fingerprints(small_profile)
    document = yaml.safe_load(small_profile.read_text())
    document["streams"]["rgb"]["checkpoint"] = str(small_profile.with_name("rgb.pth"))
    small_profile.write_text(yaml.safe_dump(document))
    small_profile.with_name("rgb.pth").write_bytes(b"one")
    one = fingerprints(small_profile)
    small_profile.with_name("rgb.pth").write_bytes(b"two")
    two = fingerprints(small_profile)
    small_profile.with_name("net.py").write_text("model = dict(a=1)\n")
    three = fingerprints(small_profile)
    assert len({before[0], one[0], two[0], three[0]}) == 4
    assert before[1] == one[1] == two[1] == three[1]


def test_bases_of_a_config_belong_to_it(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "base.py").write_text("a = 1\n")
    (tmp_path / "sub" / "new.py").write_text(
        "from mmengine import read_base\nwith read_base():\n    from ..base import *\n"
    )
    (tmp_path / "sub" / "old.py").write_text("_base_ = ['../base.py', './new.py']\n")
    before = [config_digest(tmp_path / "sub" / name) for name in ("new.py", "old.py")]
    (tmp_path / "base.py").write_text("a = 2\n")
    after = [config_digest(tmp_path / "sub" / name) for name in ("new.py", "old.py")]
    assert len({*before, *after}) == 4
