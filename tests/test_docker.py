"""What can be said of the Docker images without an engine to build them."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from dockerfile_parse import DockerfileParser

from phar.cli import main as cli

ROOT = Path(__file__).resolve().parent.parent
FILES = ("docker/Dockerfile", "docker/Dockerfile.gpu")
STEPS = ["torch", "packages", "phar"]

both = pytest.mark.parametrize("name", FILES)


def parse(name: str) -> DockerfileParser:
    return DockerfileParser(fileobj=io.BytesIO((ROOT / name).read_bytes()))


def instructions(name: str) -> list[tuple[str, str]]:
    return [
        (step["instruction"], " ".join(step["value"].split()))
        for step in parse(name).structure
        if step["instruction"] != "COMMENT"
    ]


def values(name: str, instruction: str) -> list[str]:
    return [value for kind, value in instructions(name) if kind == instruction]


def copies(name: str) -> Iterator[tuple[list[str], str]]:
    """Sources and target of every COPY."""
    for value in values(name, "COPY"):
        *sources, target = value.split()
        yield sources, target


def ignored(path: str) -> bool:
    """Whether .dockerignore keeps a path out: the last rule that fits it, or a folder above it, says."""
    out = False
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        rule = re.escape(line.removeprefix("!").strip("/"))
        rule = (
            rule.replace(r"\*\*/", "(.*/)?")
            .replace(r"\*\*", ".*")
            .replace(r"\*", "[^/]*")
            .replace(r"\?", "[^/]")
        )
        if re.fullmatch(f"{rule}(/.*)?", path):
            out = not line.startswith("!")
    return out


def context(source: str) -> list[Path]:
    """The files that a COPY of `source` takes."""
    path = ROOT / source
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    relative = [file.relative_to(ROOT) for file in files]
    return [file for file in relative if not ignored(file.as_posix())]


def install_steps(command: str) -> list[str]:
    """The steps of install.sh that a RUN asks for."""
    words = shlex.split(command)
    if "requirements/install.sh" not in words:
        return []
    rest = words[words.index("requirements/install.sh") + 1 :]
    return rest[: rest.index("&&")] if "&&" in rest else rest


def trace(tmp_path: Path, *steps: str, **settings: str) -> tuple[int, list[str], str]:
    """Run install.sh with a Python that only notes what it is asked for: exit code, requests, stderr."""
    log = tmp_path / "log"
    log.write_text("")
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\necho "$@" >> {shlex.quote(str(log))}\n[ "$1" != -c ]\n')
    python.chmod(0o755)
    result = subprocess.run(
        ["sh", str(ROOT / "requirements/install.sh"), *steps],
        env={"PATH": os.environ["PATH"], "PYTHON": str(python), **settings},
        capture_output=True,
        text=True,
        check=False,
    )
    return result.returncode, log.read_text().splitlines(), result.stderr


@both
def test_an_image_installs_by_the_steps_of_install_sh_and_by_nothing_else(name: str, tmp_path: Path) -> None:
    runs = values(name, "RUN")
    assert [step for run in runs for step in install_steps(run)] == STEPS
    assert not [run for run in runs if re.search(r"\b(pip|conda|apt|apt-get|curl|wget)\b", run)]
    one_by_one = [trace(tmp_path, step)[1] for step in STEPS]
    assert [request for requests in one_by_one for request in requests] == trace(tmp_path)[1]
    assert all(one_by_one)


@both
def test_a_step_has_its_files_before_it_and_the_source_comes_after_the_packages(name: str) -> None:
    there: set[str] = set()
    for kind, value in instructions(name):
        if kind == "COPY":
            there.update(file.as_posix() for source in value.split()[:-1] for file in context(source))
        for step in install_steps(value) if kind == "RUN" else []:
            lists = {f"requirements/{name}.txt" for name in ("runtime", "no-deps", "openmmlab")}
            needed = {"requirements/install.sh"} | (lists if step == "packages" else set())
            assert there >= needed if step == "phar" else there >= needed and there <= lists | needed
    assert "src/phar/__init__.py" in there


@both
def test_every_source_of_a_copy_is_here_and_is_not_ignored(name: str) -> None:
    for sources, target in copies(name):
        for source in sources:
            assert (ROOT / source).exists(), source
            assert context(source), source
            # A folder's contents are copied, not the folder: its name has to be said again.
            assert not (ROOT / source).is_dir() or target.strip("/") == source


def test_the_context_holds_nothing_but_what_the_images_copy() -> None:
    admitted = [
        line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")
    ]
    assert all((ROOT / path).exists() for path in admitted)
    sent = {file for path in admitted for file in context(path)}
    copied = {
        file
        for name in FILES
        for sources, _ in copies(name)
        for source in sources
        for file in context(source)
    }
    assert sent == copied


@pytest.mark.parametrize(
    ("path", "out"),
    [
        ("video.mp4", True),
        ("samples/six_scenes.mp4", True),
        (".git/HEAD", True),
        (".venv/bin/python", True),
        ("work_dirs/rgb/epoch_1.pth", True),
        ("checkpoints/phar17/audio.pth", True),
        ("requirements/dev.txt", True),
        ("requirements/ray.txt", True),
        ("src/phar/__pycache__/schema.cpython-311.pyc", True),
        ("src/phar.egg-info/PKG-INFO", True),
        ("checkpoints/metafile.yml", False),
        ("checkpoints/demo/audio.safetensors", False),
        ("checkpoints/moderation/moderation.safetensors", False),
        ("checkpoints/moderation/i3d.pth", True),
        ("requirements/install.sh", False),
        ("src/phar/export/report.schema.json", False),
    ],
)
def test_downloads_videos_and_leftovers_are_ignored(path: str, out: bool) -> None:
    assert ignored(path) is out


@both
def test_what_is_copied_is_enough_to_build_the_whole_package(name: str, tmp_path: Path) -> None:
    image = tmp_path / "image"
    for sources, _ in copies(name):
        for file in [file for source in sources for file in context(source)]:
            (image / file).parent.mkdir(parents=True, exist_ok=True)
            (image / file).write_bytes((ROOT / file).read_bytes())

    def build(root: Path, target: Path) -> set[str]:
        command = [sys.executable, "setup.py", "--quiet", "build_py", "--build-lib", str(target)]
        subprocess.run(command, cwd=root, check=True, capture_output=True)
        return {path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file()}

    checkout = build(ROOT, tmp_path / "checkout")
    # Checkpoints that lie beside the bundled ones stay out of the image.
    kept = {
        path
        for path in checkout
        if not path.startswith("phar/_resources/") or not ignored(path.removeprefix("phar/_resources/"))
    }
    assert build(image, tmp_path / "built") == kept
    assert {"phar/_resources/configs/profiles/demo.yaml", "phar/export/report.schema.json"} <= kept


@both
def test_an_image_ends_as_a_user_that_is_not_root_and_examines_itself_as_that_user(name: str) -> None:
    steps = instructions(name)
    (user,) = values(name, "USER")
    uid, gid = map(int, user.split(":"))
    assert uid > 0
    assert gid > 0
    assert any(f"useradd --uid {uid} --gid {gid} " in run for run in values(name, "RUN"))
    after = steps[steps.index(("USER", user)) :]
    # yapf's grammar, left in the home of this uid, would stop every other one.
    assert [value for kind, value in after if kind == "RUN"] == [
        "HOME=/tmp/doctor phar doctor && rm -r /tmp/doctor"
    ]


@both
def test_folders_that_are_written_are_named_and_open_to_every_uid(name: str) -> None:
    environment = parse(name).envs
    assert environment["PHAR_CHECKPOINTS"] == "/checkpoints"
    assert environment["PHAR_CACHE"] == "/cache"
    assert environment["HOME"] == "/tmp"
    assert [json.loads(value) for value in values(name, "VOLUME")] == [["/cache", "/checkpoints"]]
    assert values(name, "WORKDIR")[-1] == "/data"
    opened = next(run for run in values(name, "RUN") if "install -d" in run)
    assert "install -d -m 1777 /cache /checkpoints /data " in opened


@both
def test_a_command_can_be_given_and_help_is_printed_without_one(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert values(name, "ENTRYPOINT") == []
    command = json.loads(values(name, "CMD")[-1])
    assert command[0] == "phar"
    assert cli.main(command[1:]) == 0
    assert "phar COMMAND" in capsys.readouterr().out


@both
def test_the_base_has_the_python_that_phar_asks_for(name: str) -> None:
    (base,) = values(name, "FROM")
    asked = re.search(r'python_requires=">=(3\.\d+),<3\.(\d+)"', (ROOT / "setup.py").read_text())
    assert asked is not None
    assert base.startswith(f"python:{asked[1]}-slim-")
    assert int(asked[2]) == int(asked[1].split(".")[1]) + 1


def test_the_images_differ_in_torch_and_in_what_the_gpu_needs() -> None:
    cpu, gpu = (instructions(name) for name in FILES)
    assert [step for step in cpu if step not in gpu] == [
        ("RUN", "PHAR_TORCH=cpu sh requirements/install.sh torch")
    ]
    assert [step for step in gpu if step not in cpu] == [
        ("ENV", "NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility"),
        ("RUN", "PHAR_TORCH=cuda sh requirements/install.sh torch"),
    ]
    assert [kind for kind, _ in gpu if kind != "ENV"] == [kind for kind, _ in cpu if kind != "ENV"]


def test_docs_name_files_and_folders_that_are_there() -> None:
    text = (ROOT / "docs/docker.md").read_text()
    assert set(re.findall(r"docker build -f (\S+)", text)) == set(FILES)
    folders = {"/data", "/cache", "/checkpoints"}
    mounted = set(re.findall(r"-v \S+?:(/\w+)", text))
    assert mounted == folders
    assert "docs/docker.md" in (ROOT / "README.md").read_text()


def test_lint_reads_every_dockerfile() -> None:
    (line,) = re.findall(r"^\t\$\(BIN\)/hadolint (.+)$", (ROOT / "Makefile").read_text(), re.M)
    assert line.split() == sorted(
        path.relative_to(ROOT).as_posix() for path in ROOT.glob("docker/Dockerfile*")
    )


def test_install_sh_asks_for_the_torch_it_is_set_to(tmp_path: Path) -> None:
    code, cpu, _ = trace(tmp_path, "torch")
    assert code == 0
    assert [re.findall(r"torch==\S+", line) for line in cpu] == [["torch==2.13.0+cpu"]]
    code, cuda, _ = trace(tmp_path, "torch", PHAR_TORCH="cuda")
    assert code == 0
    assert [re.findall(r"torch==\S+", line) for line in cuda] == [["torch==2.13.0"]]


def test_install_sh_refuses_what_it_does_not_know(tmp_path: Path) -> None:
    assert trace(tmp_path, PHAR_TORCH="rocm")[0::2] == (
        2,
        "install.sh: PHAR_TORCH is 'rocm'; use cpu or cuda\n",
    )
    code, requests, error = trace(tmp_path, "pytorch")
    assert (code, requests) == (2, [])
    assert error == "install.sh: step 'pytorch' is unknown; use torch, packages, phar\n"
