"""A stream of kind moderation: what a profile says of it, alone and beside the three."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from phar.profile import load_labels, load_profile
from phar.profile.resources import RESOURCES
from phar.schema import ProfileError

STREAM: dict[str, Any] = {
    "kind": "moderation",
    "config": "net.py",
    "labels": ["safe", "unsafe"],
    "weight": 1.0,
}


def load(folder: Path, **streams: Any):
    (folder / "net.py").write_text("model = dict()\n")
    path = folder / "own.yaml"
    path.write_text(yaml.safe_dump({"name": "own", "window_s": 2, "streams": streams}))
    return load_profile(str(path))


def test_the_bundled_profile_looks_at_two_seconds_at_a_time() -> None:
    profile = load_profile("moderation")
    assert (
        profile.labels == ("safe", "unsafe") == load_labels(RESOURCES / "annotations/moderation/labels.txt")
    )
    assert (profile.window_s, profile.stride_s) == (2.0, 2.0)
    (stream,) = profile.streams.values()
    assert (stream.name, stream.kind, stream.sampling) == ("moderation", "moderation", "seconds")


def test_it_runs_beside_the_others_under_a_name_of_its_own(tmp_path: Path) -> None:
    rgb = {"config": "net.py", "labels": ["march", "none"], "weight": 0.5}
    profile = load(tmp_path, rgb=rgb, guard={**STREAM, "weight": 0})
    assert list(profile.streams) == ["rgb", "guard"]
    assert profile.streams["guard"].kind == "moderation"
    assert profile.labels == ("march", "none", "safe", "unsafe")


@pytest.mark.parametrize(
    "change, message",
    [
        ({"gate": {"rgb_topk": 2}}, "key 'gate' is unknown"),
        ({"labels": None}, "labels"),
        ({"kind": "morals"}, "no known kind; correct the name, or give it a kind: onnx or moderation"),
    ],
)
def test_what_does_not_fit_is_said_in_one_line(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    entry = {key: value for key, value in {**STREAM, **change}.items() if value is not None}
    with pytest.raises(ProfileError, match=message):
        load(tmp_path, guard=entry)
