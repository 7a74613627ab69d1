"""What an installed phar brings: configs, label files and checkpoints are found without the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

LOOK = """
from pathlib import Path
import phar
from phar.profile import RESOURCES, load_labels, load_profile
package = Path(phar.__file__).parent
assert RESOURCES == package / "_resources", RESOURCES
print(phar.__version__, len(load_labels(RESOURCES / "annotations/demo/rgb.txt")), load_profile("demo").name)
assert (package / "export/report.schema.json").is_file()
from phar.export.html import SCRIPTS, STYLES
assert all((package / "export/page" / name).is_file() for name in ("page.html", *STYLES, *SCRIPTS))
assert (package / "synth/world_1.yaml").is_file()
from phar.serve.page import page
assert page()[0].startswith("<!doctype html>")
assert all((package / f"serve/store_{number}.sql").is_file() for number in (1, 2))
"""


def test_a_built_package_carries_its_resources(tmp_path: Path) -> None:
    command = [sys.executable, "setup.py", "--quiet", "build_py", "--build-lib", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    result = subprocess.run(
        [sys.executable, "-c", LOOK],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.stderr == ""
    assert result.stdout == "0.1.0 13 demo\n"


def test_mypy_checks_the_pure_rooms() -> None:
    files = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mypy"]["files"]
    assert {Path(name).stem for name in files} >= {"schema", "profile", "timeline", "fusion"}
    assert all((ROOT / name).exists() for name in files)
