"""Consolidation by PEFT's merges."""

from pathlib import Path
from typing import Any

import pytest
from days import day, saved
from torch.nn.utils import parameters_to_vector

from sleepwake import recipe as recipes
from sleepwake.domains.language.domain import Language, build
from sleepwake.domains.language.problems import Problem
from sleepwake.errors import RecipeError

RECIPE = Path(__file__).parent.parent / "recipes" / "language" / "tiny.toml"
PROBLEMS = [Problem("copy", text) for text in ("1", "23", "456", "70")]


def made(*changes: str, fast: str = "lora") -> Language:
    return build(recipes.load(RECIPE, [f'learner.fast="{fast}"', *changes], 100), "cpu", ())


def slept(how: str, folder: Path) -> tuple[Any, Any, float]:
    """The mind after a night whose LoRA was trained, its answers before, and how far its lasting weights moved."""
    domain = made(f"sleep.consolidate={{type='merge', how='{how}'}}", "wake.steps=5")
    mind, dusk = domain.mind(), domain.mind()
    day(domain, mind, 0)
    dusk.load(saved(mind, folder))
    lines = list(domain.examples(domain.tasks[0]).lines[:32])
    mind.learner.practise(lambda step: lines, 20, 5e-3, 1, 0.1)
    before, weights = mind.learner.attempt(PROBLEMS, (0.0,), 1), parameters_to_vector(dict(mind.learner.lasting_state()).values()).clone()
    facts = domain.consolidation.consolidate(mind, dusk, 5)
    after = parameters_to_vector(dict(mind.learner.lasting_state()).values())
    assert facts["moved"] == pytest.approx(float((after - weights).norm()), rel=1e-3)
    assert facts["moved"] > 0
    return mind, before, facts["moved"]


@pytest.mark.parametrize("how", ["linear", "svd", "cat"])
def test_a_whole_merge_answers_as_the_night_did_without_the_adapter(how: str, tmp_path: Path) -> None:
    mind, before, _ = slept(how, tmp_path / "dusk")
    assert mind.learner.attempt(PROBLEMS, (0.0,), 1) == before
    with mind.learner.model.disable_adapter():
        assert mind.learner.attempt(PROBLEMS, (0.0,), 1) == before
    assert mind.learner.model.peft_config.keys() == {"default"}


@pytest.mark.parametrize(
    "how", ["ties", "dare_ties", *(pytest.param(how, marks=pytest.mark.slow) for how in ("dare_linear", "magnitude_prune"))]
)
def test_a_pruned_merge_is_not_the_whole(how: str, tmp_path: Path) -> None:
    """PEFT prunes nothing where it is given one adapter alone. Pruned by magnitude less is left; what DARE leaves is made larger."""
    mind, _, pruned = slept(how, tmp_path / "dusk")
    _, _, whole = slept("linear", tmp_path / "again")
    assert pruned != pytest.approx(whole, rel=0.01)
    if not how.startswith("dare"):
        assert pruned < whole
    assert mind.learner.model.peft_config.keys() == {"default"}


def test_it_needs_a_lora() -> None:
    with pytest.raises(RecipeError, match="lora"):
        made("sleep.consolidate={type='merge'}", fast="full")
