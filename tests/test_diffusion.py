"""The diffusion dreamer at tiny size: a real UNet, CLIP text encoder and PEFT adapters, on a generator that no stream has trained."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from frozen_models import of_pixels
from transformers import CLIPTextModel
from typer.testing import CliRunner

from sleepwake import recipe as recipes
from sleepwake.cli import app
from sleepwake.domains.tensors import generator, seeded
from sleepwake.domains.vision.challengers import Challenge
from sleepwake.domains.vision.diffusion_dreamers import DiffusionDreamer
from sleepwake.domains.vision.domain import build
from sleepwake.domains.vision.dreamer_settings import DiffusionDreamer as Settings
from sleepwake.domains.vision.images import Batch, Space
from sleepwake.domains.vision.networks import Classifier
from sleepwake.domains.vision.stroke_training import untrained
from sleepwake.domains.vision.wake_settings import MlpLearner
from sleepwake.errors import DataError
from sleepwake.records import Task

torch.set_num_threads(1)  # two on shared cores are many times slower at this size
CPU = torch.device("cpu")
SPACE = Space(shape=(1, 8, 8), classes=("a", "b", "c"), device=CPU, seed=0)
RECIPE = Path(__file__).parent.parent / "recipes" / "vision" / "tiny-dream.toml"
PAIRS = [Challenge(0, 1, 0.5), Challenge(1, 0, 0.2)]
FIRST = Task(0, "a-b", ("a", "b"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with torch.device("cpu"):
        return of_pixels(tmp_path_factory.mktemp("generators") / "pixels")


class Learner:
    """As much of a learner as a dreamer looks at."""

    def __init__(self, classes: int = 2) -> None:
        self.net = Classifier(MlpLearner(hidden=[8]), SPACE, seed=1)
        self.net.grow(range(classes), seed=2)


def examples(*classes: int) -> Batch:
    """A bar across for one class, a bar down for the next, and so on."""
    images = torch.zeros((10 * len(classes), 1, 8, 8), device=CPU)
    for place, name in enumerate(classes):
        bar = images[10 * place : 10 * place + 10, 0]
        (bar[:, 3:5] if name % 2 == 0 else bar[:, :, 3:5]).fill_(1.0)
    return Batch(images, torch.tensor(classes, device=CPU).repeat_interleave(10))


def told(folder: Path, **more: Any) -> Settings:
    few = {"fit_steps": 3, "prompt_steps": 3, "prompt_batch": 4, "dreams": 5}
    return Settings.model_validate({"type": "diffusion", "generator": {"type": "folder", "folder": str(folder)}, **few, **more})


def fitted(folder: Path, **more: Any) -> DiffusionDreamer:
    dreamer = DiffusionDreamer(told(folder, **more), SPACE)
    dreamer.fit(FIRST, examples(0, 1), None, Learner(), seed=3)
    return dreamer


def saved(dreamer: DiffusionDreamer, folder: Path) -> Path:
    folder.mkdir()
    dreamer.save(folder)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def same(one: Batch, other: Batch) -> bool:
    return torch.equal(one.images_NCHW, other.images_NCHW) and torch.equal(one.labels_N, other.labels_N)


def test_the_text_encoder_is_clip_to_the_bit_and_takes_embeddings_too() -> None:
    encoder = untrained(8, [8, 8], 8, seed=1).encoder
    with seeded(1, CPU):
        clip = CLIPTextModel(encoder.config).eval()
        ids = torch.tensor([[2, 3, 1, 0], [5, 1, 1, 0]])
        encoder.eval()
        assert all(torch.equal(mine, theirs) for mine, theirs in zip(encoder.parameters(), clip.parameters(), strict=True))
        expected = clip(input_ids=ids).last_hidden_state
        assert torch.equal(encoder(input_ids=ids).last_hidden_state, expected)
        assert torch.equal(encoder(inputs_embeds=encoder.get_input_embeddings()(ids)).last_hidden_state, expected)


def test_a_night_changes_the_adapters_of_its_pairs_and_nothing_else(folder: Path, tmp_path: Path) -> None:
    dreamer, learner = fitted(folder), Learner()
    before = contents(saved(dreamer, tmp_path / "before"))
    weights = [weight.clone() for weight in learner.net.parameters()]
    material = dreamer.dream(PAIRS, learner, seed=5)
    after = contents(saved(dreamer, tmp_path / "after"))
    new = [name for name in after if name not in before]
    files = ("adapter_config.json", "adapter_model.safetensors")
    assert sorted(new) == [f"adapters/class-{pair}/{file}" for pair in ("0-to-1-at-5000", "1-to-0-at-2000") for file in files]
    assert [name for name in before if before[name] != after[name]] == ["dreamer.json"]
    assert all(torch.equal(was, now) for was, now in zip(weights, learner.net.parameters(), strict=True))
    assert all(weight.grad is None for weight in learner.net.parameters())
    assert material.labels_N.tolist() == [0] * 5 + [1] * 5
    assert material.lures_N is not None
    assert material.lures_N.tolist() == [1] * 5 + [0] * 5
    assert material.images_NCHW.shape == (10, 1, 8, 8)
    assert not material.images_NCHW.requires_grad
    assert 0 <= float(material.images_NCHW.min()) <= float(material.images_NCHW.max()) <= 1


def test_the_adapters_of_a_round_are_gone_after_the_next(folder: Path) -> None:
    dreamer, learner = fitted(folder), Learner()
    dreamer.dream(PAIRS, learner, seed=5)
    dreamer.dream([Challenge(0, 1, 0.9), PAIRS[1]], learner, seed=6)
    adapters = dreamer._opened().adapters
    assert adapters.names == ["class-0", "class-1", "class-1-to-0-at-2000", "class-0-to-1-at-9000"]


@pytest.mark.parametrize("fit", ["learner", "images"])
@pytest.mark.parametrize("adapter", ["prompt", "token", "lora"])
def test_saved_loaded_and_gone_on_with_is_never_stopped(folder: Path, tmp_path: Path, fit: str, adapter: str) -> None:
    more = {"fit": fit, "adapter": {"type": adapter}, "objective": {"statistics": 0.1}}

    def go_on(dreamer: DiffusionDreamer) -> tuple[Batch, Batch]:
        dreams = dreamer.dream(PAIRS, Learner(), seed=6)
        dreamer.fit(Task(1, "c", ("c",)), examples(2), None, Learner(3), seed=4)
        return dreams, dreamer.draw(7, 8, dreamer.classes, Learner().net)

    one, other = fitted(folder, **more), fitted(folder, **more)
    loaded = DiffusionDreamer(told(folder, **more), SPACE)
    loaded.load(saved(other, tmp_path / "mind"))
    for mine, theirs in zip(go_on(one), go_on(loaded), strict=True):
        assert same(mine, theirs)
    assert contents(saved(one, tmp_path / "one")) == contents(saved(loaded, tmp_path / "other"))
    for config in (tmp_path / "one").rglob("adapter_config.json"):
        names = json.loads(config.read_text()).get("target_modules")
        assert not isinstance(names, list) or names == sorted(names), "PEFT's sets come in another order in every process"


def test_adapters_of_images_never_learn_again(folder: Path) -> None:
    """What was drawn of a class on the first day is drawn to the bit after the last."""
    dreamer = fitted(folder, fit="images")
    before = dreamer.draw(6, 1, (0, 1), Learner().net)
    assert sorted(before.labels_N.tolist()) == [0, 0, 0, 1, 1, 1]
    facts = dreamer.fit(Task(1, "c", ("c",)), examples(2), None, Learner(3), seed=4)
    assert facts["prompts"] == 1
    assert same(dreamer.draw(6, 1, (0, 1), Learner().net), before)
    moving = fitted(folder)
    before = moving.draw(6, 1, (0, 1), Learner().net)
    moving.fit(Task(1, "c", ("c",)), examples(2), None, Learner(3), seed=4)
    assert not same(moving.draw(6, 1, (0, 1), Learner().net), before)


def test_a_pool_is_drawn_once(folder: Path) -> None:
    dreamer = fitted(folder, pool=3)
    source = dreamer.source((0, 1), Learner().net)
    batch = source.draw(40, seed=1)
    assert len(batch.images_NCHW.flatten(1).unique(dim=0)) == 6
    assert torch.equal(source.draw(40, seed=1).images_NCHW, batch.images_NCHW)
    assert batch.labels_N.bincount().tolist() == [20, 20]
    fresh = fitted(folder).source((0, 1), Learner().net).draw(40, seed=1)
    assert len(fresh.images_NCHW.flatten(1).unique(dim=0)) == 40


def test_a_run_knows_its_own_generator(folder: Path, tmp_path: Path) -> None:
    dreamer = fitted(folder)
    other = of_pixels(tmp_path / "other", seed=1)
    with pytest.raises(DataError, match="is another than the one"):
        DiffusionDreamer(told(other), SPACE).load(saved(dreamer, tmp_path / "mind"))


def test_bytes_are_those_of_generator_and_adapters(folder: Path) -> None:
    """Two prompts of five vectors of eight numbers of four bytes."""
    dreamer = fitted(folder)
    memory = dreamer.metrics()["memory"]
    parts = untrained(8, [8, 8], 8, 0)
    assert memory["adapters"] == 2 * 5 * 8 * 4
    assert memory["generator"] == 4 * sum(weight.numel() for part in (parts.unet, parts.encoder) for weight in part.parameters())


def test_the_recipe_builds_and_an_untouched_dreamer_is_saved_and_loaded(tmp_path: Path) -> None:
    dreamer = build(recipes.load(RECIPE, (), 0), "cpu", ()).mind().dreamer
    assert isinstance(dreamer, DiffusionDreamer)
    dreamer.load(saved(dreamer, tmp_path / "mind"))
    assert dreamer.classes == ()
    assert dreamer.metrics()["bytes"] == 0


def test_a_folder_is_sought_where_data_are(tmp_path: Path) -> None:
    recipe = recipes.load(RECIPE, ['dreamer.generator={type="folder", folder="nowhere"}'], 0)
    with pytest.raises(DataError, match="looked for"):
        build(recipe, "cpu", (tmp_path,))


@pytest.mark.gpu
def test_ten_steps_of_the_recipe_on_a_gpu(tmp_path: Path) -> None:
    arguments = ["run", str(RECIPE), "--out", str(tmp_path / "run"), "--steps", "10", "--device", "cuda"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert torch.rand(1, generator=generator(0)).device == CPU
