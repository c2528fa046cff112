"""Recipes x seeds: what is run, what is kept, what is never run twice; and the engine behind it."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel
from typer.testing import CliRunner

from sleepwake import recipebook, session
from sleepwake.cli import app
from sleepwake.engines import Command, Ended, Engine, Processes
from sleepwake.errors import SleepwakeError
from sleepwake.recipe import LanguageRecipe, VisionRecipe
from sleepwake.sweep import Arm, parse_seeds, read_ledger, sweep

QUICK = ("policy.nights=0", 'morning.probes="none"', "stream.tasks=2", "wake.steps=5", "dreamer.steps=5")


class Here:
    """An engine within this process, which remembers what it was given: the interface has room for more than one."""

    def __init__(self) -> None:
        self.given: list[list[str]] = []

    def run(self, commands: Sequence[Command]) -> Iterator[Ended]:
        """Run each command of the program by its own entry, the last first."""
        self.given += [list(command) for command in commands]
        for place in reversed(range(len(commands))):
            result = CliRunner().invoke(app, list(commands[place])[3:])
            yield Ended(place, result.exit_code, result.stderr)


def swept(arms: Sequence[Arm], folder: Path, engine: Engine) -> list[dict[str, Any]]:
    return sweep(arms, folder / "ledger.jsonl", folder / "runs", engine, ["--device", "cpu"], lambda text: None)


def test_what_the_ledger_holds_is_not_run_again(tmp_path: Path) -> None:
    first, again, other = Here(), Here(), Here()
    arms = [Arm("vision/tiny", seed, QUICK) for seed in (100, 101)]
    lines = swept(arms, tmp_path, first)
    assert [command[3] for command in first.given] == ["run", "run"]
    assert {line["seed"] for line in lines} == {100, 101}
    assert all(0 <= line["summary"]["acc"] <= 1 for line in lines)
    assert len({line["recipe_sha256"] for line in lines}) == 2
    assert swept(arms, tmp_path, again) == lines
    assert again.given == []
    changed = [Arm("vision/tiny", 100, (*QUICK[:-1], "dreamer.steps=6"))]
    assert len(swept([*arms, *changed], tmp_path, other)) == 3
    assert len(other.given) == 1, "the recipe that changed, and no other"


def test_a_setting_at_its_default_makes_no_other_run() -> None:
    assert Arm("vision/tiny", 100, QUICK).key == Arm("vision/tiny", 100, (*QUICK, 'wake.moments="fresh"')).key
    assert Arm("vision/tiny", 100, QUICK).key != Arm("vision/tiny", 100, (*QUICK, 'wake.moments="kept"')).key


def test_a_run_that_was_cut_off_is_resumed_and_comes_out_the_same(tmp_path: Path) -> None:
    arm, engine = Arm("vision/tiny", 100, QUICK), Here()
    (whole,) = swept([arm], tmp_path / "whole", Here())
    out = tmp_path / "cut" / "runs" / f"vision-tiny-100-{arm.key[:6]}"
    session.start(recipebook.find(arm.recipe), list(QUICK), 100, out, False, "cpu", None, 0.0)
    assert CliRunner().invoke(app, ["wake", str(out), "--device", "cpu"]).exit_code == 0
    (resumed,) = swept([arm], tmp_path / "cut", engine)
    assert engine.given[0][3:5] == ["resume", str(out)]
    assert resumed["summary"]["matrix"] == whole["summary"]["matrix"]


def test_a_run_that_fails_is_told_and_the_others_are_kept(tmp_path: Path) -> None:
    good, bad = Arm("vision/tiny", 100, QUICK), Arm("vision/dgr-split", 100, ('stream.data="nowhere.npz"',))
    with pytest.raises(SleepwakeError, match=r"(?s)1 of 2 runs failed.*dgr-split.*exit 2"):
        swept([bad, good], tmp_path, Here())
    assert [line["arm"] for line in read_ledger(tmp_path / "ledger.jsonl")] == [good.name]


def test_superseded_lines_do_not_count(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.jsonl"
    ledger.write_text('{"recipe_sha256": "a", "superseded": "why"}\n{"recipe_sha256": "b"}\n')
    assert [line["recipe_sha256"] for line in read_ledger(ledger)] == ["b"]
    assert read_ledger(tmp_path / "none.jsonl") == []


def test_processes_run_all_and_tell_how_each_ended() -> None:
    commands = [[sys.executable, "-c", f"import sys; print({n}, file=sys.stderr); sys.exit({n})"] for n in range(4)]
    ended = sorted(Processes(2).run(commands), key=lambda one: one.place)
    assert [(one.place, one.code, one.error.strip()) for one in ended] == [(n, n, str(n)) for n in range(4)]


@pytest.mark.parametrize(("text", "seeds"), [("0-2", [0, 1, 2]), ("3", [3]), ("5,1", [5, 1])])
def test_seeds_are_a_range_or_a_list(text: str, seeds: list[int]) -> None:
    assert parse_seeds(text) == seeds
    with pytest.raises(SleepwakeError, match="--seeds"):
        parse_seeds("a-b")


def unions(model: type[BaseModel], seen: set[type[BaseModel]]) -> Iterator[list[type[BaseModel]]]:
    """Every list of settings classes that a field of a recipe chooses from."""
    if model in seen:
        return
    seen.add(model)
    for field in model.model_fields.values():
        members = [
            part for part in get_args(field.annotation) or (field.annotation,) if isinstance(part, type) and issubclass(part, BaseModel)
        ]
        yield members
        for member in members:
            yield from unions(member, seen)


def test_no_two_choices_leave_their_type_unsaid() -> None:
    """What stands at its default is not in a run's key: two judges whose types were defaults made one run of two."""
    seen: set[type[BaseModel]] = set()
    choices = [members for model in (VisionRecipe, LanguageRecipe) for members in unions(model, seen) if len(members) > 1]
    assert len(choices) > 10
    for members in choices:
        unsaid = [one.__name__ for one in members if "type" in one.model_fields and not one.model_fields["type"].is_required()]
        assert len(unsaid) <= 1, unsaid


def test_arms_with_different_judges_are_different_runs() -> None:
    keys = {Arm("language/judges", 0, (f'judge={{type="{name}"}}',)).key for name in ("metamorphic", "majority", "random", "oracle")}
    assert len(keys) == 4
