"""Tokens, names of hosts, and pages of other sites, asked over real HTTP."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from in_process import LocalServer, serving

from phar.cli.main import main
from phar.schema import UsageError
from phar.serve.guard import access, is_loopback, read_tokens
from phar.serve.reviewing import Proposal

TOKEN, ANNAS = "t0ken-for-everybody", "t0ken-of-anna-alone"


@pytest.fixture
def server(tmp_path: Path, scripted_profile: tuple[Path, Path]) -> Iterator[LocalServer]:
    with serving(tmp_path / "kept", scripted_profile, hosts=["review.example.org"]) as running:
        yield running


@pytest.fixture
def locked(tmp_path: Path, scripted_profile: tuple[Path, Path]) -> Iterator[LocalServer]:
    tokens = read_tokens(f"# ours\n{TOKEN}\n\nanna lee {ANNAS}\n", "tokens")
    with serving(tmp_path / "kept", scripted_profile, tokens) as running:
        yield running


def asked(server: LocalServer, path: str = "/api/about", method: str = "GET", **headers: str) -> int:
    """Ask with exactly these headers."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    connection.putrequest(method, path, skip_host=True)
    for name, value in {"Host": f"127.0.0.1:{server.port}", **headers}.items():
        connection.putheader(name.replace("_", "-"), value)
    connection.endheaders()
    answer = connection.getresponse()
    status = answer.status
    assert answer.getheader("X-Content-Type-Options") == "nosniff"
    assert answer.getheader("Cache-Control") == "no-store"
    assert "default-src 'none'" in str(answer.getheader("Content-Security-Policy"))
    assert answer.getheader("Access-Control-Allow-Origin") is None
    connection.close()
    return status


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:{port}", 200),
        ("localhost:{port}", 200),
        ("LOCALHOST", 200),
        ("[::1]:9000", 200),
        ("review.example.org", 200),
        ("review.example.org.", 200),
        ("rebound.example.com:{port}", 403),
        ("127.0.0.1.example.com", 403),
        ("evil.com#127.0.0.1", 403),
        ("", 403),
    ],
)
def test_a_name_that_was_rebound_is_refused(server: LocalServer, host: str, status: int) -> None:
    assert asked(server, Host=host.format(port=server.port)) == status
    assert asked(server, "/", Host=host.format(port=server.port)) == status


def test_pages_of_other_sites_may_not_ask(server: LocalServer) -> None:
    own = f"http://127.0.0.1:{server.port}"
    assert asked(server, Origin=own) == 200
    for origin in ("https://example.com", "null", "http://127.0.0.1", f"{own}.example.com", "http://["):
        assert asked(server, Origin=origin) == 403
        assert asked(server, "/api/jobs", "POST", Origin=origin, Content_Length="0") == 403
    assert asked(server, Sec_Fetch_Site="cross-site") == 403
    assert asked(server, Sec_Fetch_Site="same-origin") == 200
    # A link to the page may lie anywhere.
    assert asked(server, "/", Sec_Fetch_Site="cross-site") == 200


def test_large_bodies_are_refused(server: LocalServer) -> None:
    assert asked(server, "/api/jobs", "POST", Content_Length="70000") == 413
    answer = server.ask("POST", "api/jobs", data=(b" " * 8192 for _ in range(20)))
    assert answer.status_code == 413


def test_a_token_opens(locked: LocalServer) -> None:
    for wrong in ({}, {"Authorization": "Bearer nonsense"}, {"Authorization": f"Basic {TOKEN}"}):
        assert asked(locked, **wrong) == 401
        assert asked(locked, "/api/openapi.json", **wrong) == 401
        assert asked(locked, "/api/nothing", **wrong) == 401
    assert asked(locked, Authorization=f"Bearer {TOKEN}") == 200
    # Nothing is told to whoever lacks it, so that any name will do.
    assert asked(locked, Authorization=f"Bearer {TOKEN}", Host="phar.example.org") == 200
    assert asked(locked, Authorization=f"Bearer {TOKEN}", Origin="https://example.com") == 403
    page = locked.ask("GET", "", 200)
    assert TOKEN not in page.text
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]


def test_a_token_with_a_name_is_for_that_moderator(locked: LocalServer, tmp_path: Path) -> None:
    locked.alarms(tmp_path / "a.mp4", [Proposal(0, 7, "march")])
    annas = {"Authorization": f"Bearer {ANNAS}"}
    assert locked.ask("GET", "api/about", 200, headers=annas).json()["moderator"] == "anna lee"
    wish = {"moderator": "ben", "client": "c" * 16}
    refused = locked.ask("POST", "api/queue/lease", 403, headers=annas, json=wish)
    assert refused.json() == {"detail": "this token is anna lee's, not ben's"}
    (span,) = locked.ask(
        "POST", "api/queue/lease", 200, headers=annas, json={**wish, "moderator": "anna lee"}
    ).json()
    said: dict[str, Any] = {**wish, "key": "k" * 16, "answer": "accept"}
    path = f"api/spans/{span['id']}/verdicts"
    locked.ask("POST", path, 403, headers=annas, json=said)
    verdict = locked.ask("POST", path, 201, headers=annas, json={**said, "moderator": "anna lee"}).json()
    locked.ask("POST", f"api/verdicts/{verdict['id']}/undo", 403, headers=annas, json=wish)


def test_only_loopback_needs_no_token(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert [is_loopback(host) for host in ("127.0.0.1", "127.8.8.8", "::1", "localhost")] == [True] * 4
    assert [is_loopback(host) for host in ("0.0.0.0", "::", "192.168.1.5", "example.org", "")] == [False] * 5
    with pytest.raises(UsageError, match="there is no token"):
        access("0.0.0.0", {}, [])
    assert main(["serve", str(tmp_path / "kept"), "--host", "0.0.0.0", "--profile", "demo"]) == 2
    assert capsys.readouterr().err == (
        "phar serve: --host 0.0.0.0 can be reached from other machines, and there is no token; give"
        " --token-file or PHAR_SERVE_TOKEN, or leave out --host\n"
    )
    assert not (tmp_path / "kept").exists()


def test_tokens_that_could_be_guessed_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "tokens"
    for text, what in (("anna short", "has 5 characters"), ("# none\n", "holds no token")):
        file.write_text(text)
        assert main(["serve", str(tmp_path / "kept"), "--token-file", str(file)]) == 2
        told = capsys.readouterr().err
        assert what in told
        assert "short" not in told


def test_errors_are_one_line_of_json(server: LocalServer) -> None:
    missing = server.ask("GET", "api/spans/7", 404)
    assert missing.json() == {"detail": "span 7 is not there"}
    faults = server.ask("POST", "api/jobs", 422, data=b'{"path": "\xff"}').json()["detail"]
    assert [*faults[0]] == ["loc", "msg", "type"]
