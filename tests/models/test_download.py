"""One file over HTTP from a server that cuts, refuses, ignores and lies."""

from __future__ import annotations

import hashlib
import io
import os
import socket
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import lock_descriptor
from flaky_server import Flaky, serving

from phar.models.download import Patience, download, mirrored
from phar.schema import ModelError, NetworkError, OutputError, UsageError

CONTENT = bytes(range(256)) * 1200
SHA256 = hashlib.sha256(CONTENT).hexdigest()
AT_ONCE = Patience(attempts=3, first_wait_s=0.0, timeout_s=5.0)


class Silent:
    """Notes what a download tells."""

    def __init__(self) -> None:
        self.done: list[tuple[int, int | None]] = []
        self.waited: list[tuple[str, float]] = []

    def arrived(self, done_bytes: int, total_bytes: int | None) -> None:
        self.done.append((done_bytes, total_bytes))

    def waits(self, reason: str, wait_s: float) -> None:
        self.waited.append((reason, wait_s))


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "phar_mirror"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def server() -> Iterator[Flaky]:
    with serving(Flaky(CONTENT)) as flaky:
        yield flaky


def fetch(server: Flaky, target: Path, sha256: str | None = SHA256, progress: Silent | None = None) -> str:
    return download(f"{server.url}/net.pth", target, sha256, progress or Silent(), AT_ONCE)


def ranges(server: Flaky) -> list[str | None]:
    return [span for _, span in server.asked]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_a_file_arrives_whole(server: Flaky, tmp_path: Path) -> None:
    target, progress = tmp_path / "new" / "net.pth", Silent()
    assert fetch(server, target, progress=progress) == SHA256
    assert target.read_bytes() == CONTENT
    assert names(tmp_path) == ["net.pth"]
    assert progress.done[0] == (0, 307200)
    assert progress.done[-1] == (307200, 307200)
    assert ranges(server) == [None]


def test_the_first_digits_of_a_hash_are_enough(server: Flaky, tmp_path: Path) -> None:
    assert fetch(server, tmp_path / "net.pth", SHA256[:8]) == SHA256


@pytest.mark.parametrize("sha256", [SHA256, None])
def test_a_cut_connection_is_taken_up_where_it_broke(
    server: Flaky, tmp_path: Path, sha256: str | None
) -> None:
    server.acts = ["cut 131072", "cut 65536"]
    progress = Silent()
    assert fetch(server, tmp_path / "net.pth", sha256, progress) == SHA256
    assert (tmp_path / "net.pth").read_bytes() == CONTENT
    assert ranges(server) == [None, "bytes=131072-", "bytes=196608-"]
    assert len(progress.waited) == 2


def test_progress_gives_a_bad_line_new_patience(server: Flaky, tmp_path: Path) -> None:
    server.acts = ["cut 65536", "503", "503", "cut 65536", "503", "503"]
    assert fetch(server, tmp_path / "net.pth") == SHA256
    assert ranges(server) == [None, *["bytes=65536-"] * 3, *["bytes=131072-"] * 3]


def test_what_an_earlier_run_left_is_continued(server: Flaky, tmp_path: Path) -> None:
    (tmp_path / "net.pth.part").write_bytes(CONTENT[:1000])
    assert fetch(server, tmp_path / "net.pth") == SHA256
    assert (tmp_path / "net.pth").read_bytes() == CONTENT
    assert ranges(server) == ["bytes=1000-"]
    assert names(tmp_path) == ["net.pth"]


def test_a_part_that_is_complete_is_not_fetched_again(server: Flaky, tmp_path: Path) -> None:
    (tmp_path / "net.pth.part").write_bytes(CONTENT)
    assert fetch(server, tmp_path / "net.pth") == SHA256
    assert (tmp_path / "net.pth").read_bytes() == CONTENT
    assert ranges(server) == ["bytes=307200-"]


@pytest.mark.parametrize("left", [b"x" * 1000, b"x" * 307200, b"x" * 307201])
def test_a_part_of_another_file_is_dropped_and_all_fetched(
    server: Flaky, tmp_path: Path, left: bytes
) -> None:
    (tmp_path / "net.pth.part").write_bytes(left)
    assert fetch(server, tmp_path / "net.pth") == SHA256
    assert (tmp_path / "net.pth").read_bytes() == CONTENT
    assert ranges(server) == [f"bytes={len(left)}-", None]


def test_without_a_hash_only_a_part_of_the_same_day_is_continued(server: Flaky, tmp_path: Path) -> None:
    part = tmp_path / "net.pth.part"
    part.write_bytes(CONTENT[:1000])
    # Seconds of "Wed, 21 Oct 2015 07:28:00 GMT".
    os.utime(part, (1445412480, 1445412480))
    fetch(server, tmp_path / "net.pth", None)
    part.write_bytes(CONTENT[:1000])
    fetch(server, tmp_path / "net.pth", None)
    assert ranges(server) == ["bytes=1000-", "bytes=1000-", None]


def test_a_server_that_ignores_ranges_sends_all(server: Flaky, tmp_path: Path) -> None:
    (tmp_path / "net.pth.part").write_bytes(CONTENT[:1000])
    server.acts = ["whole"]
    assert fetch(server, tmp_path / "net.pth") == SHA256
    assert (tmp_path / "net.pth").read_bytes() == CONTENT


def test_a_server_that_ignores_ranges_and_always_cuts_is_given_up(server: Flaky, tmp_path: Path) -> None:
    server.acts = ["cut 65536", *["whole 65536"] * 9]
    with pytest.raises(NetworkError, match=r"^the connection ended after 65536 bytes$"):
        fetch(server, tmp_path / "net.pth")
    assert len(server.asked) == 4
    assert names(tmp_path) == ["net.pth.part"]


@pytest.mark.parametrize("status", ["500", "502", "503", "504", "429", "408"])
def test_a_busy_server_is_asked_again(server: Flaky, tmp_path: Path, status: str) -> None:
    server.acts = [status]
    assert fetch(server, tmp_path / "net.pth") == SHA256
    assert ranges(server) == [None, None]


def test_pauses_double_up_to_a_bound(server: Flaky, tmp_path: Path) -> None:
    server.acts = ["503"] * 4
    progress = Silent()
    patience = Patience(attempts=5, first_wait_s=0.01, longest_wait_s=0.03, timeout_s=5)
    download(f"{server.url}/net.pth", tmp_path / "net.pth", SHA256, progress, patience)
    assert [wait_s for _, wait_s in progress.waited] == [0.01, 0.02, 0.03, 0.03]
    assert progress.waited[0][0] == "HTTP 503 Service Unavailable"


@pytest.mark.parametrize("status", ["404", "403", "401", "410"])
def test_a_file_that_is_not_there_is_not_asked_for_again(server: Flaky, tmp_path: Path, status: str) -> None:
    server.acts = [status] * 9
    with pytest.raises(NetworkError, match=f"^HTTP {status} "):
        fetch(server, tmp_path / "net.pth")
    assert len(server.asked) == 1
    assert names(tmp_path) == []


def test_wrong_bytes_are_refused_and_not_kept(server: Flaky, tmp_path: Path) -> None:
    server.content = b"x" + CONTENT[1:]
    with pytest.raises(ModelError, match=rf"has sha256 [0-9a-f]{{64}}, not {SHA256}; nothing was kept"):
        fetch(server, tmp_path / "net.pth")
    assert names(tmp_path) == []
    assert len(server.asked) == 1


def test_a_wrong_file_leaves_the_one_that_is_here(server: Flaky, tmp_path: Path) -> None:
    target = tmp_path / "net.pth"
    target.write_bytes(b"before")
    server.content = b"wrong"
    with pytest.raises(ModelError):
        fetch(server, target)
    assert target.read_bytes() == b"before"


def test_a_web_page_is_no_checkpoint(server: Flaky, tmp_path: Path) -> None:
    server.acts = ["page"]
    with pytest.raises(ModelError, match="gave a web page or half a file"):
        fetch(server, tmp_path / "net.pth", None)
    assert names(tmp_path) == []


def test_half_an_archive_is_no_checkpoint(server: Flaky, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("data.pkl", CONTENT)
    server.content = buffer.getvalue()
    # A server that does not tell the length: the cut looks like the end.
    server.acts = ["silent 100000"]
    with pytest.raises(ModelError, match="half a file"):
        fetch(server, tmp_path / "net.pth", None)
    fetch(server, tmp_path / "net.pth", None)
    assert (tmp_path / "net.pth").read_bytes() == server.content


def test_nobody_listens(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/net.pth"
    with pytest.raises(NetworkError, match=r"Connection refused") as caught:
        download(url, tmp_path / "net.pth", None, Silent(), AT_ONCE)
    assert "0x" not in str(caught.value)
    assert names(tmp_path) == []


def test_an_interrupt_leaves_only_a_part(server: Flaky, tmp_path: Path) -> None:
    class Impatient(Silent):
        def arrived(self, done_bytes: int, total_bytes: int | None) -> None:
            if done_bytes >= 65536:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(server, tmp_path / "net.pth", None, Impatient())
    assert names(tmp_path) == ["net.pth.part"]
    assert (tmp_path / "net.pth.part").read_bytes() == CONTENT[:65536]
    assert fetch(server, tmp_path / "net.pth", None) == SHA256
    assert ranges(server) == [None, "bytes=65536-"]


def test_two_downloads_of_one_file_do_not_meet(server: Flaky, tmp_path: Path) -> None:
    with (tmp_path / "net.pth.part").open("ab") as other:
        lock_descriptor(other.fileno())
        with pytest.raises(OutputError, match="is being written by another pull"):
            fetch(server, tmp_path / "net.pth")
    assert fetch(server, tmp_path / "net.pth") == SHA256


def test_a_folder_that_cannot_be(server: Flaky, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        fetch(server, tmp_path / "file" / "net.pth")


def test_proxies_of_the_environment_are_used(
    server: Flaky, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", server.url)
    download("http://models.invalid/a/net.pth", tmp_path / "net.pth", SHA256, Silent(), AT_ONCE)
    assert server.asked == [("http://models.invalid/a/net.pth", None)]


@pytest.mark.parametrize(
    ("mirror", "expected"),
    [
        (None, "https://host.example/a/b.pth?c=1"),
        ("http://mirror.example:8080", "http://mirror.example:8080/a/b.pth?c=1"),
        ("https://mirror.example/copy/", "https://mirror.example/copy/a/b.pth?c=1"),
    ],
)
def test_a_mirror_replaces_the_host(
    mirror: str | None, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if mirror is not None:
        monkeypatch.setenv("PHAR_MIRROR", mirror)
    assert mirrored("https://host.example/a/b.pth?c=1") == expected


@pytest.mark.parametrize("mirror", ["mirror.example", "ftp://mirror.example", "https://"])
def test_a_mirror_that_is_no_address(mirror: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHAR_MIRROR", mirror)
    with pytest.raises(UsageError, match="give it as https://host"):
        mirrored("https://host.example/a.pth")
