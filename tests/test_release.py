"""What a release holds: an sdist makes the wheel, and the wheel works where no checkout is."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "samples" / "five_scenes.mp4"

#: What lies in a checkout that was worked in.
_LEFT = shutil.ignore_patterns(
    *(".git", ".venv", ".hypothesis", ".*_cache", "__pycache__", "build", "dist", "work_dirs", "*.egg-info")
)


def checked(command: list[str | Path], cwd: Path) -> str:
    """Run a command that sees nothing of the checkout; return what it printed."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(word) for word in command], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An sdist, made in a copy of the checkout in which checkpoints were downloaded."""
    folder = tmp_path_factory.mktemp("sdist")
    copy = shutil.copytree(ROOT, folder / "checkout", ignore=_LEFT)
    (copy / "checkpoints" / "phar17").mkdir(exist_ok=True)
    (copy / "checkpoints" / "phar17" / "rgb.safetensors").write_bytes(b"fetched")
    (copy / "checkpoints" / "checkpoints.lock").write_text("files: []")
    call = f"from setuptools.build_meta import build_sdist; build_sdist({str(folder)!r})"
    checked([sys.executable, "-c", call], copy)
    return next(folder.glob("phar-*.tar.gz"))


@pytest.fixture(scope="module")
def programs(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the programs of an environment that has the wheel, made from the sdist alone."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    options = ["--no-deps", "--no-index", "--no-cache-dir"]
    checked([*pip, "wheel", *options, "--no-build-isolation", "-w", folder, sdist], folder)
    venv.create(folder / "environment", with_pip=False, symlinks=True)
    found = folder / "environment" / "bin"
    wheel = next(folder.glob("phar-*.whl"))
    checked([*pip, "--python", found / "python", "install", *options, wheel], folder)
    # The packages that phar needs are those of this environment; the checkout, if it is
    # installed there in place, is not: a .pth file inside of a linked folder counts for nothing.
    own = Path(
        checked(
            [found / "python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], folder
        ).strip()
    )
    (own / "packages.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return found


def test_an_sdist_has_what_a_checkout_has_and_nothing_that_was_fetched(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    assert {
        *("LICENSE", "SECURITY.md", "CHANGELOG.md", "README.md", "Makefile", "setup.py", "pyproject.toml"),
        *("requirements/install.sh", "configs/profiles/demo.yaml", "annotations/demo/rgb.txt"),
        *("checkpoints/demo/rgb.safetensors", "src/phar/export/page/page.html", "docs/cli.md"),
        *("samples/five_scenes.mp4", "tests/conftest.py", "docker/Dockerfile"),
    } <= names
    assert [name for name in names if "phar17" in name and name.startswith("checkpoints")] == []
    assert "checkpoints/checkpoints.lock" not in names


def test_the_wheel_works_outside_the_checkout(programs: Path, tmp_path: Path) -> None:
    look = (
        "import phar; from phar.profile import RESOURCES, bundled_profiles, load_profile\n"
        "print(phar.__file__); print(RESOURCES); [load_profile(name) for name in bundled_profiles()]"
    )
    module, resources = map(Path, checked([programs / "python", "-c", look], tmp_path).splitlines())
    assert module.is_relative_to(programs.parent)
    assert resources.is_relative_to(programs.parent)
    checked([programs / "phar-demo", SAMPLE, "out.json", "--profile", "demo"], tmp_path)
    report = json.loads((tmp_path / "out.json").read_text())
    assert report["profile"]["name"] == "demo"
    assert (len(report["clips"]), report["video"]["duration_s"]) == (9, 58.0)
    counted = dict(
        line.split("\t") for line in checked([programs / "phar-tags", "out.json"], tmp_path).splitlines()
    )
    assert len(counted) == 3
    assert set(counted) < set(report["labels"])
    assert sum(map(int, counted.values())) <= 2 * 9
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.json"]


def test_the_list_of_commands_is_up_to_date() -> None:
    found = importlib.util.spec_from_file_location("make_cli", ROOT / "docs" / "make_cli.py")
    assert found is not None
    assert found.loader is not None
    make_cli = importlib.util.module_from_spec(found)
    found.loader.exec_module(make_cli)
    assert (ROOT / "docs" / "cli.md").read_text(encoding="utf-8") == make_cli.page(), "run `make docs`"
