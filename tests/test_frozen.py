"""The frozen generator: folders of diffusers, of pixels and latents, opened, drawn from, and refused where they can't be used."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import StableDiffusionPipeline
from frozen_models import of_latents, of_pixels
from peft import LoraConfig, get_peft_model_state_dict

from sleepwake.domains import weights
from sleepwake.domains.tensors import seeded
from sleepwake.domains.vision import pipelines, strokes
from sleepwake.domains.vision.dreamer_settings import DiffusionDreamer as Settings
from sleepwake.domains.vision.dreamer_settings import HubGenerator
from sleepwake.domains.vision.frozen import FrozenGenerator
from sleepwake.domains.vision.images import Space, fitted
from sleepwake.domains.vision.stroke_training import train, untrained
from sleepwake.errors import DataError

CPU = torch.device("cpu")
GREY = Space(shape=(1, 8, 8), classes=("a", "b"), device=CPU, seed=0)
COLOUR = Space(shape=(3, 12, 10), classes=("a", "b"), device=CPU, seed=0)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    place = tmp_path_factory.mktemp("generators")
    with torch.device("cpu"):
        return {"pixels": of_pixels(place / "pixels"), "latents": of_latents(place / "latents")}


def told(folder: Path, **more: Any) -> Settings:
    return Settings.model_validate({"type": "diffusion", "generator": {"type": "folder", "folder": str(folder)}, **more})


def opened(folder: Path, **more: Any) -> FrozenGenerator:
    return pipelines.open_generator(told(folder, **more), CPU)


def conditions(model: FrozenGenerator, n: int) -> torch.Tensor:
    return model.encoded(torch.tensor([model.caption], device=CPU)).repeat(n, 1, 1)


def test_drawings_are_ink_on_black_with_a_word_a_slot() -> None:
    images, captions = strokes.draw(300, 8, 12, seed=1)
    assert images.shape == (300, 1, 8, 12)
    assert captions.shape == (300, strokes.LENGTH)
    assert float(images.min()) == 0.0
    assert 0.7 < float(images.max()) <= 1.0
    assert bool((captions[:, -1] == strokes.END).all())
    assert not bool((captions[:, :-1] == strokes.NOTHING).all(dim=1).any()), "there is always a stroke at least"
    again, _ = strokes.draw(300, 8, 12, seed=1)
    assert torch.equal(images, again)


def test_a_word_says_which_stroke() -> None:
    images, captions = strokes.draw(5000, 9, 9, seed=2)
    alone = (captions[:, 1:-1] == strokes.NOTHING).all(dim=1)
    seen = ("across", "down", "ring", "disc", "wedge", "funnel")
    across, down, ring, disc, wedge, funnel = (
        images[alone & (captions[:, 0] == strokes.WORDS.index(word)), 0].mean(dim=0) for word in seen
    )
    assert int(across.sum(dim=1).argmax()) == 4
    assert int(down.sum(dim=0).argmax()) == 4
    assert float(ring[4, 4]) < 0.1 < 0.3 < float(ring[4].max())
    assert float(disc[4, 4]) > 0.6, "filled"
    assert int(wedge.sum(dim=1).argmax()) > int(funnel.sum(dim=1).argmax()), "broad below, and broad above"


@pytest.mark.parametrize(("kind", "inner", "shape"), [("pixels", (1, 8, 8), (1, 8, 8)), ("latents", (4, 4, 4), (3, 8, 8))])
@pytest.mark.parametrize("space", [GREY, COLOUR])
@pytest.mark.parametrize("sampler", ["ddim", "lcm"])
def test_images_are_the_streams(
    folders: dict[str, Path], kind: str, inner: tuple[int, ...], shape: tuple[int, ...], space: Space, sampler: str
) -> None:
    model = opened(folders[kind], sampler=sampler, denoising=3)
    assert (model.inner, model.shape) == (inner, shape)
    noise = model.noise(2, seed=1)
    images = model.images(model.denoise(noise, conditions(model, 2), seed=5), space)
    assert images.shape == (2, *space.shape)
    assert 0 <= float(images.min()) < float(images.max()) <= 1
    assert torch.equal(images, model.images(model.denoise(noise, conditions(model, 2), seed=5), space))


@pytest.mark.parametrize("kind", ["pixels", "latents"])
@pytest.mark.parametrize("sampler", ["ddim", "lcm"])
def test_a_way_that_begins_at_an_image_ends_near_it(folders: dict[str, Path], kind: str, sampler: str) -> None:
    """The fewer of the steps are undone, the nearer."""
    model = opened(folders[kind], sampler=sampler, denoising=8)
    start = model.inward(torch.rand((4, 1, 8, 8), generator=torch.Generator("cpu").manual_seed(1), device=CPU))
    noise = model.noise(4, seed=1)

    def away(strength: float) -> float:
        found = model.denoise(noise, conditions(model, 4), 3, start, strength)
        return float((found - start).square().mean())

    assert away(0.125) < away(1.0)


def test_gradients_pass_through_as_many_of_the_last_steps_as_asked(folders: dict[str, Path]) -> None:
    model = opened(folders["pixels"], denoising=3)

    def gradient(last: int, model: FrozenGenerator = model) -> torch.Tensor:
        told_NLE = conditions(model, 2).requires_grad_()
        model.denoise(model.noise(2, seed=1), told_NLE, last=last).square().sum().backward()
        assert told_NLE.grad is not None
        return told_NLE.grad

    whole, one = gradient(0), gradient(1)
    assert torch.equal(gradient(3), whole)
    assert not torch.allclose(one, whole)
    assert all(weight.grad is None and not weight.requires_grad for weight in model.parameters())
    thrifty = gradient(0, opened(folders["pixels"], denoising=3, checkpointing=True))
    torch.testing.assert_close(thrifty, whole)


def test_a_decoder_that_computes_twice_decodes_the_same(folders: dict[str, Path]) -> None:
    def gradient(model: FrozenGenerator) -> torch.Tensor:
        sample = model.noise(2, seed=1).requires_grad_()
        model.images(sample, COLOUR).square().sum().backward()
        assert sample.grad is not None
        return sample.grad

    thrifty = opened(folders["latents"], checkpointing=True)
    assert thrifty.vae.decoder.gradient_checkpointing
    again = gradient(thrifty)
    plain = opened(folders["latents"])
    assert not plain.vae.decoder.gradient_checkpointing, "the parts are shared, the choice isn't"
    torch.testing.assert_close(gradient(plain), again)


def test_colour_and_size_by_hand() -> None:
    red = torch.zeros((1, 3, 2, 2), device=CPU)
    red[:, 0] = 1.0
    assert fitted(red, (1, 2, 2)).flatten().tolist() == pytest.approx([0.299] * 4)
    grey = torch.tensor([[[[0.0, 1.0], [0.0, 1.0]]]], device=CPU)
    assert fitted(grey, (3, 1, 1)).flatten().tolist() == pytest.approx([0.5] * 3)


def test_training_on_drawings_lowers_the_loss() -> None:
    """From about 1 (a model that says nothing, of velocities of variance 1) well below it in sixty steps of eight drawings."""
    parts = untrained(8, [8, 8], 8, seed=1)
    model = FrozenGenerator(parts)
    images, captions = strokes.draw(64, 8, 8, seed=9)
    before = float(model.errors(images, model.encoded(captions), seed=1).mean())
    train(parts, 60, 8, 4e-3, seed=2)
    after = float(model.errors(images, model.encoded(captions), seed=1).mean())
    assert after < 0.8 * before
    assert not any(weight.requires_grad for weight in parts.unet.parameters())


def test_the_shipped_generator_knows_its_words() -> None:
    """Drawn for a caption of one word, a ring is hollow, a disc isn't, and a beam across lies across."""
    model = pipelines.open_generator(Settings(type="diffusion", denoising=8), CPU)
    assert model.shape == (1, 16, 16)
    space = Space(shape=(1, 16, 16), classes=("a",), device=CPU, seed=0)

    def drawn(word: str) -> torch.Tensor:
        caption = [strokes.WORDS.index(word), *[strokes.NOTHING] * (len(strokes.SLOTS) - 1), strokes.END]
        told_NLE = model.encoded(torch.tensor([caption], device=CPU)).repeat(16, 1, 1)
        return model.images(model.denoise(model.noise(16, seed=1), told_NLE), space)[:, 0].mean(dim=0)

    ring, disc, across = drawn("ring"), drawn("disc"), drawn("across")
    assert float(ring[7:9, 7:9].mean()) < 0.15 < 0.5 < float(disc[7:9, 7:9].mean())
    assert float(across[6:10].sum()) > 0.7 * float(across.sum())


def broken(folder: Path, place: Path, what: str) -> Path:
    """A copy of a generator with something wrong."""
    copy = place / what.replace(" ", "-")
    shutil.copytree(folder, copy)
    index = json.loads((copy / "model_index.json").read_text())
    if what == "no index":
        (copy / "model_index.json").unlink()
    elif what.startswith("no "):
        shutil.rmtree(copy / what.removeprefix("no "))
    elif what == "pickled":
        file = next((copy / "unet").glob("*.safetensors"))
        file.rename(file.with_suffix(".bin"))
    elif what == "another pipeline":
        (copy / "model_index.json").write_text(json.dumps({**index, "transformer": ["diffusers", "FluxTransformer2DModel"]}))
    elif what == "another encoder":
        (copy / "model_index.json").write_text(json.dumps({**index, "text_encoder": ["transformers", "T5EncoderModel"]}))
    elif what == "index of no words":
        (copy / "model_index.json").write_text("{")
    elif what == "scheduler of no words":
        (copy / "scheduler" / "scheduler_config.json").write_text("{")
    elif what == "another decoder":
        (copy / "model_index.json").write_text(json.dumps({**index, "vae": ["diffusers", "AutoencoderTiny"]}))
    elif what == "cut short":
        file = next((copy / "unet").glob("*.safetensors"))
        file.write_bytes(file.read_bytes()[:100])
    elif what == "sizes apart":
        shutil.rmtree(copy / "text_encoder")
        shutil.copytree(place / "wide" / "text_encoder", copy / "text_encoder")
    return copy


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("no index", "no model_index.json"),
        ("no unet", "has no unet"),
        ("no scheduler", "has no scheduler"),
        ("pickled", "holds no safetensors"),
        ("another pipeline", "has a transformer"),
        ("another encoder", "is a T5EncoderModel"),
        ("cut short", "can't be read"),
        ("index of no words", "can't be read"),
        ("scheduler of no words", "can't be read"),
        ("no tokenizer", "has no tokenizer"),
        ("no vae", "has no vae"),
        ("another decoder", "is a AutoencoderTiny"),
        ("sizes apart", "gives 16 numbers a word, the UNet takes 8"),
    ],
)
def test_a_folder_that_can_t_be_used_is_told(folders: dict[str, Path], tmp_path: Path, what: str, said: str) -> None:
    if what == "sizes apart":
        from sleepwake.domains.vision.stroke_training import write

        write(untrained(8, [8, 8], 16, 0), tmp_path / "wide")
    kind = "latents" if what in ("no tokenizer", "no vae", "another decoder") else "pixels"
    with pytest.raises(DataError, match=said) as error:
        opened(broken(folders[kind], tmp_path, what))
    assert error.value.hint


def test_more_vectors_than_captions_have_room_for_are_told(folders: dict[str, Path]) -> None:
    with pytest.raises(DataError, match=r"dreamer.adapter.vectors: 40 don't fit") as error:
        opened(folders["latents"], adapter={"type": "prompt", "vectors": 40})
    assert error.value.hint == "dreamer.adapter.vectors = 14"
    opened(folders["latents"], adapter={"type": "prompt", "vectors": 14})


@pytest.mark.parametrize("what", ["unet", "text_encoder"])
def test_a_lora_is_fused_at_opening(folders: dict[str, Path], tmp_path: Path, what: str) -> None:
    """As an LCM's is: what the UNet says is what it says with the LoRA on, and of its text encoder's no word is known."""
    bare = opened(folders["latents"], sampler="lcm")
    lent = opened(folders["latents"], sampler="lcm", adapter={"type": "lora"}).unet  # a copy of its own
    with seeded(1, CPU), torch.device("cpu"):
        lent.add_adapter(LoraConfig(r=2, lora_alpha=2, target_modules=["to_q", "to_v"], init_lora_weights=False))
    StableDiffusionPipeline.save_lora_weights(tmp_path / "lora", **{f"{what}_lora_layers": get_peft_model_state_dict(lent)})
    chosen = {"generator": {"type": "folder", "folder": str(folders["latents"]), "lora": str(tmp_path / "lora")}, "sampler": "lcm"}
    settings = Settings.model_validate({"type": "diffusion", **chosen})
    if what == "text_encoder":
        with pytest.raises(DataError, match="changes text_encoder"):
            pipelines.open_generator(settings, CPU)
        return
    fused, noise = pipelines.open_generator(settings, CPU), bare.noise(2, seed=1)
    args = (noise, 500, conditions(bare, 2))
    with torch.no_grad():
        assert torch.allclose(fused.unet(*args).sample, lent(*args).sample, atol=1e-5)
        assert not torch.allclose(fused.unet(*args).sample, bare.unet(*args).sample, atol=1e-3)
    assert not any("lora" in name for name, _ in fused.unet.named_parameters())
    assert pipelines.places(settings.generator) == (folders["latents"], tmp_path / "lora")
    (file,) = (tmp_path / "lora").glob("*.safetensors")
    file.write_bytes(file.read_bytes()[:50])
    pipelines._parts.cache_clear()
    with pytest.raises(DataError, match=r"lora can't be read"):
        pipelines.open_generator(settings, CPU)
    file.unlink()
    with pytest.raises(DataError, match="holds 0 files of safetensors"):
        pipelines.open_generator(settings, CPU)


def test_a_latent_model_without_its_decoder_is_told(folders: dict[str, Path], tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folders["latents"], copy)
    index = json.loads((copy / "model_index.json").read_text())
    (copy / "model_index.json").write_text(json.dumps({**index, "vae": [None, None]}))
    with pytest.raises(DataError, match="4 channels needs a vae"):
        opened(copy)


def test_a_hub_id_without_a_network_is_told() -> None:
    """conftest puts the hub library offline; nothing of that name is in its cache."""
    with pytest.raises(DataError, match="can't be fetched from the hub") as error:
        pipelines.places(HubGenerator(type="hub", id="nobody/has-this"))
    assert 'generator = { type = "folder", folder = "has-this" } in [dreamer]' in error.value.hint
    with pytest.raises(DataError, match=r"dreamer\.generator\.lora: 'nobody/this'") as error:
        weights.fetched("dreamer.generator.lora", "nobody/this", "", ("*.safetensors",), "what is on disk")
    assert "and write what is on disk" in error.value.hint
    with pytest.raises(DataError) as error:
        pipelines.places(HubGenerator(type="hub", id="nobody/has-this", lora="nobody/this"))
    assert 'generator = { type = "folder", folder = "has-this", lora = "this" } in [dreamer]' in error.value.hint


def test_a_changed_generator_has_another_fingerprint(folders: dict[str, Path], tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folders["pixels"], copy)
    assert weights.fingerprint(copy) == weights.fingerprint(folders["pixels"])
    other = of_pixels(tmp_path / "other", seed=1)
    assert weights.fingerprint(other) != weights.fingerprint(copy)
