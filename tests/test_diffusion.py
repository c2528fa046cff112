"""The diffusion dreamer at tiny size: a real UNet, CLIP text encoder and PEFT prompts, on drawings that no stream holds."""

from pathlib import Path

import pytest
import torch
from peft import PeftModel
from transformers import CLIPTextModel
from typer.testing import CliRunner

from sleepwake import recipe as recipes
from sleepwake.cli import app
from sleepwake.domains.tensors import generator, seeded
from sleepwake.domains.vision import strokes
from sleepwake.domains.vision.challengers import Challenge
from sleepwake.domains.vision.diffusion import StrokeDiffusion
from sleepwake.domains.vision.diffusion_dreamers import DiffusionDreamer
from sleepwake.domains.vision.domain import build
from sleepwake.domains.vision.images import Batch, Space
from sleepwake.domains.vision.networks import Classifier
from sleepwake.domains.vision.night_settings import DiffusionDreamer as Settings
from sleepwake.domains.vision.soft_prompts import SoftPrompts
from sleepwake.domains.vision.wake_settings import MlpLearner
from sleepwake.records import Task

torch.set_num_threads(1)  # two on shared cores are many times slower at this size
CPU = torch.device("cpu")
SPACE = Space(shape=(1, 8, 8), classes=("a", "b", "c"), device=CPU, seed=0)
TINY = Settings(type="diffusion", channels=[8, 8], text=8, steps=4, batch=8, prompt_steps=3, prompt_batch=4, dreams=5)
RECIPE = Path(__file__).parent.parent / "recipes" / "vision" / "tiny-dream.toml"
PAIRS = [Challenge(0, 1, 0.5), Challenge(1, 0, 0.2)]


class Learner:
    """As much of a learner as a dreamer looks at."""

    def __init__(self) -> None:
        self.net = Classifier(MlpLearner(hidden=[8]), SPACE, seed=1)
        self.net.grow([0, 1], seed=2)


def fitted() -> DiffusionDreamer:
    dreamer = DiffusionDreamer(TINY, SPACE)
    dreamer.fit(Task(0, "a-b", ("a", "b")), None, None, Learner(), seed=3)  # type: ignore[arg-type]  # it looks at no example
    return dreamer


def saved(dreamer: DiffusionDreamer, folder: Path) -> Path:
    folder.mkdir()
    dreamer.save(folder)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def same(one: Batch, other: Batch) -> bool:
    return torch.equal(one.images_NCHW, other.images_NCHW) and torch.equal(one.labels_N, other.labels_N)


def test_drawings_are_ink_on_black_with_a_word_a_slot() -> None:
    images, captions = strokes.draw(200, 8, 12, seed=1)
    assert images.shape == (200, 1, 8, 12)
    assert captions.shape == (200, 4)
    assert float(images.min()) == 0.0
    assert 0.7 < float(images.max()) <= 1.0
    assert torch.equal(captions[:, 3], torch.zeros(200, dtype=torch.int64, device="cpu"))
    empty = (captions[:, :3] == strokes.NOTHING).all(dim=1)
    assert torch.equal(images.flatten(1).sum(dim=1) == 0, empty)
    again, _ = strokes.draw(200, 8, 12, seed=1)
    assert torch.equal(images, again)


def test_a_word_says_which_stroke() -> None:
    images, captions = strokes.draw(3000, 9, 9, seed=2)
    alone = (captions[:, 1:3] == strokes.NOTHING).all(dim=1)
    across, down, ring = (
        images[alone & (captions[:, 0] == strokes.WORDS.index(word)), 0].mean(dim=0) for word in ("across", "down", "ring")
    )
    assert int(across.sum(dim=1).argmax()) == 4
    assert int(down.sum(dim=0).argmax()) == 4
    assert float(ring[4, 4]) < 0.1 < 0.4 < float(ring[4].max())


def test_the_text_encoder_is_clip_to_the_bit_and_takes_embeddings_too() -> None:
    encoder = StrokeDiffusion(TINY, SPACE, seed=1).encoder
    with seeded(1, CPU):
        clip = CLIPTextModel(encoder.config).eval()
        ids = torch.tensor([[2, 3, 1, 0], [5, 1, 1, 0]])
        assert all(torch.equal(mine, theirs) for mine, theirs in zip(encoder.parameters(), clip.parameters(), strict=True))
        expected = clip(input_ids=ids).last_hidden_state
        assert torch.equal(encoder(input_ids=ids).last_hidden_state, expected)
        assert torch.equal(encoder(inputs_embeds=encoder.get_input_embeddings()(ids)).last_hidden_state, expected)


def test_only_the_prompt_gets_a_gradient() -> None:
    dreamer, learner = fitted(), Learner()
    assert dreamer.prompts is not None
    prompts, model = dreamer.prompts, dreamer.prompts.generator
    for name in prompts.names:
        prompts.vectors(name).grad = None  # what tuning left
    images = model.denoise(model.noise(4, seed=1), prompts.conditions(["class-0"]).expand(4, -1, -1))
    guide = learner.net.copy().requires_grad_(False)
    guide(images).sum().backward()
    gradient = prompts.vectors("class-0").grad
    assert gradient is not None
    assert float(gradient.abs().min()) > 0
    assert prompts.vectors("class-1").grad is None
    assert all(weight.grad is None and not weight.requires_grad for weight in (*model.unet.parameters(), *guide.parameters()))


def test_a_night_changes_the_prompts_of_its_pairs_and_nothing_else(tmp_path: Path) -> None:
    dreamer, learner = fitted(), Learner()
    before = contents(saved(dreamer, tmp_path / "before"))
    weights = [weight.clone() for weight in learner.net.parameters()]
    material = dreamer.dream(PAIRS, learner, seed=5)
    after = contents(saved(dreamer, tmp_path / "after"))
    new = [name for name in after if name not in before]
    files = ("adapter_config.json", "adapter_model.safetensors")
    assert sorted(new) == [f"prompts/class-{pair}/{file}" for pair in ("0-to-1", "1-to-0") for file in files]
    assert [name for name in before if before[name] != after[name]] == ["dreamer.json"]
    assert all(torch.equal(was, now) for was, now in zip(weights, learner.net.parameters(), strict=True))
    assert all(weight.grad is None for weight in learner.net.parameters())
    assert material.labels_N.tolist() == [0] * 5 + [1] * 5
    assert material.lures_N is not None
    assert material.lures_N.tolist() == [1] * 5 + [0] * 5
    assert material.images_NCHW.shape == (10, 1, 8, 8)
    assert not material.images_NCHW.requires_grad
    assert 0 <= float(material.images_NCHW.min()) <= float(material.images_NCHW.max()) <= 1


def test_prompts_load_with_plain_peft_to_the_bit(tmp_path: Path) -> None:
    dreamer = fitted()
    assert dreamer.prompts is not None
    folder = saved(dreamer, tmp_path / "mind") / "prompts"
    with seeded(9, CPU):
        plain = PeftModel.from_pretrained(StrokeDiffusion(TINY, SPACE, seed=9).encoder, folder / "class-0", adapter_name="class-0")
        plain.load_adapter(folder / "class-1", adapter_name="class-1")
    for name in ("class-0", "class-1"):
        assert torch.equal(plain.prompt_encoder[name].embedding.weight, dreamer.prompts.vectors(name))
    loaded = DiffusionDreamer(TINY, SPACE)
    loaded.load(tmp_path / "mind")
    assert contents(saved(loaded, tmp_path / "again")) == contents(tmp_path / "mind")


def test_saved_loaded_and_gone_on_with_is_never_stopped(tmp_path: Path) -> None:
    def go_on(dreamer: DiffusionDreamer) -> tuple[Batch, Batch]:
        dreams = dreamer.dream(PAIRS, Learner(), seed=6)
        return dreams, dreamer.draw(7, 8, dreamer.classes, Learner().net)

    one, other = fitted(), fitted()
    loaded = DiffusionDreamer(TINY, SPACE)
    loaded.load(saved(other, tmp_path / "mind"))
    for mine, theirs in zip(go_on(one), go_on(loaded), strict=True):
        assert same(mine, theirs)
    assert contents(saved(one, tmp_path / "one")) == contents(saved(loaded, tmp_path / "other"))


def test_a_source_stays_as_the_dreamer_was() -> None:
    dreamer = fitted()
    source = dreamer.source((0, 1), Learner().net)
    before = source.draw(6, seed=1)
    assert sorted(before.labels_N.tolist()) == [0, 0, 0, 1, 1, 1]
    dreamer.fit(Task(1, "c", ("c",)), None, None, Learner3(), seed=4)  # type: ignore[arg-type]
    assert same(source.draw(6, seed=1), before)
    assert not torch.equal(dreamer.draw(6, 1, (0, 1), Learner().net).images_NCHW, before.images_NCHW)


class Learner3(Learner):
    """One that has learned the third class too."""

    def __init__(self) -> None:
        super().__init__()
        self.net.grow([2], seed=3)


def test_tuning_brings_the_learner_nearer_to_the_target() -> None:
    settings = TINY.model_copy(update={"steps": 30, "prompt_steps": 15, "prompt_lr": 0.05})
    model = StrokeDiffusion(settings, SPACE, seed=1)
    learned = model.learn_strokes(seed=2)
    assert learned["loss_last"] < learned["loss_first"]
    prompts = SoftPrompts(model)
    prompts.add("brighter", seed=3)
    tuned = prompts.tune(["brighter"], torch.tensor([[0.0, 1.0, 0.0]], device=CPU), ink(), seed=4)
    assert tuned["loss_last"] < tuned["loss_first"]


def ink() -> Classifier:
    """Says b the louder the more ink there is."""
    net = Learner().net
    with torch.no_grad():
        for weight in net.parameters():
            weight.zero_()
        next(net.body.parameters()).fill_(1 / 8)
        net.weight_RF[1] = 0.2
    return net


def test_colours_and_other_sizes_are_the_streams() -> None:
    space = Space(shape=(3, 12, 10), classes=("a",), device=CPU, seed=0)
    model = StrokeDiffusion(TINY, space, seed=1)
    images = model.denoise(model.noise(2, seed=1), torch.zeros((2, 4, 8), device=CPU))
    assert images.shape == (2, 3, 12, 10)


def test_the_recipe_builds_and_an_untouched_dreamer_is_saved_and_loaded(tmp_path: Path) -> None:
    dreamer = build(recipes.load(RECIPE, (), 0), "cpu", ()).mind().dreamer
    assert isinstance(dreamer, DiffusionDreamer)
    dreamer.load(saved(dreamer, tmp_path / "mind"))
    assert dreamer.classes == ()
    assert dreamer.metrics()["bytes"] == 0


@pytest.mark.gpu
def test_ten_steps_of_the_recipe_on_a_gpu(tmp_path: Path) -> None:
    arguments = ["run", str(RECIPE), "--out", str(tmp_path / "run"), "--steps", "10", "--device", "cuda"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert torch.rand(1, generator=generator(0)).device == CPU
