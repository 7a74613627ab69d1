"""The API keeps to its OpenAPI document, whatever it is asked."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import schemathesis
from client import PATIENCE_S
from in_process import serving
from schemathesis.checks import CHECKS
from scripted_server import load

from phar.serve.guard import read_tokens
from phar.serve.reviewing import Proposal

TOKEN = "t0ken-for-everybody"

NEGATIVE = schemathesis.GenerationMode.NEGATIVE

#: Labels must be known, paths below a root, keys new: no schema can say that.
NOT_IN_SCHEMAS = {"positive_data_acceptance"}


@pytest.fixture
def api(tmp_path: Path, scripted_profile: tuple[Path, Path], make_clip: Callable[[float], Path]) -> Any:
    """The document of a server with a few spans to ask about."""
    video = tmp_path / "clip.mp4"
    shutil.copy(make_clip(28), video)
    tokens = read_tokens(TOKEN, "test")
    with serving(
        tmp_path / "kept", scripted_profile, tokens, roots=(tmp_path / "none",), load=load
    ) as server:
        server.alarms(video, [Proposal(at, at + 7, "march") for at in (0, 7, 14)])
        server.shots(video, [(0, 14), (14, 28)])
        yield schemathesis.openapi.from_url(
            f"{server.url}/api/openapi.json", headers={"Authorization": f"Bearer {TOKEN}"}
        )


def test_every_operation_keeps_to_its_description(api: Any) -> None:
    checks = [check for check in CHECKS.get_all() if check.__name__ not in NOT_IN_SCHEMAS]
    assert {check.__name__ for check in checks} >= {
        "not_a_server_error",
        "response_schema_conformance",
        "status_code_conformance",
        "ignored_auth",
        "negative_data_rejection",
    }
    asked = set()
    for result in api.get_all_operations():
        operation = result.ok()

        @hypothesis.given(case=operation.as_strategy() | operation.as_strategy(generation_mode=NEGATIVE))
        @hypothesis.settings(
            max_examples=12,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(hypothesis.HealthCheck),
        )
        def holds(case: Any) -> None:
            case.call_and_validate(
                headers={"Authorization": f"Bearer {TOKEN}"}, checks=checks, timeout=PATIENCE_S
            )

        holds()
        asked.add(operation.label)
    assert len(asked) == 19
