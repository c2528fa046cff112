"""Nights on what is kept of the days alone: the control without dreams."""

from pathlib import Path

import pytest
from days import day, saved

from sleepwake import recipe as recipes
from sleepwake import recipebook
from sleepwake.domains.language import consolidation
from sleepwake.domains.language.domain import build
from sleepwake.errors import RecipeError

STORED = ['wake.replay={type="exact", budget=60}', 'sleep.consolidate={type="distil", lines="stored", steps=5, batch=16}', "wake.steps=20"]


def test_stored_lines_are_all_that_is_taught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No problem is written and nothing answered; lines come with the day's own answers, by night, where tasks' data can't be read."""
    domain = build(recipes.load(recipebook.find("language/tiny"), STORED, 100), "cpu", ())
    mind, dusk = domain.mind(), domain.mind()
    day(domain, mind)
    dusk.load(saved(mind, tmp_path / "dusk"))
    for each in (mind, dusk):
        monkeypatch.setattr(each.learner, "write", None)
        monkeypatch.setattr(each.learner, "attempt", None)
    taught = set()
    draw = consolidation.Lesson.draw
    monkeypatch.setattr(consolidation.Lesson, "draw", lambda lesson, step: [taught.add(line) or line for line in draw(lesson, step)])
    with domain.guard.night():
        facts = domain.consolidation.consolidate(mind, dusk, 1)
    assert (facts["old"], facts["new"], facts["steps"]) == (60, 0, 5)
    assert taught <= set(mind.memory.lines())
    assert taught <= set(domain.examples(domain.tasks[0]).lines)


def test_what_is_not_stored_can_not_be_taught() -> None:
    with pytest.raises(RecipeError, match="nothing is stored"):
        recipes.load(recipebook.find("language/tiny"), STORED[1:], 100)
