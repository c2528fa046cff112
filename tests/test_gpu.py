"""Ten optimizer steps a stage of every shipped recipe on a CUDA device; asked for with `-m gpu`."""

from pathlib import Path

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
    folder = request.getfixturevalue("data") if "data" in said["stream"] else None
    names = said["stream"].get("data", [])
    for place in [names] if isinstance(names, str) else names:
        if not (folder / place).exists():
            pytest.skip(f"{folder} has no {place}")
    if folder is None and said["stream"].get("sets"):
        folder = request.getfixturevalue("data")
    if "hub" in (said["dreamer"].get("generator", {}).get("type"), said["learner"].get("model", {}).get("type")):
        pytest.skip("a test fetches nothing from the hub")
    settings = ["wake.steps=10", "sleep.rehearse.steps=10", "sleep.consolidate.steps=10", "sleep.rounds=1"]
    settings += ["sleep.consolidate.seed_steps=10", "sleep.consolidate.polish=2"] if said["sleep"]["consolidate"]["type"] == "seed" else []
    settings += ["wake.first.steps=10"] if "first" in said["wake"] else []
    settings += [f"dreamer.{key}=10" for key in ("steps", "fit_steps", "prompt_steps") if key in said["dreamer"]]
    opened = session.start(recipebook.find(name), settings, None, tmp_path / "run", False, "cuda", folder, 0.0)
    opened.go_on(lambda _: None, 4)
    assert session.status(tmp_path / "run", True)[1] == []
