"""Tiny diffusion models on disk, of the classes that real ones have: one of pixels, and a Stable Diffusion of latents."""

from pathlib import Path

import torch
from diffusers import AutoencoderKL, PNDMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from sleepwake.domains.tensors import seeded
from sleepwake.domains.vision.stroke_training import untrained, write

CPU = torch.device("cpu")
WORDS = ("<|startoftext|>", "<|endoftext|>", "a</w>", "b</w>")


def of_pixels(folder: Path, size: int = 8, seed: int = 0) -> Path:
    """As the shipped one, untrained: grey, no tokenizer."""
    write(untrained(size, [8, 8], 8, seed), folder)
    return folder


def of_latents(folder: Path) -> Path:
    """A StableDiffusionPipeline as diffusers writes it, with 4 x 4 latents of 8 x 8 pixels in colour."""
    with seeded(0, CPU):
        unet = UNet2DConditionModel(
            sample_size=4, in_channels=4, out_channels=4, layers_per_block=1, block_out_channels=(8, 8), norm_num_groups=4,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            cross_attention_dim=8, attention_head_dim=2,
        )  # fmt: skip
        vae = AutoencoderKL(
            block_out_channels=(4, 4), in_channels=3, out_channels=3, latent_channels=4, norm_num_groups=2, sample_size=8,
            down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
        )  # fmt: skip
        encoder = CLIPTextModel(
            CLIPTextConfig(
                vocab_size=len(WORDS), max_position_embeddings=16, hidden_size=8, intermediate_size=16, num_hidden_layers=2,
                num_attention_heads=2, projection_dim=8, bos_token_id=0, eos_token_id=1, pad_token_id=1,
            )
        )  # fmt: skip
        tokenizer = CLIPTokenizer(vocab={word: place for place, word in enumerate(WORDS)}, merges=[], model_max_length=16)
        pipeline = StableDiffusionPipeline(
            vae=vae, text_encoder=encoder, tokenizer=tokenizer, unet=unet, scheduler=PNDMScheduler(skip_prk_steps=True, steps_offset=1),
            safety_checker=None, feature_extractor=None, requires_safety_checker=False,
        )  # fmt: skip
        pipeline.save_pretrained(folder, safe_serialization=True)
    return folder
