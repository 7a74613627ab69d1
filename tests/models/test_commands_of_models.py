"""phar models pull, verify and list, against a server on this machine and a metafile of our own."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from flaky_server import Flaky, serving

from phar.cli import main as phar
from phar.models.download import Patience
from phar.profile import load_profile, require_checkpoints
from phar.schema import ModelError

CONTENT = bytes(range(256)) * 800
SHA256 = hashlib.sha256(CONTENT).hexdigest()
OTHER = b"other" * 1000
SHA256_OF_OTHER = hashlib.sha256(OTHER).hexdigest()

ENTRIES = {
    "known": {"checkpoint": "nets/known.pth", "url": "/known.pth", "sha256": SHA256, "licence": "MIT"},
    "begun": {"checkpoint": "nets/begun.pth", "url": "/begun.pth", "sha256_prefix": SHA256[:8]},
    "open": {"checkpoint": "nets/open.pth", "url": "/open.pth", "size_bytes": 204800},
    "inside": {"checkpoint": "demo/inside.safetensors", "sha256": SHA256},
}


@pytest.fixture
def server() -> Iterator[Flaky]:
    with serving(Flaky(CONTENT)) as flaky:
        yield flaky


@pytest.fixture
def folder(server: Flaky, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed phar with four checkpoints, one of them bundled; gives where downloads go."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "PHAR_MIRROR"):
        monkeypatch.delenv(name, raising=False)
    bundled = tmp_path / "phar" / "checkpoints"
    (bundled / "demo").mkdir(parents=True)
    (bundled / "demo" / "inside.safetensors").write_bytes(CONTENT)
    models = {
        name: {**entry, "url": server.url + entry["url"]} if "url" in entry else entry
        for name, entry in ENTRIES.items()
    }
    (bundled / "metafile.yml").write_text(yaml.safe_dump({"models": models}, sort_keys=False))
    monkeypatch.setattr("phar.profile.resources.RESOURCES", tmp_path / "phar")
    monkeypatch.setattr("phar.models.download.PATIENCE", Patience(attempts=2, first_wait_s=0, timeout_s=5))
    downloads = tmp_path / "downloads"
    monkeypatch.setenv("PHAR_CHECKPOINTS", str(downloads))
    return downloads


def profile_of(tmp_path: Path, **checkpoints: str) -> Path:
    """A profile whose RGB stream, and that of its preset, read these checkpoints."""
    (tmp_path / "net.py").write_text("model = dict()\n")
    document = {
        "name": "own",
        "window_s": 7,
        "streams": {
            "rgb": {
                "config": "net.py",
                "checkpoint": checkpoints["rgb"],
                "labels": ["walk", "run"],
                "weight": 1,
            }
        },
        "presets": {"accurate": {"streams": {"rgb": {"checkpoint": checkpoints["accurate"]}}}},
    }
    path = tmp_path / "own.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


def lock(folder: Path) -> list[dict[str, object]]:
    return yaml.safe_load((folder / "checkpoints.lock").read_text())["files"]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def states(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, str]]:
    capsys.readouterr()
    code = phar.main(["models", "verify", "--json", *arguments])
    return code, {each["name"]: each["state"] for each in json.loads(capsys.readouterr().out)}


def test_pull_verify_and_pull_again(server: Flaky, folder: Path, capsys) -> None:
    assert phar.main(["models", "pull", "known"]) == 0
    said = capsys.readouterr()
    assert said.out == f"known: fetched, 0.2 MB, sha256 {SHA256[:8]}, {folder}/nets/known.pth\n"
    assert said.err == ""
    assert (folder / "nets" / "known.pth").read_bytes() == CONTENT
    assert names(folder) == ["checkpoints.lock", "known.pth"]
    (row,) = lock(folder)
    assert row.pop("date")
    assert row == {
        "checkpoint": "nets/known.pth",
        "name": "known",
        "url": f"{server.url}/known.pth",
        "size_bytes": 204800,
        "sha256": SHA256,
    }
    assert states(capsys, "known") == (0, {"known": "ok"})
    assert phar.main(["models", "pull", "known"]) == 0
    assert capsys.readouterr().out.startswith("known: here, 0.2 MB")
    assert len(server.asked) == 1


def test_verify_says_what_is_missing_and_wrong(folder: Path, capsys) -> None:
    expected = {"known": "missing", "begun": "missing", "open": "missing", "inside": "ok"}
    assert states(capsys) == (0, expected)
    assert states(capsys, "known") == (4, {"known": "missing"})
    (folder / "nets").mkdir(parents=True)
    for name in ("known", "begun", "open"):
        (folder / "nets" / f"{name}.pth").write_bytes(OTHER)
    expected = {"known": "wrong hash", "begun": "wrong hash", "open": "unknown", "inside": "ok"}
    assert states(capsys) == (4, expected)
    assert states(capsys, "open") == (0, {"open": "unknown"})
    (folder / "nets" / "begun.pth").write_bytes(CONTENT)
    assert states(capsys, "begun") == (0, {"begun": "ok"})


def test_verify_prints_a_table(folder: Path, capsys) -> None:
    assert phar.main(["models", "verify", "inside"]) == 0
    digits, path = SHA256[:8], folder.parent / "phar" / "checkpoints" / "demo" / "inside.safetensors"
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert rows == [
        ["name", "state", "sha256", "expected", "file"],
        ["inside", "ok", digits, digits, str(path)],
    ]


def test_without_a_known_hash_the_first_download_counts(server: Flaky, folder: Path, capsys) -> None:
    assert phar.main(["models", "pull", "open"]) == 0
    assert lock(folder)[0]["sha256"] == SHA256
    date = lock(folder)[0]["date"]
    # The file here is changed: verify and pull say so.
    (folder / "nets" / "open.pth").write_bytes(OTHER)
    assert states(capsys, "open") == (4, {"open": "wrong hash"})
    assert phar.main(["models", "pull", "open"]) == 4
    assert capsys.readouterr().err == (
        f"phar models: open: {folder}/nets/open.pth has sha256 {SHA256_OF_OTHER}, not {SHA256};"
        " move it away, or use --force\n"
    )
    # The file there is changed: it is refused, until --force takes it.
    (folder / "nets" / "open.pth").unlink()
    server.content = OTHER
    assert phar.main(["models", "pull", "open"]) == 4
    said = capsys.readouterr().err
    assert f"{server.url}/open.pth has sha256 {SHA256_OF_OTHER}, not {SHA256}; nothing was kept" in said
    assert f"{SHA256} was recorded on {date}, --force takes the new file" in said
    assert said.count("\n") == 1
    assert names(folder) == ["checkpoints.lock"]
    assert phar.main(["models", "pull", "open", "--force"]) == 0
    assert lock(folder)[0]["sha256"] == SHA256_OF_OTHER
    assert states(capsys, "open") == (0, {"open": "ok"})


@pytest.mark.parametrize("name", ["known", "begun"])
def test_force_does_not_outdo_the_publishers_hash(server: Flaky, folder: Path, name: str) -> None:
    server.content = OTHER
    assert phar.main(["models", "pull", name, "--force"]) == 4
    assert names(folder) == []


def test_after_a_first_download_all_digits_count(folder: Path, capsys) -> None:
    assert phar.main(["models", "pull", "begun"]) == 0
    (row,) = lock(folder)
    row["sha256"] = SHA256[:8] + "0" * 56
    (folder / "checkpoints.lock").write_text(yaml.safe_dump({"files": [row]}))
    assert states(capsys, "begun") == (4, {"begun": "wrong hash"})


def test_a_file_put_there_by_hand_is_noted(server: Flaky, folder: Path, capsys) -> None:
    (folder / "nets").mkdir(parents=True)
    (folder / "nets" / "open.pth").write_bytes(OTHER)
    assert phar.main(["models", "pull", "open"]) == 0
    assert capsys.readouterr().out.startswith("open: here, ")
    (row,) = lock(folder)
    assert (row["url"], row["sha256"]) == (None, SHA256_OF_OTHER)
    assert server.asked == []


def test_a_bundled_checkpoint_is_not_fetched(server: Flaky, folder: Path, capsys) -> None:
    assert phar.main(["models", "pull", "inside"]) == 0
    assert capsys.readouterr().out.startswith("inside: here, ")
    (folder.parent / "phar" / "checkpoints" / "demo" / "inside.safetensors").unlink()
    assert phar.main(["models", "pull", "inside"]) == 4
    assert "inside comes with phar, but " in capsys.readouterr().err
    assert server.asked == []


def test_no_such_file_ends_with_6_and_says_what_to_do(server: Flaky, folder: Path, capsys) -> None:
    server.acts = ["404"]
    assert phar.main(["models", "pull", "known"]) == 6
    assert capsys.readouterr().err == (
        f"phar models: known cannot be fetched from {server.url}/known.pth (HTTP 404 Not Found);"
        f" fetch it by hand and put it at {folder}/nets/known.pth\n"
    )
    assert names(folder) == []


def test_no_network_ends_with_6(folder: Path, capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    # A port of the machine itself on which nothing listens.
    monkeypatch.setenv("PHAR_MIRROR", "http://127.0.0.1:9")
    assert phar.main(["models", "pull", "open"]) == 6
    said = capsys.readouterr().err
    assert said.startswith("phar models: open cannot be fetched from http://127.0.0.1:9/open.pth (")
    assert said.endswith(f"; fetch it by hand and put it at {folder}/nets/open.pth\n")


def test_an_interrupted_pull_goes_on(server: Flaky, folder: Path, capsys) -> None:
    server.acts = ["cut 65536", "503", "503"]
    assert phar.main(["models", "pull", "known"]) == 6
    assert names(folder) == ["known.pth.part"]
    assert phar.main(["models", "pull", "known"]) == 0
    assert [span for _, span in server.asked] == [None, *["bytes=65536-"] * 3]
    assert (folder / "nets" / "known.pth").read_bytes() == CONTENT


def test_a_mirror_is_used_and_recorded(server: Flaky, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHAR_MIRROR", f"{server.url}/copy")
    assert phar.main(["models", "pull", "known"]) == 0
    assert server.asked == [("/copy/known.pth", None)]
    assert lock(folder)[0]["url"] == f"{server.url}/copy/known.pth"


def test_a_profile_with_its_presets(server: Flaky, folder: Path, tmp_path: Path, capsys) -> None:
    own = profile_of(tmp_path, rgb="checkpoints/nets/known.pth", accurate="checkpoints/nets/begun.pth")
    assert states(capsys, str(own)) == (4, {"known": "missing", "begun": "missing"})
    assert phar.main(["models", "pull", str(own), "--preset", "balanced"]) == 0
    assert [path for path, _ in server.asked] == ["/known.pth"]
    assert phar.main(["models", "pull", str(own)]) == 0
    assert [path for path, _ in server.asked] == ["/known.pth", "/begun.pth"]
    assert states(capsys, str(own)) == (0, {"known": "ok", "begun": "ok"})
    profile = load_profile(str(own))
    assert profile.streams["rgb"].model.checkpoint == folder / "nets" / "known.pth"
    require_checkpoints(profile)
    (folder / "nets" / "known.pth").write_bytes(OTHER)
    with pytest.raises(ModelError, match="has not the hash stated for it"):
        require_checkpoints(profile)


def test_a_checkpoint_nobody_publishes(folder: Path, tmp_path: Path, capsys) -> None:
    own = profile_of(tmp_path, rgb="mine.pth", accurate="mine.pth")
    (tmp_path / "mine.pth").write_bytes(b"x")
    assert states(capsys, str(own)) == (0, {"own: rgb": "unknown"})
    (tmp_path / "mine.pth").unlink()
    assert phar.main(["models", "pull", str(own)]) == 4
    assert "own: rgb: no address is known for " in capsys.readouterr().err


def test_list_says_what_is_here(folder: Path, capsys) -> None:
    assert phar.main(["models", "list"]) == 0
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["name", "profile", "size", "here", "licence"],
        ["known", "nets", "unknown", "no", "MIT"],
        ["begun", "nets", "unknown", "no", "not", "stated"],
        ["open", "nets", "0.2", "MB", "no", "not", "stated"],
        ["inside", "demo", "0.2", "MB", "yes", "not", "stated"],
    ]
    assert phar.main(["models", "list", "--json"]) == 0
    assert [row["here"] for row in json.loads(capsys.readouterr().out)] == [False, False, False, True]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["pull", "nothing"], 2, "'nothing' is neither a model nor a profile; models are known, begun"),
        (["pull"], 2, "see phar models pull --help"),
        (["pull", "known", "--preset", "fast"], 2, "--preset fast needs the profile that defines it"),
        (["info", "nothing"], 2, "model 'nothing' is unknown; use one of known, begun, open, inside"),
        ([], 2, "see phar models --help"),
        (["pull", "./none.yaml"], 4, "profile file ./none.yaml does not exist"),
    ],
)
def test_wrong_arguments(folder: Path, capsys, arguments: list[str], code: int, said: str) -> None:
    assert phar.main(["models", *arguments]) == code
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1


def test_a_lock_file_that_is_none(folder: Path, capsys) -> None:
    folder.mkdir()
    (folder / "checkpoints.lock").write_text("files: {not: [a list")
    assert phar.main(["models", "pull", "open"]) == 4
    assert "checkpoints.lock is not YAML" in capsys.readouterr().err
    (folder / "checkpoints.lock").write_text("- something else\n")
    assert phar.main(["models", "pull", "open"]) == 5
    assert "checkpoints.lock is not readable" in capsys.readouterr().err
