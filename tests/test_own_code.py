"""Classes of a user's own, named by a recipe: they run with --allow-code alone."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sleepwake import domains
from sleepwake import recipe as recipes
from sleepwake.cli import app
from sleepwake.errors import DataError, RecipeError

HERE = Path(__file__).parent
RECIPES = HERE.parent / "recipes"
STREAM = f'stream={{type="own", code="{HERE}/own_parts.py:few", tasks=2}}'
JUDGE = f'judge={{type="own", code="{HERE}/own_parts.py:Lenient"}}'
QUICK = ["--set", "wake.steps=20", "--set", "dreamer.steps=20", "--set", 'morning.probes="kept"', "--set", "sleep.rounds=1"]


def test_own_code_needs_a_flag_at_the_start_and_at_every_resume(tmp_path: Path) -> None:
    folder = str(tmp_path / "run")
    command = ["run", "vision/tiny", "--out", folder, *QUICK, "--set", STREAM, "--set", JUDGE, "--steps", "2"]
    refused = CliRunner().invoke(app, command)
    assert refused.exit_code == 2
    assert "--allow-code" in refused.stderr
    assert "own_parts.py:Lenient" in refused.stderr
    assert "own_parts.py:few" in refused.stderr
    assert not Path(folder).exists()
    assert CliRunner().invoke(app, [*command, "--allow-code"]).exit_code == 0
    assert CliRunner().invoke(app, ["resume", folder]).exit_code == 2
    assert CliRunner().invoke(app, ["resume", folder, "--allow-code"]).exit_code == 0
    summary = json.loads((Path(folder) / "summary.json").read_text())
    assert summary["status"] == "done"
    assert {row["judge"] for row in summary["judge_audit"]} == {"own"}
    assert all(row["accepted"] == row["judged"] for row in summary["judge_audit"]), "this judge accepts everything"


def test_a_family_of_ones_own_is_learned_beside_the_shipped_ones() -> None:
    family = f"{HERE}/own_parts.py:Echo"
    checked = recipes.load(RECIPES / "language" / "tiny.toml", [f'stream.tasks=[["reverse", "{family}"]]'])
    with pytest.raises(RecipeError, match="allow-code"):
        domains.build(checked, "cpu", ())
    domain = domains.build(checked, "cpu", (), allow_code=True)
    assert domain.tasks[0].parts == ("reverse", family)
    lines = [line for line in domain.examples(domain.tasks[0]).lines if line.problem.family == family]
    assert lines
    assert all(line.answer == line.problem.text for line in lines)


@pytest.mark.parametrize(
    ("code", "error", "said"),
    [
        ("no_such.py:Judge", DataError, "no_such.py"),
        (f"{HERE}/own_parts.py:NoSuch", RecipeError, "NoSuch"),
        ("no.such.module:Judge", RecipeError, "no.such.module"),
    ],
)
def test_code_that_is_not_there_is_told(code: str, error: type[Exception], said: str) -> None:
    checked = recipes.load(RECIPES / "vision" / "tiny.toml", [f'judge={{type="own", code="{code}"}}', 'morning.probes="kept"'])
    with pytest.raises(error) as caught:
        domains.build(checked, "cpu", (), allow_code=True)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("class Mine: pass", "is called with settings, families, guard, fresh"),
        ("class Mine:\n    def __init__(self, settings, families, guard, fresh): pass\n    def verdicts(self, material, seed): pass",
         "has no freeze, learn, load, metrics, save"),
        ("1 / 0", "ZeroDivisionError"),
        ("Mine = ", "SyntaxError"),
    ],
)  # fmt: skip
def test_a_judge_that_is_none_is_told_before_a_folder_is_made(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(text)
    judge = f'judge={{type="own", code="{tmp_path}/mine.py:Mine"}}'
    result = CliRunner().invoke(app, ["run", "language/tiny", "--allow-code", "--out", str(tmp_path / "run"), "--set", judge])
    assert result.exit_code == 2
    assert said in result.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("class Mine(Copy):\n    prefix = 'd'", "can't be written"),
        ("class Mine(Copy):\n    prefix = 'r'", "both begin with 'r'"),
        ("class Mine:\n    prefix = 'p'\n    def __init__(self, guard): pass", "has no answer_formed"),
        ("class Mine: pass", "is called with guard"),
    ],
)
def test_a_family_that_is_none_is_told_before_a_folder_is_made(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(f"from sleepwake.domains.language.families import Copy\n{text}")
    tasks = f'stream.tasks=[["reverse", "{tmp_path}/mine.py:Mine"]]'
    result = CliRunner().invoke(app, ["run", "language/tiny", "--allow-code", "--out", str(tmp_path / "run"), "--set", tasks])
    assert result.exit_code == 2
    assert said in result.stderr
    assert not (tmp_path / "run").exists()


def test_verdicts_that_are_none_are_told(tmp_path: Path) -> None:
    judge = "from own_parts import Easy\nclass Mine(Easy):\n    def verdicts(self, material, seed): return 0.5"
    (tmp_path / "mine.py").write_text(judge)
    asked = ["--set", f'judge={{type="own", code="{tmp_path}/mine.py:Mine"}}', "--set", "wake.steps=10", "--out", str(tmp_path / "run")]
    result = CliRunner().invoke(app, ["run", "language/tiny", "--allow-code", *asked])
    assert result.exit_code == 2
    assert "return Verdicts(rewards, reasons)" in result.stderr


def test_code_is_of_one_form() -> None:
    with pytest.raises(RecipeError, match=r"judge\.code"):
        recipes.load(RECIPES / "vision" / "tiny.toml", ['judge={type="own", code="import os"}', 'morning.probes="kept"'])
