"""Live sources: ffmpeg pushes to a listener, servers stall and come back, files grow while they are read."""

from __future__ import annotations

import functools
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from transport_stream import FFMPEG, encoded

from phar.media import at_rate, write_video
from phar.moderation.live.events import Events
from phar.moderation.live.session import LiveOptions, Session
from phar.moderation.live.sources import LiveSource
from phar.moderation.policy import Policy, parse_policy
from phar.pipeline import Analyzer
from phar.profile import load_profile
from phar.schema import UsageError


@pytest.fixture(scope="session")
def pieces(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pieces")
    return {
        "small": encoded(folder / "small.ts", 6),
        "large": encoded(folder / "large.ts", 6, "96x54", sound=False, offset_s=6),
    }


@pytest.fixture
def policy() -> Policy:
    ring = {"labels": ["ring"], "stream": "rgb", "actions": {"review": 0.5, "block": 0.9}}
    document = {"policy": "house", "version": 1, "categories": {"noise": ring}}
    return parse_policy(yaml.safe_dump(document).encode(), Path("house.yaml"))


@pytest.fixture
def analyzer(fake_streams: Callable[..., None], small_profile: Path) -> Analyzer:
    """Windows of 2 s; ring is heard from 4 to 8 s, certain from 6 s on."""
    small_profile.write_text(small_profile.read_text().replace("window_s: 7", "window_s: 2"))

    def rgb(start_s: float) -> list[float]:
        ring = {4.0: 0.6, 6.0: 0.95}.get(round(start_s), 0.1)
        return [0.0, 0.0, ring, 1 - ring]

    fake_streams(rgb=rgb, skeleton=lambda _: "no person", audio=lambda _: "too quiet")
    return Analyzer(load_profile(str(small_profile)))


class Watch:
    """A session in a thread, and what it told."""

    def __init__(
        self, analyzer: Analyzer, policy: Policy, sources: list[LiveSource], **options: float
    ) -> None:
        self.told: list[dict[str, Any]] = []
        self._changed = threading.Condition()
        self.session = Session(analyzer, policy, sources, Events(self._hear), LiveOptions(**options))
        self.thread = threading.Thread(target=self.session.run, daemon=True)

    def _hear(self, event: Any) -> None:
        with self._changed:
            self.told.append(dict(event))
            self._changed.notify_all()

    def of(self, kind: str, **values: Any) -> list[dict[str, Any]]:
        with self._changed:
            return [each for each in self.told if each["type"] == kind and values.items() <= each.items()]

    def wait_for(self, kind: str, number: int = 1, **values: Any) -> list[dict[str, Any]]:
        with self._changed:
            self._changed.wait_for(lambda: len(self.of(kind, **values)) >= number, timeout=90)
        found = self.of(kind, **values)
        assert len(found) >= number, self.told
        return found

    def wait_for_windows(self, number: int) -> list[dict[str, Any]]:
        """Wait until so many were judged or gave way to newer ones; the last come after the loss is told."""
        with self._changed:
            self._changed.wait_for(
                lambda: sum(1 + each["skipped_windows"] for each in self.of("window")) >= number, timeout=90
            )
        return self.of("window")

    @property
    def states(self) -> list[str]:
        return [each["state"] for each in self.of("source")]

    def __enter__(self) -> Watch:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.session.stop()
        self.thread.join(60)
        assert not self.thread.is_alive()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def push(address: str, piece: Path, form: str) -> None:
    """Push in real time as an encoder does, trying until somebody listens."""
    command = [FFMPEG, "-v", "error", "-re", "-i", str(piece), "-c", "copy", "-f", form, address]
    for _ in range(100):
        if subprocess.run(command, capture_output=True, check=False).returncode == 0:
            return
        time.sleep(0.1)
    raise AssertionError(f"nobody listens at {address}")


def whole(name: str, address: str, listen: bool = False) -> LiveSource:
    return LiveSource(name, address, 0.0, listen)


def test_a_file_that_grows_changes_size_and_loses_its_sound(
    analyzer: Analyzer, policy: Policy, pieces: dict[str, Path], tmp_path: Path
) -> None:
    path = tmp_path / "record.ts"
    data = pieces["small"].read_bytes() + pieces["large"].read_bytes()
    path.write_bytes(data[:1000])

    def grow() -> None:
        with path.open("ab", buffering=0) as file:
            for at in range(1000, len(data), 20_000):
                file.write(data[at : at + 20_000])
                time.sleep(0.02)

    writer = threading.Thread(target=grow)
    writer.start()
    with Watch(analyzer, policy, [whole("cam", str(path))], idle_s=3) as watch:
        watch.wait_for("source", state="ended")
        watch.thread.join(60)
    writer.join()
    windows = watch.of("window")
    # Every window once, whatever happened in between, and the file was opened once.
    assert sum(1 + each["skipped_windows"] for each in windows) == 6
    assert [each["start_s"] for each in windows][-1] == pytest.approx(10, abs=0.1)
    assert len({each["start_s"] for each in windows}) == len(windows)
    assert watch.states == ["connected", "ended"]


def test_a_file_that_was_there_before_is_read_from_its_beginning_and_nothing_is_skipped(
    analyzer: Analyzer, policy: Policy, pieces: dict[str, Path], tmp_path: Path
) -> None:
    path = tmp_path / "record.ts"
    path.write_bytes(pieces["small"].read_bytes() + pieces["large"].read_bytes())
    with Watch(analyzer, policy, [whole("cam", str(path))], idle_s=1) as watch:
        watch.wait_for("source", state="ended")
        watch.thread.join(60)
    windows = watch.of("window")
    assert [round(each["start_s"]) for each in windows] == [0, 2, 4, 6, 8, 10]
    assert [each["action"] for each in windows] == ["safe", "safe", "review", "block", "safe", "safe"]
    spans = [
        (each["state"], each["action"], round(each["start_s"]), round(each["end_s"]))
        for each in watch.of("span")
    ]
    assert spans == [("opened", "review", 4, 6), ("raised", "block", 4, 8), ("closed", "block", 4, 8)]
    order = [f"{each['type']} {each.get('state', '')}" for each in watch.told if each["type"] != "window"]
    assert order[-2:] == ["span closed", "source ended"]
    assert len({each["span"] for each in watch.of("span")}) == 1
    assert len({each["id"] for each in watch.told}) == len(watch.told)
    (session,) = watch.of("session")
    assert session["policy"]["sha256"] == policy.sha256
    assert session["profile"]["name"] == "small"


@pytest.mark.parametrize(
    "address, form", [("rtmp://127.0.0.1:{port}/live/key", "flv"), ("srt://127.0.0.1:{port}", "mpegts")]
)
def test_encoders_push_to_a_listener_and_come_back_with_another_picture(
    address: str, form: str, analyzer: Analyzer, policy: Policy, pieces: dict[str, Path]
) -> None:
    address = address.format(port=free_port())
    with Watch(analyzer, policy, [whole("studio", address, listen=True)]) as watch:
        push(address, pieces["small"], form)
        watch.wait_for("source", state="lost")
        first = watch.wait_for_windows(3)
        push(address, pieces["large"], form)
        watch.wait_for("source", number=2, state="lost")
        watch.wait_for_windows(6)
    one, two = watch.of("source", state="connected")
    assert (one["width_px"], one["height_px"], one["has_audio"]) == (64, 48, True)
    assert (two["width_px"], two["height_px"], two["has_audio"]) == (96, 54, False)
    windows = watch.of("window")
    assert sum(1 + each["skipped_windows"] for each in first) >= 3
    assert sum(1 + each["skipped_windows"] for each in windows) >= 6
    # The second time goes on after the first, and nothing comes twice.
    starts = [each["start_s"] for each in windows]
    assert starts == sorted(set(starts))
    assert len(windows) > len(first)
    assert windows[len(first)]["start_s"] >= first[-1]["end_s"]
    assert all(each["delay_s"] >= 0 and each["received"] for each in windows)


class Server(threading.Thread):
    """Sends a piece to everybody who calls and then says nothing more, until it is told to hang up."""

    def __init__(self, piece: Path) -> None:
        super().__init__(daemon=True)
        self._data = piece.read_bytes()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.calls = 0
        self._kept: list[socket.socket] = []

    def run(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.calls += 1
            self._kept.append(connection)
            connection.sendall(self._data)

    def close(self) -> None:
        self._socket.close()
        for connection in self._kept:
            connection.close()


@pytest.fixture
def server(pieces: dict[str, Path]) -> Iterator[Server]:
    server = Server(pieces["small"])
    server.start()
    yield server
    server.close()


def test_a_source_that_falls_silent_is_called_again(
    analyzer: Analyzer, policy: Policy, server: Server
) -> None:
    source = whole("relay", f"tcp://127.0.0.1:{server.port}")
    with Watch(analyzer, policy, [source], stall_s=1.5) as watch:
        watch.wait_for("source", number=2, state="connected")
    assert watch.states[:4] == ["connected", "stalled", "lost", "connected"]
    assert server.calls >= 2
    (lost, *_) = watch.of("source", state="lost")
    assert 0.8 <= lost["again_in_s"] <= 1.2


def test_a_source_that_is_not_there_is_tried_ever_more_seldom(
    analyzer: Analyzer, policy: Policy, pieces
) -> None:
    there = Server(pieces["small"])
    there.start()
    sources = [
        whole("gone", f"tcp://127.0.0.1:{free_port()}"),
        whole("there", f"tcp://127.0.0.1:{there.port}"),
    ]
    with Watch(analyzer, policy, sources) as watch:
        lost = watch.wait_for("source", number=3, source="gone", state="lost")
        watch.wait_for("window", source="there")
    there.close()
    for pause_s, each in zip((1, 2, 4), lost, strict=False):
        assert 0.8 * pause_s <= each["again_in_s"] <= 1.2 * pause_s
    assert "refused" in lost[0]["reason"]
    # Neither addresses nor keys are told.
    assert str(there.port) not in str([each for each in watch.told if each["type"] != "session"])


def test_sampled_sources_are_called_for_one_window_each_time(
    analyzer: Analyzer, policy: Policy, server: Server
) -> None:
    source = LiveSource("relay", f"tcp://127.0.0.1:{server.port}", every_s=0.2)
    with Watch(analyzer, policy, [source]) as watch:
        windows = watch.wait_for("window", number=3)
    assert server.calls >= 3
    assert watch.states == ["connected"]
    assert {round(each["end_s"] - each["start_s"], 3) for each in windows} == {2.0}


def test_samples_that_come_too_late_are_told(analyzer: Analyzer, policy: Policy, server: Server) -> None:
    address = f"tcp://127.0.0.1:{server.port}"
    sources = [LiveSource(name, address, every_s=0.01) for name in ("one", "two")]
    with Watch(analyzer, policy, sources, max_calls=1) as watch:
        (late, *_) = watch.wait_for("source", state="late")
        watch.wait_for("window", source="one")
        watch.wait_for("window", source="two")
    assert late["waited_s"] >= 0


def test_a_listener_is_sampled_without_hanging_up(
    analyzer: Analyzer, policy: Policy, pieces: dict[str, Path]
) -> None:
    address = f"rtmp://127.0.0.1:{free_port()}/live/key"
    source = LiveSource("studio", address, every_s=4, listen=True)
    with Watch(analyzer, policy, [source]) as watch:
        push(address, pieces["small"], "flv")
        watch.wait_for("source", state="lost")
        watch.wait_for_windows(2)
    assert [round(each["start_s"]) for each in watch.of("window")] == [0, 4]


def test_a_playlist_is_followed(analyzer: Analyzer, policy: Policy, tmp_path: Path) -> None:
    asked: list[str] = []

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            asked.append(str(args[0]).split()[1] if args else "")

    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(tmp_path)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    command = [FFMPEG, "-v", "error", "-re", "-f", "lavfi", "-i", "testsrc2=s=64x48:r=20:d=9", "-g", "20"]
    command += [
        "-c:v",
        "libx264",
        "-preset",
        "ultrafast",
        "-f",
        "hls",
        "-hls_time",
        "1",
        "-hls_list_size",
        "4",
    ]
    with subprocess.Popen([*command, str(tmp_path / "live.m3u8")]) as encoder:
        while not (tmp_path / "live.m3u8").exists():
            time.sleep(0.05)
        address = f"http://127.0.0.1:{server.server_port}/live.m3u8"
        with Watch(analyzer, policy, [whole("channel", address)]) as watch:
            windows = watch.wait_for("window", number=3)
            encoder.wait(60)
    server.shutdown()
    server.server_close()
    starts = [each["start_s"] for each in windows]
    assert starts == sorted(set(starts))
    pieces = [each for each in asked if each.endswith(".ts")]
    assert len(pieces) >= 3
    assert len(pieces) == len(set(pieces)), "a piece was fetched twice"


def test_what_cannot_be_watched_is_refused_before_anything_begins(tmp_path: Path) -> None:
    from phar.moderation.live.sources import checked, named, read_sources

    with pytest.raises(UsageError, match="file cannot be watched"):
        checked([named("file:///etc/passwd", 0, False)])
    with pytest.raises(UsageError, match="no such file"):
        checked([named(str(tmp_path / "none.ts"), 0, False)])
    with pytest.raises(UsageError, match="https cannot be watched; use rtmp, tcp, srt"):
        checked([named("https://example.org/a.m3u8", 0, True)])
    with pytest.raises(UsageError, match="no source is named"):
        checked([])
    twice = [named("srt://example.org:9000", 0, False)] * 2
    with pytest.raises(UsageError, match="two sources are called that"):
        checked(twice)
    listed = tmp_path / "sources.txt"
    listed.write_text(
        "# studios\none rtmp://127.0.0.1/live/k whole listen\n\ntwo https://example.org/a.m3u8#x every=12.5\n"
    )
    assert read_sources(listed, 30, False) == [
        LiveSource("one", "rtmp://127.0.0.1/live/k", 0.0, True),
        LiveSource("two", "https://example.org/a.m3u8#x", 12.5, False),
    ]
    for line, message in (("lonely", "is no NAME and ADDRESS"), ("a b often", "'often' is unknown")):
        listed.write_text(line)
        with pytest.raises(UsageError, match=message):
            read_sources(listed, 30, False)


@pytest.mark.parametrize(
    "address, name",
    [
        ("rtmp://user:pass@live.example.org:1935/app/secret-key", "rtmp://live.example.org:1935/app/..."),
        ("https://u:p@example.org/a/b.m3u8?token=1", "https://example.org/a/b.m3u8"),
        ("/data/record.ts", "/data/record.ts"),
    ],
)
def test_names_hold_no_secrets(address: str, name: str) -> None:
    from phar.moderation.live.sources import named

    assert named(address, 0, False).name == name


def test_pictures_that_wait_too_long_give_way_to_newer_ones() -> None:
    from phar.moderation.live.inbox import Inbox

    inbox: Inbox[int] = Inbox()
    for number in range(3):
        inbox.put("a", number)
    inbox.put("b", 7)
    assert [(each.source, each.item, each.skipped) for each in inbox.take(4, 0)] == [("a", 2, 2), ("b", 7, 0)]
    assert inbox.take(4, 0) == []
    assert inbox.is_empty
    inbox.put_after("a", 8, lambda: False)
    inbox.note("a", lambda: None)
    inbox.put("b", 9)
    inbox.put("c", 10)
    # Notes come between the items they were put between.
    assert [(each.source, each.item) for each in inbox.take(2, 0)] == [("a", 8), ("a", None), ("b", 9)]
    assert not inbox.is_empty


def test_a_source_that_is_always_early_has_its_turn() -> None:
    """Replaced windows once went to the end of the queue, and some sources were never judged."""
    from phar.moderation.live.inbox import Inbox

    inbox: Inbox[int] = Inbox()
    for source, number in (("a", 0), ("b", 1), ("a", 2)):
        inbox.put(source, number)
    assert [(each.source, each.item) for each in inbox.take(1, 0)] == [("a", 2)]


def test_a_source_ends_after_its_last_window() -> None:
    from phar.moderation.live.inbox import Inbox

    inbox: Inbox[int] = Inbox()
    inbox.put("a", 1)
    inbox.put("b", 2)
    inbox.note("b", lambda: None)
    assert [(each.source, each.item) for each in inbox.take(1, 0)] == [("a", 1)]
    assert [(each.source, each.item) for each in inbox.take(1, 0)] == [("b", 2), ("b", None)]
    assert inbox.is_empty


def test_turns_go_round() -> None:
    """Whoever comes back waits behind those who wait already."""
    from phar.moderation.live.turns import Turns

    turns, order = Turns(1), []

    def work(name: str) -> None:
        with turns.taken(lambda: False):
            order.append(name)

    others = [threading.Thread(target=work, args=(name,)) for name in "bc"]
    with turns.taken(lambda: False):
        for number, thread in enumerate(others, 1):
            thread.start()
            while len(turns._waiting) < number:
                time.sleep(0.01)
    work("a")
    for thread in others:
        thread.join()
    assert order == ["b", "c", "a"]


def test_who_waits_for_a_turn_may_leave() -> None:
    from phar.moderation.live.turns import Turns

    turns = Turns(1)
    with turns.taken(lambda: False) as held:
        assert held
        with turns.taken(lambda: True) as mine:
            assert not mine
    with turns.taken(lambda: False) as again:
        assert again


def test_windows_of_several_sources_are_scored_together_as_alone(
    make_clip: Callable[..., Path], tmp_path: Path
) -> None:
    """With a net: what stands beside a window in a batch changes nothing."""
    from phar.media import MediaReader
    from phar.profile import with_overrides

    rng = np.random.default_rng(0)
    noise = tmp_path / "noise.mp4"
    pictures = (rng.integers(0, 256, (48, 64, 3), np.uint8) for _ in range(40))
    write_video(noise, at_rate(pictures, 20), Fraction(20))
    profile = with_overrides(load_profile("moderation"), {"streams": {"moderation": {"checkpoint": None}}})
    analyzer = Analyzer(profile, backend="torch")
    media = []
    for path in (make_clip(2, fps=20), noise):
        with MediaReader(path, 2, 2, lambda _, __, ___, times: analyzer.wanted(times)) as reader:
            media += list(reader)
    assert [each.window.index for each in media] == [0, 0]
    together = analyzer.predict(media)
    alone = [analyzer.predict([each])[0] for each in media]
    for one, other in zip(together, alone, strict=True):
        np.testing.assert_allclose(one.probs, other.probs, atol=1e-5)
    assert abs(together[0].probs - together[1].probs).max() > 1e-3
