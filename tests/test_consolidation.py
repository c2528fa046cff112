"""Consolidation by distillation: what it may teach."""

from pathlib import Path

import pytest
from days import day, saved

from sleepwake import recipe as recipes
from sleepwake import recipebook
from sleepwake.domains.language import consolidation
from sleepwake.domains.language.domain import Language, build
from sleepwake.domains.language.problems import Line
from sleepwake.errors import RecipeError

UNSURE = ("wake.steps=40", "sleep.consolidate.steps=5")


def taught(domain: Language, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Line]:
    """What a night's consolidation teaches of the day's levels after a day that was too short."""
    mind, dusk = domain.mind(), domain.mind()
    day(domain, mind)
    dusk.load(saved(mind, tmp_path / domain.recipe.judge.type))
    found: list[Line] = []
    draw = consolidation.Lesson.draw

    def noted(lesson: consolidation.Lesson, step: int) -> list[Line]:
        drawn = list(draw(lesson, step))
        found.extend(drawn)
        return drawn

    monkeypatch.setattr(consolidation.Lesson, "draw", noted)
    with domain.guard.night():
        domain.consolidation.consolidate(mind, dusk, 1)
    return found


@pytest.mark.parametrize("lines", ["written", "judged"])
def test_what_the_judge_rejects_is_not_taught(lines: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the truth as judge, an unsure learner's own errors are all left out; without a judge they are taught."""
    changes = (*UNSURE, f'sleep.consolidate.lines="{lines}"', 'judge.type="oracle"')
    domain = build(recipes.load(recipebook.find("language/tiny"), changes, 100), "cpu", ())
    found = taught(domain, tmp_path, monkeypatch)
    right = [line.answer == domain.families[line.problem.family].solve(line.problem.text) for line in found]
    assert any(right)
    assert all(right) == (lines == "judged")


def test_what_the_judge_can_not_tell_is_taught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A problem of one character has no easier parts."""
    changes = (*UNSURE, 'sleep.consolidate.lines="judged"', 'judge.type="metamorphic"')
    domain = build(recipes.load(recipebook.find("language/tiny"), changes, 100), "cpu", ())
    found = taught(domain, tmp_path, monkeypatch)
    assert any(domain.families[line.problem.family].level(line.problem.text) == 1 for line in found)


def test_a_larger_learner_is_taught_what_the_smaller_one_writes() -> None:
    with pytest.raises(RecipeError, match='lines = "written"'):
        recipes.load(recipebook.find("language/tiny-seeding"), ('sleep.consolidate.lines="judged"',), 100)
