"""Nothing leaves the page, whatever its labels and paths say."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from phar.export import WRITERS
from phar.schema import Report, Video

SAMPLE = Path(__file__).resolve().parent.parent.parent / "samples" / "five_scenes.mp4"


@pytest.fixture
def server() -> Iterator[tuple[str, list[str]]]:
    """A web server on this machine, and what was asked of it."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(204)
            self.end_headers()

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            pass

    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=running.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{running.server_port}", asked
    running.shutdown()
    running.server_close()
    thread.join()


ATTEMPTS = """
const [address, done] = arguments;
const image = new Image();
image.src = address + "/image";
const sound = new Audio(address + "/sound");
sound.load();
const style = document.createElement("link");
Object.assign(style, { rel: "stylesheet", href: address + "/style" });
const frame = document.createElement("iframe");
frame.src = address + "/frame";
const script = document.createElement("script");
script.src = address + "/script";
document.body.append(image, style, frame, script);
try { navigator.sendBeacon(address + "/beacon", "x"); } catch {}
try { new WebSocket(address.replace("http", "ws") + "/socket"); } catch {}
fetch(address + "/fetch").catch((error) => setTimeout(() => done(error.name), 300));
"""


def test_nothing_leaves_the_page(
    browser: Any, make_report: Any, tmp_path: Path, server: tuple[str, list[str]]
) -> None:
    address, asked = server
    labels = (
        f"<img src={address}/label onerror='globalThis.hacked = 1'>",
        f"</script><script src={address}/script></script>",
        f"\"'><style>@import '{address}/import'</style>",
        "none",
    )
    name = f"<img src=x onerror=hacked=1>{address.replace('/', '_')}.mp4"
    report = make_report(
        [{"rgb": [0.9, 0.1, 0, 0]}, {"rgb": f"<img src={address}/silent>"}],
        9.0,
        video=Video(str(tmp_path / name), 9.0, Fraction(30), 426, 240, True),
        warnings=(f"<img src={address}/warning>",),
    )
    fields = {key: getattr(report, key) for key in report.__dataclass_fields__}
    report = Report(**{**fields, "labels": labels, "vocabularies": {"rgb": labels}})
    (tmp_path / name).symlink_to(SAMPLE)
    page = tmp_path / "page.html"
    WRITERS["html"].write(report, page)
    browser.open(page)
    browser.wait("document.querySelector('video').readyState >= 2")
    assert browser.texts("h1") == [name]
    assert browser.texts(".lane span:first-child") == list(labels[:3])
    for key in ("?", "\ue00c", "j", "b", "+", "0"):
        browser.press(key)
    browser.set("#seek", 8)
    assert browser.texts("#parts .silent") == [f"silent: <img src={address}/silent>"]
    browser.set("#all-threshold", 0.5)
    browser.run("for (const part of document.querySelectorAll('details')) part.open = true")
    assert f"<img src={address}/warning>" in browser.texts("#about dd")
    browser.settle()
    assert browser.run("return typeof globalThis.hacked") == "undefined"
    assert browser.run("return document.images.length") == 0
    assert {url.split(":")[0] for url in browser.requests()} == {"file"}
    assert asked == []
    assert browser.console() == []

    # Even a script inside the page could not reach anything.
    assert browser.driver.execute_async_script(ATTEMPTS, address) == "TypeError"
    assert asked == []
    refused = [line for line in browser.console() if "Content Security Policy" in line]
    assert len(refused) >= 5
    browser.driver.get("about:blank")
    browser.console()
