"""Trains the generator that comes with the program, on procedural drawings alone, and writes it as diffusers reads it.

    python -m sleepwake.domains.vision.stroke_training --out DIR

The folder has a UNet, a text encoder and a scheduler, in float16. What is shipped was made by this command with its defaults.
"""

import json
from pathlib import Path
from typing import Annotated

import torch
import typer
from diffusers import DDIMScheduler, UNet2DConditionModel
from diffusers.training_utils import EMAModel
from rich.progress import Progress
from torch import Tensor
from transformers import CLIPTextConfig

from sleepwake.domains.tensors import generator, seeded
from sleepwake.domains.vision import strokes
from sleepwake.domains.vision.descent import adam, descend, falling
from sleepwake.domains.vision.frozen import FrozenGenerator, Parts
from sleepwake.domains.vision.text_encoder import SoftPromptClip
from sleepwake.seeds import seed as seed_at

HEADS = 2
"""Heads of attention, in the text encoder and across to it."""
NOISES = 1000
"""Levels of noise."""
WITHOUT_CAPTION = 0.1
"""Share of drawings that are shown without their words (Ho & Salimans 2021), so that a prompt may leave things open."""


def untrained(size: int, channels: list[int], text: int, seed: int) -> Parts:
    """A small text-conditional diffusion model of grey images, which has learned nothing.

    Args:
        size: height and width of an image.
        channels: of the UNet at each size, each half of the one before; attention to the text only at the smallest.
        text: width of the text encoder.
        seed: of the first weights.
    """
    plain = len(channels) - 1
    with seeded(seed, torch.device("cpu")):
        encoder = SoftPromptClip(
            CLIPTextConfig(
                vocab_size=len(strokes.WORDS), max_position_embeddings=4 * strokes.LENGTH, hidden_size=text, intermediate_size=2 * text,
                num_hidden_layers=1, num_attention_heads=HEADS, projection_dim=text,
                bos_token_id=strokes.END, eos_token_id=strokes.END, pad_token_id=strokes.END,
            )
        )  # fmt: skip
        unet = UNet2DConditionModel(
            sample_size=size, in_channels=1, out_channels=1, layers_per_block=1, block_out_channels=tuple(channels),
            down_block_types=(*["DownBlock2D"] * plain, "CrossAttnDownBlock2D"), mid_block_type="UNetMidBlock2DCrossAttn",
            up_block_types=("CrossAttnUpBlock2D", *["UpBlock2D"] * plain), norm_num_groups=8, cross_attention_dim=text,
            attention_head_dim=HEADS,  # diffusers reads it as the count of heads
        )  # fmt: skip
        sampler = DDIMScheduler(num_train_timesteps=NOISES, beta_schedule="squaredcos_cap_v2", prediction_type="v_prediction")
    return Parts(unet=unet, encoder=encoder, scheduler=sampler, caption=(strokes.END,))


def train(parts: Parts, steps: int, batch: int, lr: float, seed: int) -> float:
    """Train on drawings made on the fly, each seen once; the weights become their running mean. Returns the last tenth's loss."""
    size, learning = parts.unet.config.sample_size, [*parts.unet.parameters(), *parts.encoder.parameters()]
    model, optimizer = FrozenGenerator(parts), adam(learning, lr)
    model.requires_grad_(True).train()
    mean = EMAModel(learning, decay=0.999, use_ema_warmup=True, power=0.75)

    def loss_at(step: int) -> Tensor:
        images_N1HW, captions_NL = strokes.draw(batch, size, size, seed_at(seed, step, "draw"))
        dropped_N = torch.rand(batch, generator=generator(seed_at(seed, step, "caption")), device="cpu") < WITHOUT_CAPTION
        captions_NL[dropped_N, : len(strokes.SLOTS)] = strokes.NOTHING
        return model.errors(images_N1HW, model.encoded(captions_NL), seed_at(seed, step)).mean()

    with Progress() as bar:
        drawn = bar.add_task("drawings", total=steps)

        def look(step: int) -> None:
            mean.step(learning)
            bar.update(drawn, completed=step)

        facts = descend(optimizer, loss_at, steps, falling(optimizer, 0.02, steps), look)
    mean.copy_to(learning)
    model.freeze()
    return float(facts["loss_last"])


def write(parts: Parts, folder: Path) -> None:
    """Write the parts in diffusers' layout, in half precision."""
    folder.mkdir(parents=True)
    for name, part in (("unet", parts.unet), ("text_encoder", parts.encoder)):
        part.half().save_pretrained(folder / name, safe_serialization=True)
        part.float()
    parts.scheduler.save_pretrained(folder / "scheduler")
    index = {
        "_class_name": "DiffusionPipeline",
        "unet": ["diffusers", "UNet2DConditionModel"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "scheduler": ["diffusers", "DDIMScheduler"],
    }
    (folder / "model_index.json").write_text(json.dumps(index, indent=2) + "\n")


def main(
    out: Annotated[Path, typer.Option(help="The new folder.")],
    size: Annotated[int, typer.Option(help="Pixels of a side.")] = 16,
    steps: Annotated[int, typer.Option(help="Optimizer steps.")] = 6000,
    batch: Annotated[int, typer.Option(help="Drawings a step.")] = 64,
    seed: int = 0,
) -> None:
    """Train and write."""
    torch.set_num_threads(1)
    parts = untrained(size, [32, 48, 64], 64, seed_at(seed, "weights"))
    print(f"loss {train(parts, steps, batch, 2e-3, seed_at(seed, 'train')):.4f}")
    write(parts, out)


if __name__ == "__main__":
    typer.run(main)
