"""How adapters learn: the objective's terms by hand, when to stop, and that each kind of adapter can be taught."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import UNet2DConditionModel
from frozen_models import of_latents, of_pixels
from peft import PeftModel
from transformers import CLIPTextModel

from sleepwake.domains.tensors import seeded
from sleepwake.domains.vision.adapters import Adapters, adapters_of
from sleepwake.domains.vision.dreamer_settings import BandStop, FixedStop, HitsStop, Objective
from sleepwake.domains.vision.dreamer_settings import DiffusionDreamer as Settings
from sleepwake.domains.vision.images import Batch, Space
from sleepwake.domains.vision.networks import Classifier
from sleepwake.domains.vision.pipelines import open_generator
from sleepwake.domains.vision.stopping import Sight, stopper_of
from sleepwake.domains.vision.stroke_training import train, untrained, write
from sleepwake.domains.vision.tuning import Aim, Goal, Painter, alikeness, invert, loss_of, outside_band, steer
from sleepwake.domains.vision.wake_settings import MlpLearner
from sleepwake.errors import DataError

CPU = torch.device("cpu")
SPACE = Space(shape=(1, 8, 8), classes=("a", "b", "c"), device=CPU, seed=0)
KINDS: dict[str, dict[str, Any]] = {
    "prompt": {"type": "prompt", "vectors": 3},
    "token": {"type": "token", "vectors": 3, "room": 4},
    "lora": {"type": "lora", "rank": 2},
    "lora everywhere": {"type": "lora", "rank": 2, "layers": "all"},
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    place = tmp_path_factory.mktemp("generators")
    with torch.device("cpu"):
        knowing = untrained(8, [8, 8], 8, seed=1)
        train(knowing, 100, 8, 4e-3, seed=2)
        write(knowing, place / "trained")
        return {"pixels": of_pixels(place / "pixels"), "latents": of_latents(place / "latents"), "trained": place / "trained"}


def told(folder: Path, kind: str = "prompt", **more: Any) -> Settings:
    said = {
        "type": "diffusion",
        "generator": {"type": "folder", "folder": str(folder)},
        "adapter": KINDS[kind],
        "prompt_batch": 4,
        "prompt_lr": 0.05,
    }
    return Settings.model_validate({**said, **more})


def painter(folder: Path, kind: str = "prompt", **more: Any) -> Painter:
    settings = told(folder, kind, **more)
    return Painter(adapters_of(settings.adapter, open_generator(settings, CPU)), SPACE, settings)


def ink() -> Classifier:
    """Says b the louder the more ink there is, and a otherwise."""
    net = Classifier(MlpLearner(hidden=[8]), SPACE, seed=1)
    net.grow([0, 1], seed=2)
    with torch.no_grad():
        for weight in net.parameters():
            weight.zero_()
        next(net.body.parameters()).fill_(1 / 8)
        net.weight_RF[1] = 0.2
    return net


def states(adapters: Adapters) -> dict[str, torch.Tensor]:
    return {f"{name}/{key}": value.clone() for name in adapters.names for key, value in adapters.state(name).items()}


@pytest.mark.parametrize("model", ["pixels", "latents"])
@pytest.mark.parametrize("kind", KINDS)
def test_an_adapter_learns_alone_and_is_read_by_plain_peft(folders: dict[str, Path], tmp_path: Path, model: str, kind: str) -> None:
    mine = painter(folders[model], kind)
    adapters = mine.adapters
    for place, name in enumerate(("one", "two", "three")):
        adapters.add(name, seed=place)
    drawn = mine.paint(["one", "two"], 2, seed=1).detach()
    assert drawn.shape == (2, 2, 1, 8, 8)
    frozen = {
        name: weight.clone() for name, weight in adapters.generator.named_parameters() if "lora" not in name and "trainable" not in name
    }
    before = states(adapters)
    steer(mine, [Aim("one", 1, 1, 0.0), Aim("two", 0, 0, 0.0)], ink(), Goal(Objective(), stopper_of(FixedStop())), 3, seed=1)
    after = states(adapters)
    changed = {name.split("/")[0] for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"one", "two"}
    now = dict(adapters.generator.named_parameters())
    assert all(torch.equal(weight, now[name]) for name, weight in frozen.items())
    assert 0 < adapters.bytes < 3 * 25_000, "kilobytes each"

    adapters.save(tmp_path / "saved")
    again = painter(folders[model], kind)
    again.adapters.load(tmp_path / "saved", adapters.names)
    assert torch.equal(mine.paint(["one", "three"], 2, seed=3), again.paint(["one", "three"], 2, seed=3))
    for twin in (mine, again):
        steer(twin, [Aim("three", 1, 1, 0.0)], ink(), Goal(Objective(), stopper_of(FixedStop())), 2, seed=4)
    one, other = states(adapters), states(again.adapters)
    assert all(torch.equal(value, other[name]) for name, value in one.items()), "it learns on as before"

    plain = adapters_of(told(folders[model], kind).adapter, open_generator(told(folders[model], kind), CPU))
    with seeded(9, CPU):
        loaded = PeftModel.from_pretrained(plain.base(), tmp_path / "saved" / "one", adapter_name="one")
    plain.model = loaded
    assert all(torch.equal(value, after[f"one/{key}"]) for key, value in plain.state("one").items())


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing.:FutureWarning")  # PEFT asks transformers for a name that goes
@pytest.mark.parametrize("kind", ["token", "lora"])
def test_outside_this_project_an_adapter_says_the_same(folders: dict[str, Path], tmp_path: Path, kind: str) -> None:
    """On networks as transformers and diffusers have them, by plain PEFT: learned words under an encoder that was made longer, a LoRA."""
    mine = painter(folders["latents"], kind)
    mine.adapters.add("one", seed=3)
    with torch.no_grad():
        for weight in mine.adapters.weights("one"):
            weight.add_(0.1)
    mine.adapters.save(tmp_path / "saved")
    with torch.no_grad(), torch.device("cpu"):
        ((_, conditions_1LE),) = mine.adapters.groups(["one"])
        if kind == "token":
            encoder = CLIPTextModel.from_pretrained(folders["latents"] / "text_encoder")
            words = mine.adapters.model.peft_config["one"].token_indices
            encoder.resize_token_embeddings(max(words) + 1, mean_resizing=False)
            loaded = PeftModel.from_pretrained(encoder, tmp_path / "saved" / "one")
            start, *_, end = mine.adapters.generator.caption
            assert torch.allclose(loaded(input_ids=torch.tensor([[start, *words, end]])).last_hidden_state, conditions_1LE, atol=1e-6)
            return
        noise_Nchw = mine.adapters.generator.noise(1, seed=1)
        loaded = PeftModel.from_pretrained(UNet2DConditionModel.from_pretrained(folders["latents"] / "unet"), tmp_path / "saved" / "one")
        said, ours = (unet(noise_Nchw, 500, encoder_hidden_states=conditions_1LE).sample for unet in (loaded, mine.adapters.generator.unet))
        assert torch.allclose(said, ours, atol=1e-6)
        with loaded.disable_adapter():
            assert not torch.allclose(loaded(noise_Nchw, 500, encoder_hidden_states=conditions_1LE).sample, ours, atol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_steering_brings_the_guide_nearer_to_the_target(folders: dict[str, Path], kind: str) -> None:
    mine = painter(folders["trained"], kind)
    mine.adapters.add("dark", seed=1)

    @torch.no_grad()
    def inked() -> float:
        return mine.paint(["dark"], 64, seed=7).mean().item()

    before = inked()
    facts = steer(mine, [Aim("dark", 0, 0, 0.0)], ink(), Goal(Objective(), stopper_of(FixedStop())), 25, seed=2)
    assert inked() < before
    assert facts["samples"] == 25 * 4
    assert facts["taken"] == {"dark": 25}


def test_dreams_that_pass_one_by_one_each_learn(folders: dict[str, Path]) -> None:
    """As many images are drawn, each from noise of its own; all at once is one pass."""
    ends = []
    for at_once in (0, 2, 1):
        mine = painter(folders["pixels"], at_once=at_once)
        for place, name in enumerate(("one", "two")):
            mine.adapters.add(name, seed=place)
        before = states(mine.adapters)
        aims = [Aim("one", 1, 1, 0.0), Aim("two", 0, 0, 0.0)]
        facts = steer(mine, aims, ink(), Goal(Objective(), stopper_of(FixedStop())), 3, seed=1)
        assert facts["samples"] == 2 * 3 * 4
        ends.append(states(mine.adapters))
        assert not any(torch.equal(before[name], weight) for name, weight in ends[-1].items())
    assert all(torch.equal(weight, ends[1][name]) for name, weight in ends[0].items())


def test_what_is_no_number_is_told(folders: dict[str, Path]) -> None:
    mine = painter(folders["pixels"])
    mine.adapters.add("one", seed=1)
    mine.adapters.check(["one"], 0.05)
    with torch.no_grad():
        mine.adapters.weights("one")[0][0] = torch.nan
    with pytest.raises(DataError, match=r"dreamer.prompt_lr: one learned what is not a number at 0.05") as error:
        mine.adapters.check(["one"], 0.05)
    assert error.value.hint == "dreamer.prompt_lr = 0.005"


@pytest.mark.parametrize("kind", KINDS)
def test_inverting_lowers_the_generator_s_loss_on_the_images(folders: dict[str, Path], kind: str) -> None:
    mine = painter(folders["trained"], kind)
    mine.adapters.add("bar", seed=1)
    images = torch.zeros((20, 1, 8, 8), device=CPU)
    images[:, :, :, 3:5] = 1.0

    @torch.no_grad()
    def wrong() -> float:
        model = mine.adapters.generator
        (_, conditions_1LE), *_ = mine.adapters.groups(["bar"])
        levels_N, noise = model.sampler.timesteps[torch.arange(20, device=CPU) % 2], model.noise(20, seed=5)
        return model.errors_at(model.inward(images), noise, levels_N, conditions_1LE.repeat(20, 1, 1)).mean().item()

    before = wrong()
    facts = invert(mine, ["bar"], [Batch(images, torch.zeros(20, dtype=torch.int64, device=CPU))], 40, seed=1)
    assert wrong() < before
    assert facts["samples"] == 40 * 4


def test_several_adapters_share_a_pass_and_each_gets_what_it_would_alone(folders: dict[str, Path]) -> None:
    mine = painter(folders["pixels"])
    for name in ("one", "two"):
        mine.adapters.add(name, seed=len(name) + ord(name[0]))
    assert len(list(mine.adapters.groups(["one", "two"]))) == 1
    (_, both_PLE), (_, two_1LE) = next(mine.adapters.groups(["one", "two"])), next(mine.adapters.groups(["two"]))
    assert torch.equal(both_PLE[1:], two_1LE)
    assert len(list(painter_of_two_loras(folders).groups(["one", "two"]))) == 2


def painter_of_two_loras(folders: dict[str, Path]) -> Adapters:
    adapters = painter(folders["pixels"], "lora").adapters
    for name in ("one", "two"):
        adapters.add(name, seed=1)
    return adapters


def test_a_damaged_adapter_and_one_too_many_are_told(folders: dict[str, Path], tmp_path: Path) -> None:
    mine = painter(folders["pixels"])
    mine.adapters.add("one", seed=1)
    with torch.no_grad():
        mine.adapters.weights("one")[0].fill_(math.nan)
    mine.adapters.save(tmp_path / "saved")
    with pytest.raises(DataError, match="not a number"):
        painter(folders["pixels"]).adapters.load(tmp_path / "saved", ["one"])
    words = painter(folders["pixels"], "token").adapters
    for place in range(4):
        words.add(f"class-{place}", seed=place)
    with pytest.raises(DataError, match="no room") as error:
        words.add("class-4", seed=4)
    assert error.value.hint == "dreamer.adapter.room = 8"


def test_the_terms_by_hand() -> None:
    """Two rows: answers of 1/2 each have entropy log 2, of certainty 0."""
    open_, sure = torch.tensor([[0.0, 0.0]], device=CPU), torch.tensor([[40.0, 0.0]], device=CPU)
    assert float(outside_band(open_.log_softmax(dim=1), 0.2, 0.8)) == pytest.approx(0.2)
    assert float(outside_band(sure.log_softmax(dim=1), 0.2, 0.8)) == pytest.approx(0.2)
    assert float(outside_band(open_.log_softmax(dim=1), 0.0, 1.0)) == pytest.approx(0.0)
    alike = torch.tensor([[1.0, 0.0], [2.0, 0.0], [0.0, 3.0]], device=CPU)
    assert float(alikeness(alike)) == pytest.approx(1 / 3), "one of the three pairs points the same way"
    target, features = torch.tensor([0.75, 0.25], device=CPU), torch.tensor([[0.0, 2.0]] * 2, device=CPU)
    statistics = torch.tensor([[1.0, 2.0], [0.0, 0.0]], device=CPU)

    def loss(**weights: float) -> float:
        objective = Objective.model_validate({"target": 0.0, **weights})
        return float(loss_of(objective, open_.repeat(2, 1), features, target, [torch.tensor([1.0, 3.0], device=CPU)], statistics))

    assert loss(target=1.0) == pytest.approx(math.log(2))
    assert loss(norm=0.5) == pytest.approx(0.5 * (1 + 9) / 2)
    assert loss(statistics=1.0) == pytest.approx(1 / 4), "one mean of two is off by one, no deviation is"
    assert loss(diversity=2.0) == pytest.approx(2.0)
    assert loss(band=1.0) == pytest.approx(0.2)
    assert loss(target=1.0, norm=0.5) == pytest.approx(math.log(2) + 2.5)


def test_an_aim_s_target_by_hand() -> None:
    assert Aim("", 0, 2, 0.5).target(SPACE).tolist() == pytest.approx([0.75, 0.0, 0.25])
    assert Aim("", 1, 1, 0.0).target(SPACE).tolist() == pytest.approx([0.0, 1.0, 0.0])


def seen(chances: list[list[float]], lure: int = 1) -> Sight:
    return Sight("dream", torch.tensor(chances, device=CPU), 0, lure, torch.zeros((len(chances), 1, 1, 1), device=CPU))


def test_when_to_stop_by_hand() -> None:
    between, astray = [[0.5, 0.4, 0.1]] * 2, [[0.5, 0.1, 0.4]] * 2
    hits = stopper_of(HitsStop(type="hits", hits=2))
    assert [hits.done(seen(each)) for each in (between, astray, between, between)] == [False, False, False, True]
    alone = stopper_of(HitsStop(type="hits", hits=1, share=0.6))
    assert not alone.done(seen([[0.9, 0.1, 0.0], [0.1, 0.9, 0.0]], lure=0)), "half of the images are of the class"
    assert alone.done(seen([[0.9, 0.1, 0.0]], lure=0))
    band = stopper_of(BandStop(type="band", low=0.4, high=0.6))
    assert [band.done(seen([[each, 1 - each, 0.0]])) for each in (0.9, 0.65, 0.55)] == [False, False, True]
    assert not stopper_of(FixedStop()).done(seen(between))


def test_what_has_stopped_changes_no_more(folders: dict[str, Path]) -> None:
    """The guide never doubts that an image is a or b, so the aim between them stops at once, and the one for a alone goes on."""
    mine = painter(folders["pixels"])
    for name in ("stops", "goes"):
        mine.adapters.add(name, seed=1)
    before = states(mine.adapters)
    aims = [Aim("stops", 0, 1, 1.0), Aim("goes", 0, 0, 0.0)]
    facts = steer(mine, aims, ink(), Goal(Objective(), stopper_of(HitsStop(type="hits", hits=1, share=1.0))), 4, seed=1)
    after = states(mine.adapters)
    assert facts["taken"] == {"stops": 0, "goes": 4}
    assert {name.split("/")[0] for name in before if not torch.equal(before[name], after[name])} == {"goes"}
    assert facts["samples"] == 8 + 3 * 4


def test_a_dream_may_begin_at_an_image_of_its_class(folders: dict[str, Path]) -> None:
    mine = painter(folders["pixels"], strength=0.25, denoising=4)
    for name in ("class", "dream"):
        mine.adapters.add(name, seed=1)
    start = mine.paint(["class"], 3, seed=1)
    begun = mine.paint_aims([Aim("dream", 0, 1, 0.5)], 3, seed=1, starts=lambda name, n, seed: start[0])
    fresh = mine.paint_aims([Aim("dream", 0, 1, 0.5)], 3, seed=1)
    assert begun.shape == fresh.shape == start.shape
    assert not torch.allclose(begun, fresh)
