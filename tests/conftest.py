"""Fixtures that several rooms' tests share."""

import os
from pathlib import Path

import pytest

pytest_plugins = ["browser_fixtures", "fake_streams", "report_fixtures"]

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_media() -> Path:
    """Folder of real clips beside the checkout; tests that need it skip where it is missing."""
    folder = Path(os.environ.get("PHAR_SHARED_MEDIA", ROOT.parent / "shared" / "media"))
    if not folder.is_dir():
        pytest.skip("real clips are not here; set PHAR_SHARED_MEDIA to their folder")
    return folder
