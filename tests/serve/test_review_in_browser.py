"""The review page in a real browser, with previews cut from a rendered video."""

from __future__ import annotations

import json
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from client import Client
from in_process import LocalServer, serving

from phar.serve.documents import Lease
from phar.serve.guard import read_tokens
from phar.serve.reviewing import Proposal

SAMPLE = Path(__file__).resolve().parent.parent.parent / "samples" / "five_scenes.mp4"
HOSTILE = "<img src=x onerror=hacked=1><!-- \u2028 &amp; {{script}}"
ENTER = "\ue007"


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / f"{HOSTILE}.mp4"
    shutil.copy(SAMPLE, path)
    return path


@pytest.fixture
def server(
    browser: Any, tmp_path: Path, scripted_profile: tuple[Path, Path], video: Path
) -> Iterator[LocalServer]:
    with serving(tmp_path / "kept", scripted_profile, labels=(HOSTILE,), roots=(tmp_path,)) as running:
        running.alarms(
            video,
            [
                Proposal(49, 56, "march", "walking", 2, 0.9, f"why {HOSTILE}"),
                Proposal(0, 14, "ring", "noise", 1, 0.8),
                Proposal(14, 21, "wave", "walking", 1, 0.7),
                Proposal(21, 28, "march", "walking", 1, 0.6),
            ],
        )
        yield running
        assert browser.console() == []
        # What the page still asks for would find no server.
        browser.driver.get("about:blank")


def enter(browser: Any, server: Client, name: str) -> None:
    """Open the page as somebody, and wait for the first span."""
    browser.driver.get("about:blank")
    browser.requests()
    browser.console()
    browser.driver.get(f"{server.url}/")
    browser.run("sessionStorage.clear(); localStorage.clear()")
    browser.driver.get(f"{server.url}/")
    browser.wait("document.querySelector('#identity').open")
    browser.press(name)
    browser.press(ENTER)
    browser.wait("/^Is this|^Nothing/.test(document.querySelector('#question').textContent)")


def question(browser: Any) -> str:
    (text,) = browser.texts("#question")
    return str(text)


def await_question(browser: Any, label: str) -> None:
    browser.wait(f"document.querySelector('#question').textContent === {json.dumps(f'Is this “{label}”?')}")


def verdicts(server: Client) -> list[tuple[str, str, list[str], str]]:
    """Return what is in force, in the order it was given."""
    found = server.ask("GET", "api/verdicts", 200).json()
    return [
        (each["span"]["label"], each["answer"], each["labels"], each["moderator"])
        for each in reversed(found)
        if each["undone"] is None
    ]


def await_verdicts(server: Client, number: int) -> list[tuple[str, str, list[str], str]]:
    end = time.monotonic() + 30
    while len(found := verdicts(server)) != number:
        assert time.monotonic() < end, found
        time.sleep(0.05)
    return found


def test_what_is_answered_while_the_queue_is_asked_for_is_not_asked_again(
    browser: Any, server: LocalServer, video: Path
) -> None:
    """Regression: an older answer of the queue brought back a span whose verdict had arrived meanwhile."""
    enter(browser, server, "anna")
    browser.run("""
        const ask = window.fetch;
        window.leases = 0;
        window.fetch = async (...wish) => {
          const found = await ask(...wish);
          if (!String(wish[0]).includes("queue/lease")) return found;
          window.leases += 1;
          if (window.leases === 1) await new Promise((go) => { window.letGo = go; });
          return found;
        };
    """)
    browser.press("a")
    await_question(browser, "ring")
    browser.wait("window.letGo")
    browser.press("r")
    await_question(browser, "wave")
    await_verdicts(server, 2)
    browser.run("window.letGo()")
    browser.wait("window.leases > 1 || !/wave/.test(document.querySelector('#question').textContent)")
    assert question(browser) == "Is this “wave”?"
    assert browser.texts("#next li span:first-child") == ["march"]


def test_spans_are_reviewed_by_keyboard(browser: Any, server: LocalServer, video: Path) -> None:
    enter(browser, server, "anna")
    assert question(browser) == "Is this “march”?"
    browser.wait("document.querySelector('video').readyState >= 2")
    blur = "return getComputedStyle(document.querySelector('video')).filter"
    assert browser.run(blur).startswith("blur(")
    browser.press("b")
    assert browser.run(blur) == "none"
    browser.press("b")
    assert browser.texts("#facts dd") == [video.name, "0:49.0 to 0:56.0, 7 s", "block", f"why {HOSTILE}"]
    assert browser.texts("#next li span:first-child") == ["ring", "wave", "march"]

    # The verdict holds for what comes after the picture that is shown.
    browser.run("const v = document.querySelector('video'); v.pause(); v.currentTime = 2")
    browser.wait("!document.querySelector('video').seeking")
    browser.press("[")
    assert browser.texts("#holds") == ["0:51.0 to 0:56.0"]
    browser.press("a")
    await_question(browser, "ring")
    assert browser.texts("#holds") == ["0:00.0 to 0:14.0"]
    browser.press("r")
    await_question(browser, "wave")
    browser.press("l")
    assert browser.texts("#other-labels button") == ["ring", "march", HOSTILE]
    browser.press("onerror")
    browser.press(ENTER)
    await_question(browser, "march")
    browser.press("u")
    browser.wait("document.querySelector('#question').textContent === 'Nothing waits for review.'")
    given = await_verdicts(server, 4)
    assert given == [
        ("march", "accept", [], "anna"),
        ("ring", "reject", [], "anna"),
        ("wave", "relabel", [HOSTILE], "anna"),
        ("march", "unsure", [], "anna"),
    ]
    first = server.ask("GET", "api/verdicts", 200).json()[-1]
    assert (first["start_s"], first["end_s"]) == (51.0, 56.0)

    browser.press("z")
    await_question(browser, "march")
    browser.press("z")
    await_question(browser, "wave")
    assert [answer for _, answer, *_ in await_verdicts(server, 2)] == ["accept", "reject"]
    browser.press("s")
    await_question(browser, "march")
    browser.run("document.querySelector('input[value=history]').click()")
    browser.wait("document.querySelectorAll('#verdicts tbody tr').length === 4")
    assert browser.texts("#verdicts td:nth-child(4)") == ["unsure", f"is {HOSTILE}", "reject", "accept"]
    assert browser.texts("#verdicts .undone") == ["unsure", f"is {HOSTILE}"]
    browser.click("#verdicts tbody tr:nth-child(3) button")
    browser.wait("document.querySelectorAll('#verdicts .undone').length === 3")
    browser.click("#save-table")
    table = browser.downloaded("verdicts.csv").strip().split("\n")
    assert len(table) == 2
    assert table[1].endswith(',51.0,56.0,march,"",phar serve: verdict 1,accept')

    assert browser.run("return typeof globalThis.hacked") == "undefined"
    assert browser.run("return document.images.length") == 0
    asked = {address.split("/")[2] for address in browser.requests() if address.startswith("http")}
    assert asked == {f"127.0.0.1:{server.port}"}
    kept = {path.suffix for path in server.service.settings.folder.rglob("*") if path.is_file()}
    assert kept <= {".sqlite", ".sqlite-wal", ".sqlite-shm"}


def test_two_moderators_never_see_the_same_span(browser: Any, server: LocalServer) -> None:
    enter(browser, server, "anna")
    first = browser.driver.current_window_handle
    browser.driver.switch_to.new_window("tab")
    second = browser.driver.current_window_handle
    try:
        # Anna's page holds all four; the tab has a name of its own.
        browser.driver.get(f"{server.url}/")
        browser.wait("document.querySelector('#question').textContent === 'Nothing waits for review.'")
        browser.click("#who")
        browser.run("document.querySelector('#moderator').value = ''")
        browser.press("ben")
        browser.press(ENTER)
        browser.wait("document.querySelector('#who').textContent === 'ben'")
        assert question(browser) == "Nothing waits for review."
        browser.driver.switch_to.window(first)
        browser.press("a")
        await_question(browser, "ring")
        browser.press("s")
        await_question(browser, "wave")
        await_verdicts(server, 1)
        # What she put off is back with her: on its way to her it would stay hers until the lease ends.
        browser.wait("document.querySelector('#next').textContent.includes('ring')")
        # She goes, and what she holds is free.
        browser.driver.get("about:blank")
        browser.driver.switch_to.window(second)
        browser.run("document.querySelector('input[value=videos]').click()")
        browser.run("document.querySelector('input[value=review]').click()")
        await_question(browser, "wave")
        for label in ("march", "ring"):
            browser.press("r")
            await_question(browser, label)
        browser.press("a")
        assert await_verdicts(server, 4) == [
            ("march", "accept", [], "anna"),
            ("wave", "reject", [], "ben"),
            ("march", "reject", [], "ben"),
            ("ring", "accept", [], "ben"),
        ]
        browser.press("z")
        await_question(browser, "ring")
        assert len(await_verdicts(server, 3)) == 3
    finally:
        browser.driver.switch_to.window(second)
        assert browser.console() == []
        browser.driver.close()
        browser.driver.switch_to.window(first)


def test_a_verdict_outlasts_the_server(browser: Any, start: Any, video: Path, tmp_path: Path) -> None:
    """The server is stopped, gets a verdict, and is killed before it can answer."""
    from phar.serve.reviewing import ALARM, propose
    from phar.serve.store import Store

    store = Store(tmp_path / "kept")
    with store.change() as change:
        spans = [Proposal(0, 7, "march", severity=2), Proposal(7, 14, "ring", severity=1)]
        propose(change, change.video(video, video.name), ALARM, spans)
    store.close()
    server = start()
    enter(browser, server, "anna")
    await_question(browser, "march")
    server.process.send_signal(signal.SIGSTOP)
    browser.press("a")
    await_question(browser, "ring")
    time.sleep(0.3)
    server.kill()
    browser.wait("document.querySelector('#notice').textContent.startsWith('The server cannot be reached')")
    browser.press("r")
    browser.wait("Object.keys(localStorage).filter((name) => name.startsWith('phar-verdict-')).length === 2")
    again = start("--port", str(server.port))
    assert again.port == server.port
    assert await_verdicts(again, 2) == [("march", "accept", [], "anna"), ("ring", "reject", [], "anna")]
    browser.wait("Object.keys(localStorage).every((name) => !name.startsWith('phar-verdict-'))")
    everything = again.ask("GET", "api/verdicts", 200).json()
    assert len(everything) == 2
    browser.driver.get("about:blank")
    # That the server was away is on the console.
    assert [line for line in browser.console() if "Failed to load resource" not in line] == []


def test_a_verdict_waits_for_whose_it_is(
    browser: Any, tmp_path: Path, scripted_profile: tuple[Path, Path], video: Path
) -> None:
    """Anna's verdict was on its way when Ben took her place at the same browser."""
    tokens = read_tokens("anna t0ken-of-anna-alone\nben t0ken-of-ben-alone\n", "tokens")
    with serving(tmp_path / "kept", scripted_profile, tokens) as server:
        server.session.headers["Authorization"] = "Bearer t0ken-of-ben-alone"
        server.alarms(video, [Proposal(0, 7, "march", severity=2), Proposal(7, 14, "ring", severity=1)])
        (span,) = server.service.review.lease(Lease(moderator="anna", client="a" * 16, limit=1))
        body = {"key": "k" * 16, "moderator": "anna", "client": "a" * 16, "answer": "accept", "labels": []}
        kept = json.dumps(json.dumps({"span": span.id, "body": body, "at": 1}))
        browser.driver.get("about:blank")
        browser.driver.get(f"{server.url}/")
        browser.run("sessionStorage.clear(); localStorage.clear()")
        browser.run("sessionStorage.token = 't0ken-of-ben-alone'")
        browser.run(f"localStorage['phar-verdict-{'k' * 16}'] = {kept}")
        browser.driver.get(f"{server.url}/")
        await_question(browser, "ring")
        browser.press("r")
        assert await_verdicts(server, 1) == [("ring", "reject", [], "ben")]
        waiting = "Object.keys(localStorage).filter((name) => name.startsWith('phar-verdict-'))"
        browser.wait(f"{waiting}.length === 1")
        (notice,) = browser.texts("#notice")
        assert notice.startswith("A verdict of anna's is kept until they are here again: this token is ben's")

        browser.run("sessionStorage.token = 't0ken-of-anna-alone'")
        browser.driver.get(f"{server.url}/")
        browser.wait(f"{waiting}.length === 0")
        assert await_verdicts(server, 2)[1] == ("march", "accept", [], "anna")
        browser.driver.get("about:blank")
        # What the server refuses is on the console.
        assert all("403 (Forbidden)" in line or "401" in line for line in browser.console())


def test_shots_are_labelled_from_scratch(browser: Any, server: LocalServer, video: Path) -> None:
    server.shots(video, [(0, 14), (14, 21.5), (21.5, 35)])
    enter(browser, server, "anna")
    browser.run("document.querySelector('input[value=label]').click()")
    browser.wait("document.querySelectorAll('#of-video option').length === 2")
    assert browser.texts("#of-video option") == ["–", f"{video.name} (3 shots wait)"]
    browser.set("#of-video", 1)
    shot = "document.querySelector('#shot').textContent"
    browser.wait(f"{shot} === 'Shot at 0:00.0, 14 s: what is seen?'")
    assert [text.split(" ", 1)[1] for text in browser.texts("#labels button")] == [
        "ring",
        "march",
        "wave",
        HOSTILE,
    ]
    browser.press("3")
    browser.press("1")
    browser.press("4")
    browser.press("1")
    assert browser.texts("#labels button[aria-pressed=true]") == ["3 wave", f"4 {HOSTILE}"]
    browser.press(ENTER)
    browser.wait(f"{shot} === 'Shot at 0:14.0, 7.5 s: what is seen?'")
    assert browser.texts("#save span") == ["None of these"]
    browser.press(ENTER)
    browser.wait(f"{shot} === 'Shot at 0:21.5, 13.5 s: what is seen?'")
    assert await_verdicts(server, 2) == [("", "label", ["wave", HOSTILE], "anna"), ("", "label", [], "anna")]
    browser.press("z")
    browser.wait(f"{shot} === 'Shot at 0:14.0, 7.5 s: what is seen?'")
    browser.press("/")
    browser.press("RING")
    assert browser.texts("#labels button") == ["1 ring"]
    assert browser.run("return typeof globalThis.hacked") == "undefined"


def test_videos_are_sent_and_their_jobs_shown(browser: Any, server: LocalServer, tmp_path: Path) -> None:
    with server.service.store.change() as change:
        number = change.video(tmp_path / "old.mp4", HOSTILE)
        for index, (state, error) in enumerate((("failed", f"why {HOSTILE}"), ("cancelled", None))):
            change.run(
                "INSERT INTO job (id, kind, video_id, state, error, created_at, ended_at)"
                " VALUES (?, 'analyse', ?, ?, ?, 1, 2)",
                (f"{index:016}", number, state, error),
            )
    enter(browser, server, "anna")
    browser.run("document.querySelector('input[value=videos]').click()")
    browser.wait("document.querySelectorAll('#jobs tbody tr').length === 2")
    assert browser.texts("#jobs td:nth-child(2)") == ["cancelled", f"failed: why {HOSTILE}"]
    damaged = tmp_path / "no video.mp4"
    damaged.write_bytes(b"nothing to decode")
    browser.driver.find_element("css selector", "#file").send_keys(str(damaged))
    browser.wait("document.querySelectorAll('#jobs tbody tr').length === 3")
    assert browser.texts("#jobs tr:first-child td.name") == ["no video.mp4"]
    browser.set("#path", "/etc/hostname")
    browser.click("#by-path button")
    browser.wait("document.querySelector('#notice').textContent.startsWith('/etc/hostname is not below')")
    # What the server refuses is on the console.
    assert all("403 (Forbidden)" in line for line in browser.console())
    assert browser.run("return typeof globalThis.hacked") == "undefined"


@pytest.mark.parametrize("width_px", [360, 768, 1440])
def test_every_view_fits_and_every_control_has_a_name(
    browser: Any, server: LocalServer, width_px: int
) -> None:
    browser.screen(width_px, 800, mobile=width_px < 800, dark=width_px == 768)
    enter(browser, server, "anna")
    for view in ("review", "label", "videos", "history"):
        browser.run(f"document.querySelector('input[value={view}]').click()")
        browser.settle()
        root, inside = browser.run(
            "const root = document.documentElement; return [root.scrollWidth, root.clientWidth]"
        )
        assert root == inside, view
    tree = browser.devtools("Accessibility.getFullAXTree")["nodes"]
    roles = {"button", "checkbox", "radio", "slider", "spinbutton", "combobox", "textbox", "searchbox"}
    nameless = [
        node
        for node in tree
        if not node["ignored"]
        and node["role"]["value"] in roles
        and not node.get("name", {}).get("value", "").strip()
    ]
    assert nameless == []
