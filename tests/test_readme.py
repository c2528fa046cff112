"""The README stays true: its commands run, its recipes exist, every command stands in it."""

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sleepwake import recipebook
from sleepwake.cli import app

README = (Path(__file__).parent.parent / "README.md").read_text()
BLOCKS = re.findall(r"```(?:sh|bash|console)\n(.*?)```", README, re.S)
COMMANDS = [line.split("  #")[0].strip() for block in BLOCKS for line in block.splitlines() if line.startswith("sleepwake ")]
MAKE = [line.split("#")[0].strip() for block in BLOCKS for line in block.splitlines() if line.startswith("make ")]


def test_every_command_stands_in_the_readme() -> None:
    for command in app.registered_commands:
        assert command.callback is not None
        assert f"sleepwake {command.name or command.callback.__name__}" in README


def test_every_make_target_is_there() -> None:
    makefile = (Path(__file__).parent.parent / "Makefile").read_text()
    assert {"make quickstart", "make test"} <= set(MAKE)
    for line in MAKE:
        assert f"\n{line.removeprefix('make ')}:" in makefile


def test_named_recipes_exist() -> None:
    for name in re.findall(r"`((?:vision|language)/[a-z0-9-]+)`", README):
        assert name in recipebook.names(), name


def test_the_readme_commands_run_one_after_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As they stand, in an empty folder, but with the tiny recipe in place of slow ones; in this process, which has torch loaded."""
    monkeypatch.chdir(tmp_path)
    for line in COMMANDS:
        quick = line.replace("sleepwake run quickstart", "sleepwake run vision/tiny --out checkpoints/quickstart-0")
        quick = re.sub(r"sleepwake sweep .*", "sleepwake sweep vision/tiny --seeds 100 --page sweep.html", quick)
        words = shlex.split(quick.split(" > ")[0])
        done = CliRunner().invoke(app, words[1:])
        assert done.exit_code == 0, f"{line}\n{done.output}{done.exception}"


@pytest.mark.parametrize("line", COMMANDS)
def test_shown_options_exist(line: str) -> None:
    words = shlex.split(line)
    shown = CliRunner(env={"COLUMNS": "200"}).invoke(app, [words[1], "--help"]).output
    if words[1] != "recipes":
        for option in (word for word in words if word.startswith("--")):
            assert option in shown
