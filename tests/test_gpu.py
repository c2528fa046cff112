"""Ten optimizer steps a stage of every shipped recipe on a CUDA device; asked for with `-m gpu`."""

from pathlib import Path
from typing import Any

import pytest

from sleepwake import recipe as recipes
from sleepwake import recipebook, session


@pytest.mark.gpu
@pytest.mark.parametrize("name", recipebook.names())
def test_ten_steps(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    import torch

    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    said = recipes.resolved(recipes.load(recipebook.find(name)))
    if said["dreamer"].get("generator", {}).get("type") == "hub":
        pytest.skip("a test fetches nothing from the hub")
    if said["learner"].get("model", {}).get("type") == "hub":
        ten_steps(name, [*shortened(said), *fitted(said, tmp_path)], tmp_path, tmp_path / "run", "cuda")
        return
    folder = request.getfixturevalue("data") if "data" in said["stream"] or said["stream"].get("sets") else None
    names = said["stream"].get("data", [])
    for place in [names] if isinstance(names, str) else names:
        if not (folder / place).exists():
            pytest.skip(f"{folder} has no {place}")
    ten_steps(name, shortened(said), folder, tmp_path / "run", "cuda")


def fitted(said: dict[str, Any], folder: Path) -> list[str]:
    """In place of a model of the hub a tiny one of the same class, and questions that it can write and answer."""
    import chat_models

    chat_models.questions(folder)
    more = [f'stream.sets.{name}={{path="sums.jsonl", extract="number"}}' for name in said["stream"]["sets"]]
    more += ["stream.kept=8", "dreamer.shortest=8", "dreamer.quality=0", "dreamer.alike=1.0"]
    return [*more, f'learner.model={{type="folder", folder="{chat_models.fitted()}"}}']


def shortened(said: dict[str, Any]) -> list[str]:
    """A night of one round, and ten steps a stage, of those stages that have steps."""
    short = ["wake.steps=10", "sleep.rounds=1"]
    for stage in ("rehearse", "consolidate"):
        if "steps" in said["sleep"][stage]:
            short += [f'sleep.{stage}.type="{said["sleep"][stage]["type"]}"', f"sleep.{stage}.steps=10"]
    short += ["sleep.consolidate.seed_steps=10", "sleep.consolidate.polish=2"] if said["sleep"]["consolidate"]["type"] == "seed" else []
    short += ["wake.first.steps=10"] if "first" in said["wake"] else []
    return short + [f"dreamer.{key}=10" for key in ("steps", "fit_steps", "prompt_steps") if key in said["dreamer"]]


@pytest.mark.parametrize("name", recipebook.names())
def test_every_recipe_can_be_shortened(name: str) -> None:
    """Without a GPU nobody would see that a recipe has no such setting."""
    said = recipes.resolved(recipes.load(recipebook.find(name)))
    short = recipes.resolved(recipes.load(recipebook.find(name), shortened(said)))
    assert short["wake"]["steps"] == 10
    assert [short["sleep"][stage].get("steps", 10) for stage in ("rehearse", "consolidate")] == [10, 10]


def ten_steps(name: str, settings: list[str], folder: Path | None, out: Path, device: str) -> None:
    opened = session.start(recipebook.find(name), settings, None, out, False, device, folder, 0.0)
    opened.go_on(lambda _: None, 4)
    assert session.status(out, True)[1] == []
