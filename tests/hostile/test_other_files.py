"""Videos that name other files or addresses: nothing but the file itself is ever opened."""

from __future__ import annotations

import base64
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import pytest
from boxes import box, box_of, with_box
from canary import Listening, Watched
from small_videos import small_video

from phar.cli import demo
from phar.media import MediaReader
from phar.schema import MediaError

#: What the texts below say instead of the canary's path and of an address on this machine.
CANARY, ADDRESS = "@canary@", "@address@"

_HLS = "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{}\n#EXT-X-ENDLIST\n"
_MPD = (
    '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"'
    ' mediaPresentationDuration="PT9S">'
    '<Period><AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1" width="64" height="48">'
    "<BaseURL>{}</BaseURL></Representation></AdaptationSet></Period></MPD>"
)

TEXTS = {
    "concat of a sibling": "ffconcat version 1.0\nfile canary.mp4\n",
    "concat of a path": f"ffconcat version 1.0\nfile '{CANARY}'\n",
    "concat of a file address": f"ffconcat version 1.0\nfile 'file:{CANARY}'\n",
    "concat of an address": f"ffconcat version 1.0\nfile '{ADDRESS}/a.mp4'\n",
    "hls of a sibling": _HLS.format("canary.mp4"),
    "hls of a path": _HLS.format(CANARY),
    "hls of a file address": _HLS.format(f"file://{CANARY}"),
    "hls of an address": _HLS.format(f"{ADDRESS}/a.ts"),
    "hls of a concat": _HLS.format("concat:canary.mp4|canary.mp4"),
    "hls with a key": _HLS.format("own.ts").replace(
        "#EXTINF", f'#EXT-X-KEY:METHOD=AES-128,URI="{CANARY}"\n#EXTINF'
    ),
    "hls with a head": _HLS.format("own.ts").replace("#EXTINF", f'#EXT-X-MAP:URI="{ADDRESS}/i.mp4"\n#EXTINF'),
    "hls with variants": f"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{ADDRESS}/b.m3u8\n",
    "hls behind a mark": "\ufeff" + _HLS.format("canary.mp4"),
    "dash of a sibling": _MPD.format("canary.mp4"),
    "dash of an address": _MPD.format(f"{ADDRESS}/a.mp4"),
    "dash with entities": '<!DOCTYPE x [<!ENTITY e SYSTEM "file://@canary@">]>' + _MPD.format("&e;"),
    "smil": f'<smil><body><video src="{ADDRESS}/a.mp4"/></body></smil>',
    "asx": f'<asx version="3.0"><entry><ref href="{ADDRESS}/a.mp4"/></entry></asx>',
    "asf reference": f"[Reference]\r\nRef1={ADDRESS}/a.mp4\r\n",
    "pls": f"[playlist]\nFile1={CANARY}\nNumberOfEntries=1\n",
    "rtsp": "RTSPtext\r\nrtsp://127.0.0.1:@port@/a\r\n",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
    "m=video @port@ TCP 96\na=rtpmap:96 H264/90000\n",
    "imf": '<CompositionPlaylist xmlns="http://www.smpte-ra.org/schemas/2067-3/2016">'
    f"<Id>{CANARY}</Id></CompositionPlaylist>",
    "vobsub index": "# VobSub index file, v7 (do not modify this line!)\n"
    "id: en, index: 0\ntimestamp: 00:00:00:000, filepos: 0\n",
    "sami": f"<SAMI><HEAD><STYLE><!-- @import url({ADDRESS}); --></STYLE></HEAD>"
    "<BODY><SYNC Start=0></BODY></SAMI>",
    "ssa": f"[Script Info]\n; \n[Events]\nDialogue: 0,0:00:00.00,0:00:01.00,{CANARY}\n",
    "subrip": f"1\n00:00:00,000 --> 00:00:01,000\n<img src={ADDRESS}>\n",
    "microdvd": "{DEFAULT}{}{y:i}\n{0}{25}@canary@\n",
    "webvtt": f"WEBVTT\n\nSTYLE\n@import url({ADDRESS}/a.css);\n\n00:00.000 --> 00:01.000\na\n",
    "ffmetadata": f";FFMETADATA1\ntitle={CANARY}\n",
    "lavfi": f"movie={CANARY}",
    "avisynth": f'DirectShowSource("{CANARY}")',
}

#: What a reader without white lists follows: proof that canary and server notice.
FOLLOWED = ("concat of a sibling", "hls of a sibling", "hls of an address")


@pytest.fixture
def canary(tmp_path: Path) -> Iterator[Watched]:
    """A good video in the folder of the attacks."""
    watched = Watched(small_video(tmp_path / "canary.mp4"))
    yield watched
    watched.close()


@pytest.fixture
def server() -> Iterator[Listening]:
    listening = Listening()
    yield listening
    listening.close()


def filled(text: str, canary: Watched, server: Listening) -> bytes:
    address = f"http://127.0.0.1:{server.port}"
    text = (
        text.replace(CANARY, str(canary.path)).replace(ADDRESS, address).replace("@port@", str(server.port))
    )
    return text.encode()


def reached(canary: Watched, server: Listening) -> bool:
    time.sleep(0.02)
    return canary.was_opened() | server.was_called()


def open_trustingly(path: Path) -> None:
    """Open a file as a reader without white lists does."""
    options = {
        "safe": "0",
        "protocol_whitelist": "file,http,tcp",
        "enable_drefs": "1",
        "use_absolute_path": "1",
    }
    options |= {"allowed_extensions": "ALL", "extension_picky": "0"}
    try:
        with av.open(str(path), container_options=options) as container:
            next(container.decode(video=0), None)
    except (av.error.FFmpegError, ValueError, IndexError):
        pass


@pytest.mark.parametrize("kind", FOLLOWED)
def test_canary_and_server_notice_what_follows_a_playlist(
    tmp_path: Path, canary: Watched, server: Listening, kind: str
) -> None:
    path = tmp_path / "list.m3u8"
    path.write_bytes(filled(TEXTS[kind], canary, server))
    assert not reached(canary, server)
    open_trustingly(path)
    assert reached(canary, server)


@pytest.mark.parametrize("suffix", ["mp4", "m3u8", "idx"])
def test_no_text_makes_phar_open_anything_else(
    tmp_path: Path, canary: Watched, server: Listening, suffix: str
) -> None:
    (tmp_path / "sibling.sub").write_bytes(canary.path.read_bytes())
    beside = Watched(tmp_path / "sibling.sub")
    canary.was_opened()
    for kind, text in TEXTS.items():
        path = tmp_path / f"sibling.{suffix}"
        path.write_bytes(filled(text, canary, server))
        with pytest.raises(MediaError) as caught, MediaReader(path, 7, 7, lambda n, *_: range(n)) as reader:
            list(reader)
        assert "\n" not in str(caught.value), kind
        assert not reached(canary, server), kind
        assert not beside.was_opened(), kind


@pytest.mark.parametrize("kind", [b"url ", b"alis", b"urn "])
def test_pictures_that_lie_in_another_file_are_not_looked_for(
    tmp_path: Path, canary: Watched, server: Listening, kind: bytes
) -> None:
    """An mp4 may say that its samples lie elsewhere; QuickTime followed that."""
    name = str(canary.path).encode()
    for target in (b"canary.mp4\0", name + b"\0", f"http://127.0.0.1:{server.port}/a\0".encode()):
        content = bytes(4) + (_alias(name) if kind == b"alis" else target)
        data = with_box(canary.path.read_bytes(), b"url ", box(kind, content))
        assert box_of(data, kind) == box(kind, content)
        path = tmp_path / "elsewhere.mp4"
        path.write_bytes(data)
        canary.was_opened()
        try:
            with MediaReader(path, 7, 7, lambda n, *_: range(n)) as reader:
                list(reader)
        except MediaError as error:
            assert "\n" not in str(error)
        assert not reached(canary, server)
        if kind == b"alis":
            open_trustingly(path)
            assert canary.was_opened()


def _alias(path: bytes) -> bytes:
    """An alias record of the classic Mac OS with a path in it (kind 18), as libav reads it."""
    name = b"canary.mp4"
    fixed = bytes(4) + struct.pack(">HH", 0, 2) + bytes(2)
    volume = bytes([4]) + b"disk".ljust(27, b"\0")
    file = bytes([len(name)]) + name.ljust(63, b"\0")
    paths = struct.pack(">HH", 2, len(path)) + path + bytes(len(path) % 2)
    paths += struct.pack(">HH", 18, len(path)) + path + bytes(len(path) % 2)
    return (
        fixed
        + volume
        + bytes(12)
        + file
        + bytes(16)
        + struct.pack(">HH", 1, 1)
        + bytes(16)
        + paths
        + b"\xff\xff\0\0"
    )


def test_a_name_is_never_an_address(
    tmp_path: Path, canary: Watched, server: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    whole = canary.path.read_bytes()
    canary.was_opened()
    for name in (
        *("concat:canary.mp4", "file:canary.mp4", "subfile,,start,0,end,0,,:canary.mp4", "crypto:canary.mp4"),
        *(f"http://127.0.0.1:{server.port}/a.mp4", f"tcp://127.0.0.1:{server.port}", "async:canary.mp4"),
        "data:video/mp4;base64," + base64.b64encode(whole[:600]).decode(),
        "data:video/mp4;base64," + base64.b64encode(whole).decode(),
    ):
        with pytest.raises(MediaError), MediaReader(name, 7, 7, lambda n, *_: range(n)):
            pass
        assert not reached(canary, server), name


def test_the_command_leaves_with_3_and_one_line(
    canary: Watched,
    server: Listening,
    small_profile: Path,
    fake_streams: Callable[..., None],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    fake_streams(rgb=lambda _: [1, 0, 0, 0], skeleton=lambda _: "no person", audio=lambda _: "too quiet")
    path = tmp_path / "new\nline \x1b[31m<script>.mp4"
    path.write_bytes(filled(TEXTS["hls of a sibling"], canary, server))
    assert demo.main([str(path), str(tmp_path / "out.json"), "--profile", str(small_profile)]) == 3
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "\x1b" not in said
    assert "is a playlist that names other files" in said
    assert not (tmp_path / "out.json").exists()
    assert not reached(canary, server)
