"""The command line as a user meets it: steps by hand, folders in the way, exit codes."""

import json
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner, Result

from sleepwake import recipebook
from sleepwake.cli import app

pytestmark = pytest.mark.filterwarnings("default::DeprecationWarning:matplotlib")


def call(*args: object) -> Result:
    return CliRunner().invoke(app, [str(arg) for arg in args])


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of `vision/tiny`."""
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    result = call("run", "vision/tiny", "--out", folder)
    assert result.exit_code == 0, result.output
    return folder


def test_a_run_ends_with_its_numbers_and_its_report(run: Path) -> None:
    summary = json.loads((run / "summary.json").read_text())
    assert summary["status"] == "done"
    assert summary["acc"] >= 0.8
    assert (run / "report.html").stat().st_size > 10_000
    assert "://" not in (run / "report.html").read_text().replace("http://www.w3.org", ""), "the page needs no network"


def test_a_finished_run_says_so(run: Path) -> None:
    before = (run / "journal.jsonl").read_bytes()
    result = call("resume", run)
    assert result.exit_code == 0
    assert "is finished" in result.output
    assert (run / "journal.jsonl").read_bytes() == before


def test_a_folder_that_holds_a_run_is_not_overwritten_unasked(run: Path) -> None:
    result = call("run", "vision/tiny", "--out", run)
    assert result.exit_code == 2
    assert "resume" in result.stderr
    assert "--overwrite" in result.stderr


def test_status_explain_eval_report(run: Path) -> None:
    assert json.loads(call("status", run, "--json").stdout)["recipe"] == "tiny"
    assert "every file is what was committed" in call("status", run, "--verify").output
    assert "round 1 of 2" in call("explain", run).output.replace("night 1 of 1 after day 1", "round 1 of 2")
    scored = call("eval", run)
    assert scored.exit_code == 0, scored.output
    assert call("report", run).exit_code == 0
    assert "every file is what was committed" in call("status", run, "--verify").output


def test_the_boundary_is_measured_noted_and_shown(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    assert call("run", "language/tiny", "--out", folder).exit_code == 0
    measured = call("eval", folder, "--boundary", "--problems", 5, "--samples", 8)
    assert measured.exit_code == 0, measured.output
    assert "pass@4 before" in measured.output
    assert "solved by half of the samples" in " ".join(measured.output.split())
    summary = json.loads((folder / "summary.json").read_text())
    found = summary["boundary"]
    assert summary["status"] == "done"
    assert "is finished" in call("resume", folder).output
    assert call("explain", folder).exit_code == 0
    assert (found["k"], found["n"], found["problems"]) == (4, 8, 5)
    assert set(found["levels"]) == set(found["families"]) == {"reverse", "copy"}
    for levels in found["levels"].values():
        assert [row["dreamed"] for row in levels.values()][-3:] == [True, False, False]
        assert next(iter(levels)) == "3", "the lowest that no day taught"
        assert all(0 <= row["before_1"] <= row["before"] <= 1 for row in levels.values())
        assert all(row["guessed"] == pytest.approx(4 * 10.0 ** -int(level), rel=0.01) for level, row in levels.items()), "four guesses"
    assert "every file is what was committed" in call("status", folder, "--verify").output
    assert call("report", folder).exit_code == 0
    page = (folder / "report.html").read_text()
    assert "Was it out of reach before?" in page
    assert page.count("(never dreamed)") == 4
    again = call("eval", folder, "--boundary", "--problems", 5, "--samples", 8)
    assert again.stdout == measured.stdout, "the same samples"
    fewer = call("eval", folder, "--boundary", "--problems", 5, "--samples", 8, "--to", 3)
    assert fewer.exit_code == 0, fewer.output
    short = json.loads((folder / "summary.json").read_text())["boundary"]["levels"]
    for family, levels in found["levels"].items():
        kept = {level: row for level, row in levels.items() if int(level) <= 3}
        assert short[family] == kept, "the same samples of the levels that are left"
        assert len(kept) < len(levels)
    none = call("eval", folder, "--boundary", "--to", 2)
    assert none.exit_code == 2
    assert "days taught levels 1 to 2" in none.stderr
    assert "write --to 3 or more" in none.stderr


def test_the_boundary_of_a_run_without_levels(run: Path) -> None:
    told = call("eval", run, "--boundary")
    assert told.exit_code == 2
    assert "without levels" in told.stderr


def test_steps_by_hand(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    assert call("run", "vision/tiny", "--out", folder, "--steps", 0).exit_code == 0
    assert json.loads((folder / "state.json").read_text())["step"] == 0
    assert call("sleep", folder).exit_code == 2
    assert call("wake", folder).exit_code == 0
    assert call("wake", folder).exit_code == 0, "a night may be left out by hand"
    assert call("wake", folder).exit_code == 2
    assert call("sleep", folder).exit_code == 0
    refused = call("wake", folder)
    assert refused.exit_code == 2
    assert "night is not over" in refused.stderr
    assert str(folder) in refused.stderr
    state = json.loads((folder / "state.json").read_text())
    assert [commit["name"] for commit in state["commits"]] == ["00001-wake", "00002-wake", "00003-round"]
    assert call("status", folder, "--verify").exit_code == 0


def test_resume_under_a_changed_recipe_lists_the_fields(tmp_path: Path) -> None:
    folder, changed = tmp_path / "run", tmp_path / "changed.toml"
    call("run", "vision/tiny", "--out", folder, "--steps", 0)
    changed.write_text(recipebook.find("vision/tiny").read_text())
    assert call("resume", folder, "--recipe", changed).exit_code == 0
    text = changed.read_text()
    changed.write_text(text.replace("rounds = 2", "rounds = 3"))
    call("run", "vision/tiny", "--out", folder, "--steps", 0, "--overwrite")
    result = call("resume", folder, "--recipe", changed)
    assert result.exit_code == 2
    assert "sleep.rounds: 2 -> 3" in result.stderr


def test_missing_data_names_all_three_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLEEPWAKE_DATA", str(tmp_path / "environment"))
    result = call("run", "vision/split-mnist", "--data", tmp_path / "option", "--out", tmp_path / "run")
    assert result.exit_code == 2
    assert str(tmp_path / "option") in result.stderr
    assert str(tmp_path / "environment") in result.stderr
    assert "recipes" in result.stderr
    assert not (tmp_path / "run").exists(), "nothing is made before the data are found"


def test_no_run_there(tmp_path: Path) -> None:
    for command in ("resume", "wake", "sleep", "status", "report", "explain", "eval"):
        result = call(command, tmp_path / "none")
        assert result.exit_code == 2, command
        assert "holds no run" in result.stderr


def test_recipes_and_doctor(tmp_path: Path) -> None:
    assert "quickstart" in call("recipes", "list").output
    assert "# Optimizer steps a day" in call("recipes", "show", "vision/tiny").output
    assert "VisionRecipe" in json.loads(call("recipes", "schema").output)["$defs"]
    assert "torch" in call("doctor").output
    assert call("recipes", "copy", "quickstart", tmp_path / "mine.toml").exit_code == 0
    assert call("recipes", "copy", "quickstart", tmp_path / "mine.toml").exit_code == 2
    assert 'name = "mine"' in (tmp_path / "mine.toml").read_text(), "its runs get folders of their own"
    nowhere = call("check", "language/tinny")
    assert nowhere.exit_code == 2
    assert "did you mean language/tiny" in nowhere.stderr


def test_every_command_has_help_with_an_example() -> None:
    commands = [command.name or command.callback.__name__ for command in app.registered_commands if command.callback]
    for command in commands:
        assert "Example: sleepwake" in " ".join(call(command, "--help").output.split()), command


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["run", "language/tiny", "--device", "tpu"], "--device cpu"),
        (["run", "language/tiny", "--out", "{file}"], "can't be written"),
        (["run", "language/tiny", "--out", "{file}/run"], "can't be written"),
        (["recipes", "copy", "quickstart", "{file}/mine.toml"], "can't be written"),
        (["sweep", "vision/tiny", "--page", "{file}/page.html"], "can't be written"),
        (["sweep", "vision/tiny", "--ledger", "{file}/ledger.jsonl"], "can't be written"),
    ],
)
def test_what_can_t_be_had_is_told_in_a_line(command: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "file"
    file.touch()
    result = call(*(part.format(file=file) for part in command))
    assert result.exit_code == 2
    assert said in result.stderr
    assert list(tmp_path.iterdir()) == [file], "nothing is left behind"


def test_dreams_of_text_go_into_a_file_that_is_named(tmp_path: Path) -> None:
    few = ["--set", "wake.steps=10", "--set", "stream.frontier_tests=20", "--steps", "1"]
    assert call("run", "language/tiny", "--out", tmp_path / "run", *few).exit_code == 0
    result = call("dream", tmp_path / "run", "--out", tmp_path / "dreams.jsonl")
    assert result.exit_code == 0, result.output
    dreams = [json.loads(line) for line in (tmp_path / "dreams.jsonl").read_text().splitlines()]
    assert f"{len(dreams)} dreams" in result.output
    assert {"problem", "answer", "accepted"} <= dreams[0].keys()


def test_a_device_that_is_not_there_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    result = call("run", "vision/tiny", "--device", "cuda", "--out", tmp_path / "run")
    assert result.exit_code == 2
    assert "torch sees no CUDA device" in result.stderr
    assert not (tmp_path / "run").exists()
