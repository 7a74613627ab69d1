"""The house keeps its order: which room imports which, and what never comes in."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parent.parent / "src" / "phar"

#: Rooms by floor: a room may import itself and rooms of lower floors.
FLOORS = (
    {"schema", "clock", "foreign"},
    {"processes", "profile", "media", "timeline", "fusion"},
    {"openmmlab", "export", "synth", "recompute"},
    {"streams"},
    {"pipeline"},
    {"dataset"},
    {"training", "evaluate", "models", "moderation", "batch"},
    {"serve"},
    {"cli"},
)
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}

#: Where ffmpeg and OpenMMLab may be imported.
ONLY_IN = {
    "av": {"media"},
    "imageio_ffmpeg": {"media", "cli"},
    "moviepy": {"media"},
    "ray": {"batch"},
    "fsspec": {"batch"},
    **{name: {"serve"} for name in ("fastapi", "starlette", "uvicorn")},
    **{name: {"openmmlab"} for name in ("mmaction", "mmcv", "mmdet", "mmengine", "mmpose")},
}

FILES = sorted(SOURCE.rglob("*.py"))


def room_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imported(path: Path) -> Iterator[str]:
    """Yield the full names of everything a file imports, wherever in the file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield from (f"{node.module}.{name.name}" for name in node.names)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_room_imports_only_from_lower_floors(path: Path) -> None:
    room = room_of(path)
    if room == "__init__":
        return
    assert room in FLOOR, f"{room} is no room of the house; give it a floor"
    for name in imported(path):
        if not name.startswith("phar."):
            continue
        other = name.split(".")[1]
        if other not in FLOOR:
            assert other == "__version__", f"{path}: {name} is no room"
            continue
        assert other == room or FLOOR[other] < FLOOR[room], f"{room} must not import {name}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_ffmpeg_and_openmmlab_stay_in_their_rooms(path: Path) -> None:
    for name in imported(path):
        rooms = ONLY_IN.get(name.split(".")[0])
        assert rooms is None or room_of(path) in rooms, f"{path}: {name} belongs in {rooms}"


def test_no_file_is_a_drawer_for_leftovers() -> None:
    names = {part.removesuffix(".py") for path in FILES for part in path.relative_to(SOURCE).parts}
    assert names.isdisjoint({"utils", "util", "misc", "common", "helpers", "helper"})


def test_a_file_stays_readable() -> None:
    long = {str(path): lines for path in FILES if (lines := len(path.read_text().splitlines())) > 450}
    assert long == {}


@pytest.mark.parametrize(
    "call",
    [
        "from phar.cli.main import main; main(['--help'])",
        "from phar.cli.main import main; main(['tags', '--help'])",
        "from phar.cli.tags import main; main([REPORT])",
        "from phar.cli.tags import main; main([REPORT, REPORT])",
        "from phar.cli.demo import main; main(['--help'])",
        "from phar.cli.main import main; main(['export', REPORT, OUT])",
        "from phar.cli.main import main; main(['export', REPORT, OUT, '--format', 'cvat'])",
        "from phar.cli.main import main; main(['batch', '--help'])",
        "from phar.cli.main import main; main(['batch', REPORT, '--out=o', '--profile=demo', '--dry-run'])",
        "from phar.cli.main import main; main(['find', '--help'])",
        "from phar.cli.main import main; main(['filter', '--help'])",
        "from phar.cli.main import main; main(['clips', '--help'])",
        "from phar.cli.main import main; main(['models', 'list'])",
        "from phar.cli.main import main; main(['dataset', '--help'])",
        "from phar.cli.main import main; main(['models', 'verify', 'demo'])",
        "from phar.cli.main import main; main(['moderate', '--help'])",
        "from phar.cli.main import main; main(['moderate', 'run', REPORT, OUT, '--policy', POLICY])",
        "from phar.cli.main import main; main(['serve', '--help'])",
        "import phar; phar.__version__",
    ],
)
def test_light_commands_import_no_torch(call: str, report: object, tmp_path: Path) -> None:
    from phar.export import WRITERS

    WRITERS["json"].write(report, tmp_path / "report.json")
    (tmp_path / "policy.yaml").write_text(
        "{policy: p, version: 1, categories: {c: {labels: [ring], actions: {review: 0.5}}}}"
    )
    code = "\n".join(
        [
            "import sys",
            f"REPORT, OUT = {str(tmp_path / 'report.json')!r}, {str(tmp_path / 'out.json')!r}",
            f"POLICY = {str(tmp_path / 'policy.yaml')!r}",
            "try:",
            f"    {call}",
            "except SystemExit:",
            "    pass",
            "heavy = {'torch', 'mmengine', 'openvino', 'librosa', 'av', 'cv2', 'polars'} & set(sys.modules)",
            "sys.exit(f'imported {heavy}' if heavy else 0)",
        ]
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")


def test_test_files_have_names_of_their_own() -> None:
    """Test folders are no packages, so pytest imports their files by bare name."""
    names = [path.name for path in Path(__file__).parent.rglob("*.py") if path.name != "conftest.py"]
    assert sorted(names) == sorted(set(names))
