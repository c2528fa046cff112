"""Every arm of every benchmark is a recipe that can be run; nothing is run."""

import importlib
from pathlib import Path

import pytest

from sleepwake import recipe as recipes
from sleepwake import recipebook

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def _found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))


@pytest.mark.parametrize("name", ["nights", "adapters"])
def test_arms_load(name: str) -> None:
    for recipe, said in importlib.import_module(name).ARMS.values():
        recipes.load(recipebook.find(recipe), said, 0)


@pytest.mark.parametrize("recipe", ["vision/dream-digits", "vision/dream-fashion", "vision/dream-split-mnist"])
def test_arms_of_dreams_load(recipe: str) -> None:
    dreams = importlib.import_module("dreams")
    for name in dreams.ARMS:
        recipes.load(recipebook.find(recipe), dreams.settings(recipe, name, 0), 0)


def test_arms_of_judges_and_of_a_chat_model_load() -> None:
    judges, chat = (importlib.import_module(name) for name in ("judges", "chat"))
    for judge in judges.JUDGES:
        recipes.load(recipebook.find(judges.RECIPE), judges.settings(judge), 0)
    for said in chat.ARMS.values():
        recipes.load(recipebook.find("language/gsm8k-gpu"), [*chat.BASE, *said], 0)
