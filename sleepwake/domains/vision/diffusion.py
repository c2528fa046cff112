"""The frozen generator: a small text-conditional diffusion model that knows strokes and nothing else."""

import torch
from diffusers import DDIMScheduler, UNet2DConditionModel
from torch import Tensor, nn
from torch.nn import functional
from transformers import CLIPTextConfig

from sleepwake.domains.tensors import generator, seeded
from sleepwake.domains.vision import strokes
from sleepwake.domains.vision.descent import adam, descend
from sleepwake.domains.vision.images import Space
from sleepwake.domains.vision.night_settings import DiffusionDreamer
from sleepwake.domains.vision.text_encoder import SoftPromptClip
from sleepwake.records import Facts
from sleepwake.seeds import seed as seed_at

NOISES = 1000
"""Levels of noise that the model is trained at."""
HEADS = 2
"""Heads of attention, in the text encoder and across to it."""


class StrokeDiffusion(nn.Module):
    """UNet, text encoder and DDIM sampler (Song et al. 2021; v-prediction, Salimans & Ho 2022), at the stream's own size.

    Drawings are grey; in a stream of colours all channels get the same.
    """

    def __init__(self, settings: DiffusionDreamer, space: Space, seed: int) -> None:
        super().__init__()
        self.settings, self.space = settings, space
        channels, size = settings.channels, settings.text
        with seeded(seed, space.device):
            self.encoder = SoftPromptClip(
                CLIPTextConfig(
                    vocab_size=len(strokes.WORDS),
                    max_position_embeddings=len(strokes.SLOTS) + 1,
                    hidden_size=size,
                    intermediate_size=2 * size,
                    num_hidden_layers=1,
                    num_attention_heads=HEADS,
                    projection_dim=size,
                    bos_token_id=strokes.END,
                    eos_token_id=strokes.END,
                    pad_token_id=strokes.END,
                )
            )
            self.unet = UNet2DConditionModel(
                sample_size=space.shape[1:],
                in_channels=1,
                out_channels=1,
                block_out_channels=tuple(channels),
                down_block_types=("DownBlock2D",) * len(channels),
                mid_block_type="UNetMidBlock2DCrossAttn",  # attention where the image is smallest costs least
                up_block_types=("UpBlock2D",) * len(channels),
                layers_per_block=1,
                norm_num_groups=8,
                cross_attention_dim=size,
                attention_head_dim=HEADS,  # diffusers reads it as the count of heads
            )
            # "trailing": with "leading" the few steps would not begin at pure noise, and the prompt's gradient all but vanishes
            self.sampler = DDIMScheduler(
                num_train_timesteps=NOISES,
                beta_schedule="squaredcos_cap_v2",
                prediction_type="v_prediction",
                timestep_spacing="trailing",
            )
            self.sampler.set_timesteps(settings.ddim, device=space.device)
        self.freeze()

    def freeze(self) -> None:
        """No weight learns, and none asks for a gradient; prompts that are given still get theirs."""
        self.requires_grad_(False).eval()
        self.zero_grad()

    def noise(self, n: int, seed: int) -> Tensor:
        """Starting noise (n, 1, H, W)."""
        return torch.randn((n, 1, *self.space.shape[1:]), generator=generator(seed), device="cpu").to(self.space.device)

    def denoise(self, noise_N1HW: Tensor, conditions_NLE: Tensor) -> Tensor:
        """Images (N, C, H, W) in [0, 1] of the stream's space, differentiable through every DDIM step."""
        sample_N1HW = noise_N1HW
        for step in self.sampler.timesteps.tolist():
            velocity_N1HW = self.unet(sample_N1HW, step, encoder_hidden_states=conditions_NLE).sample
            sample_N1HW = self.sampler.step(velocity_N1HW, step, sample_N1HW).prev_sample
        return ((sample_N1HW + 1) / 2).clamp(0.0, 1.0).expand(-1, self.space.shape[0], -1, -1)

    def loss(self, images_N1HW: Tensor, captions_NL: Tensor, seed: int) -> Tensor:
        """Mean squared error of the velocity, each image at one of the noise levels that the sampler visits: no other is ever asked for."""
        device, clean_N1HW = self.space.device, images_N1HW * 2 - 1
        noise_N1HW = self.noise(len(images_N1HW), seed_at(seed, "noise"))
        chosen_N = torch.randint(self.settings.ddim, (len(images_N1HW),), generator=generator(seed_at(seed, "level")), device="cpu")
        levels = self.sampler.timesteps[chosen_N.to(device)]
        noisy_N1HW = self.sampler.add_noise(clean_N1HW, noise_N1HW, levels)
        conditions_NLE = self.encoder(input_ids=captions_NL).last_hidden_state
        velocity_N1HW = self.unet(noisy_N1HW, levels, encoder_hidden_states=conditions_NLE).sample
        return functional.mse_loss(velocity_N1HW, self.sampler.get_velocity(clean_N1HW, noise_N1HW, levels))

    def learn_strokes(self, seed: int) -> Facts:
        """Train on drawings made on the fly, each seen once; then freeze for good."""
        settings, device = self.settings, self.space.device
        _, height, width = self.space.shape

        def loss_at(step: int) -> Tensor:
            images_N1HW, captions_NL = strokes.draw(settings.batch, height, width, seed_at(seed, step, "draw"))
            return self.loss(images_N1HW.to(device), captions_NL.to(device), seed_at(seed, step))

        self.requires_grad_(True).train()
        facts = descend(adam(self.parameters(), settings.lr), loss_at, settings.steps)
        self.freeze()
        return {**facts, "samples": settings.steps * settings.batch}
