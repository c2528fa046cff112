"""The full-size path, end to end, with tiny models of the same classes: picture folders, a ResNet, a Stable Diffusion on disk."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline, UNet2DConditionModel
from frozen_models import of_latents
from peft import LoraConfig, get_peft_model_state_dict
from PIL import Image
from typer.testing import CliRunner

from sleepwake.cli import app

CLASSES = ("n01", "n02", "n03", "n04")
SMALL = (
    "threads=1", "domain.kept_probes=2", "stream.classes_per_task=2",
    'learner={type="resnet", channels=[4, 8], depths=[1, 1]}', "judge.hidden=[8]",
    "dreamer.prompt_steps=2", "dreamer.dreams=4", "challenger.pairs=3", "wake.steps=3", "wake.batch=4", "wake.replay.budget=8",
    "wake.dreams={batch=4, pool=4}", "sleep.rehearse={type='classes', slots=3, steps=2, batch=4, accept=0.0}",
    "evaluate={remap=true, audit=false}",
)  # fmt: skip
FOLDERS = {
    "vision/dream-mini-imagenet": "mini-imagenet",
    "vision/dream-fg-imagenet": "fg-imagenet",
    "vision/dream-imagenet-r": "imagenet-r",
}
SLOW = ("vision/dream-imagenet-r", "vision/dream-cifar10")


def pictures(place: Path, recipe: str) -> None:
    """A dozen training images a class and four to test on, where a recipe looks for them."""
    rng = np.random.default_rng(0)
    if recipe not in FOLDERS:
        images, labels = rng.integers(0, 256, (64, 8, 8, 3), dtype=np.uint8), np.repeat(np.arange(4), 16)
        split = np.arange(64) % 4 > 0
        np.savez(place / "cifar10.npz", x_train=images[split], y_train=labels[split], x_test=images[~split], y_test=labels[~split])
        return
    for name in CLASSES:
        for split, count in (("train", 12), ("val", 4)):
            for number in range(count):
                file = place / FOLDERS[recipe] / split / name / f"{number}.JPEG"
                file.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(rng.integers(0, 256, (9, 9, 3), dtype=np.uint8)).save(file)


def lcm(place: Path) -> tuple[str, ...]:
    """A LoRA for the UNet, and what a recipe says to draw by it in few steps."""
    unet = UNet2DConditionModel.from_pretrained(place / "diffusion" / "unet")
    unet.add_adapter(LoraConfig(r=2, lora_alpha=2, target_modules=["to_q", "to_v"], init_lora_weights=False))
    StableDiffusionPipeline.save_lora_weights(place / "lora", unet_lora_layers=get_peft_model_state_dict(unet))
    return 'dreamer.sampler="lcm"', "dreamer.denoising=4", f'dreamer.generator.lora="{place / "lora"}"'


def from_the_first_day_to_the_report(recipe: str, place: Path, device: str, few_steps: bool) -> None:
    with torch.device("cpu"):
        pictures(place, recipe)
        of_latents(place / "diffusion")
        sets = [*SMALL, f'dreamer.generator={{type="folder", folder="{place / "diffusion"}"}}', *(lcm(place) if few_steps else ())]
        sets += ["stream.size=8"] if recipe in FOLDERS else []
        asked = [part for line in sets for part in ("--set", line)]
        out = place / "run"
        result = CliRunner().invoke(app, ["run", recipe, "--data", str(place), "--out", str(out), "--device", device, *asked])
    assert result.exit_code == 0, result.output
    summary = json.loads((out / "summary.json").read_text())
    assert summary["status"] == "done"
    assert len(summary["nights"]) == 2
    assert all(row is not None for row in summary["ahead"]["remap"])
    events = [json.loads(line) for line in (out / "journal.jsonl").read_text().splitlines()]
    first, second = (event["facts"]["adopted"] for event in events if event.get("stage") == "rehearse")
    assert first == 3, "all three slots"
    assert second > 0, "the next day has taken some of them over, which are free again"
    assert (out / "report.html").exists()


@pytest.mark.parametrize(
    ("recipe", "few_steps"),
    [
        pytest.param(recipe, recipe == "vision/dream-fg-imagenet", marks=[pytest.mark.slow] if recipe in SLOW else [])
        for recipe in (*FOLDERS, "vision/dream-cifar10")
    ],
)
def test_a_full_size_recipe(recipe: str, few_steps: bool, tmp_path: Path) -> None:
    from_the_first_day_to_the_report(recipe, tmp_path, "cpu", few_steps)


@pytest.mark.gpu
@pytest.mark.parametrize("recipe", [*FOLDERS, "vision/dream-cifar10"])
def test_a_full_size_recipe_on_a_gpu(recipe: str, tmp_path: Path) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    from_the_first_day_to_the_report(recipe, tmp_path, "cuda", recipe == "vision/dream-fg-imagenet")
