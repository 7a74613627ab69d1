"""The scripts that complete commands, run by the shells they are for."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from phar.cli.main import COMMANDS, main


def script(shell: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    assert main(["--print-completion", shell]) == 0
    path = folder / "script"
    path.write_text(capsys.readouterr().out)
    return path


def said(shell: str, *arguments: str, cwd: Path) -> list[str]:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed")
    environment = {"PATH": os.environ["PATH"], "HOME": str(cwd)}
    done = subprocess.run(
        [program, *arguments], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


def test_bash_completes_commands_flags_choices_and_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = script("bash", tmp_path, capsys)
    (tmp_path / "film.mp4").touch()
    (tmp_path / "films").mkdir()

    def completed(line: str) -> list[str]:
        words = line.split(" ")
        function = f"_shtab_{words[0].replace('-', '_')}"
        quoted = " ".join(f"'{word}'" for word in words)
        # As bash calls it: the command, the word that is completed, the one before.
        call = f"{function} '{words[0]}' '{words[-1]}' '{words[-2]}'"
        code = f"source {path}; COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; {call}"
        return sorted(said("bash", "--norc", "-c", code + '; echo "${COMPREPLY[@]}"', cwd=tmp_path))

    assert set(completed("phar ")) == set(COMMANDS)
    assert completed("phar dem") == ["demo"]
    assert completed("phar demo --pre") == ["--preset"]
    assert completed("phar demo --preset b") == ["balanced"]
    assert completed("phar demo fil") == ["film.mp4", "films"]
    assert completed("phar batch --out fil") == ["films"]
    assert completed("phar dataset bu") == ["build"]
    assert completed("phar-demo film.mp4 out.json --timest") == ["--timestamps"]
    assert completed("phar-tags --rule s") == ["seconds", "share"]


def test_zsh_knows_all_programs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = script("zsh", tmp_path, capsys)
    assert path.read_text().startswith("#compdef phar phar-demo phar-tags\n")
    code = f'autoload -U compinit; compinit -u -D; eval "$(< {path})"; echo $_comps[phar-tags] $_comps[phar]'
    assert said("zsh", "-f", "-c", code, cwd=tmp_path) == ["_shtab_phar_tags", "_shtab_phar"]
    asked = (
        f'_arguments() {{ echo $0 $#; }}; service=phar-tags; source {path}; echo "$+functions[_shtab_phar]"'
    )
    assert said("zsh", "-f", "-c", asked, cwd=tmp_path)[-1] == "0"


def test_tcsh_takes_the_script(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = script("tcsh", tmp_path, capsys)
    listed = said("tcsh", "-f", "-c", f"source {path}; complete phar; complete phar-tags", cwd=tmp_path)
    assert f"'p/1/({' '.join(COMMANDS)})/'" in " ".join(listed)
    assert "'c/--rule=/(top2" in listed


@pytest.mark.parametrize("arguments", [[], ["ksh"], ["bash", "zsh"]])
def test_another_shell_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--print-completion", *arguments]) == 2
    assert capsys.readouterr().err == (
        f"phar: --print-completion: got {' '.join(arguments) or 'nothing'}; name one shell: bash, zsh, tcsh\n"
    )
