"""The frozen generator: a text-conditional diffusion model that never learns, of pixels or of latents, behind one small interface."""

from dataclasses import dataclass
from typing import Any

import torch
from diffusers import DDIMScheduler, LCMScheduler
from torch import Tensor, nn
from torch.nn import functional

from sleepwake.domains.tensors import generator, module_bytes
from sleepwake.domains.vision.images import Space, fitted
from sleepwake.seeds import seed as seed_at

SAMPLERS = {"ddim": DDIMScheduler, "lcm": LCMScheduler}
"""By the recipe's name: Song et al. 2021; Luo et al. 2023."""


@dataclass(frozen=True)
class Parts:
    """What a generator is made of, as diffusers and transformers know it.

    Attributes:
        unet: tells noise from image, given text.
        encoder: text to what the UNet is conditioned on.
        scheduler: how noise was added in training.
        caption: ids of a caption without words; a prompt's vectors stand before it.
        vae: latents to pixels; None for a model of pixels.
    """

    unet: Any
    encoder: Any
    scheduler: Any
    caption: tuple[int, ...]
    vae: Any = None


class FrozenGenerator(nn.Module):
    """Noise and conditions to images; differentiable in the conditions, and in nothing of its own.

    Images inside are the model's own (N, c, h, w), in [-1, 1]; those that leave it are of the stream's space, in [0, 1].
    """

    def __init__(self, parts: Parts, sampler: str = "ddim", steps: int = 4, checkpointing: bool = False) -> None:
        super().__init__()
        self.unet, self.encoder, self.vae, self.caption = parts.unet, parts.encoder, parts.vae, parts.caption
        self.trained = parts.scheduler
        # "trailing": with "leading" the few steps would not begin at pure noise, and the prompt's gradient all but vanishes
        with torch.device(self.device):
            self.sampler = SAMPLERS[sampler].from_config(parts.scheduler.config, timestep_spacing="trailing", clip_sample=False)
            self.sampler.set_timesteps(steps, device=self.device)
        self.checkpointing = checkpointing
        self.bytes = module_bytes(self)
        """Of its own weights, without adapters."""
        self.freeze()

    def freeze(self) -> None:
        """No weight learns, and none asks for a gradient; conditions that are given still get theirs."""
        self.requires_grad_(False).eval()
        self.zero_grad()
        for part in (self.unet, self.vae):
            if part is None:
                continue
            part.disable_gradient_checkpointing()  # the parts may be another generator's too
            if self.checkpointing:
                part.enable_gradient_checkpointing()
                part.train()  # diffusers checkpoints in training only; these networks have no dropout that would notice

    @property
    def device(self) -> torch.device:
        """Where it is."""
        found: torch.device = next(self.unet.parameters()).device
        return found

    @property
    def inner(self) -> tuple[int, int, int]:
        """Channels, height and width of what is denoised: pixels, or latents."""
        size = self.unet.config.sample_size
        height, width = (size, size) if isinstance(size, int) else size
        return self.unet.config.in_channels, height, width

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of its images."""
        channels, height, width = self.inner
        if self.vae is None:
            return channels, height, width
        scale = 2 ** (len(self.vae.config.block_out_channels) - 1)
        return self.vae.config.out_channels, height * scale, width * scale

    def noise(self, n: int, seed: int) -> Tensor:
        """Starting noise (n, c, h, w)."""
        return torch.randn((n, *self.inner), generator=generator(seed), device="cpu").to(self.device)

    def encoded(self, captions_NL: Tensor) -> Tensor:
        """What the UNet is conditioned on (N, L, E), of ids."""
        conditions_NLE: Tensor = self.encoder(input_ids=captions_NL.to(self.device)).last_hidden_state
        return conditions_NLE

    def denoise(
        self,
        noise_Nchw: Tensor,
        conditions_NLE: Tensor,
        seed: int = 0,
        start_Nchw: Tensor | None = None,
        strength: float = 1.0,
        last: int = 0,
    ) -> Tensor:
        """The sampler's way from noise to what is denoised (N, c, h, w).

        Args:
            noise_Nchw: as `noise` gives it.
            conditions_NLE: an item a row.
            seed: of the noise that LCM adds at each step; unused by DDIM.
            start_Nchw: begin at these with noise on them, where given; as `inward` gives them.
            strength: share of the steps that is taken from there, in (0, 1].
            last: gradients pass through so many of the last steps; 0 for all.
        """
        levels = self.sampler.timesteps.tolist()
        levels = levels[len(levels) - max(1, round(strength * len(levels))) :] if start_Nchw is not None else levels
        sample_Nchw: Tensor = noise_Nchw * self.sampler.init_noise_sigma
        if start_Nchw is not None:
            sample_Nchw = self.sampler.add_noise(start_Nchw, noise_Nchw, torch.tensor(levels[:1], device=self.device))
        extra: dict[str, Any] = {}
        if isinstance(self.sampler, LCMScheduler):  # it counts its steps, and adds noise after each
            self.sampler.set_timesteps(len(self.sampler.timesteps), device=self.device)
            self.sampler.set_begin_index(len(self.sampler.timesteps) - len(levels))
            extra["generator"] = generator(seed)
        for place, level in enumerate(levels):
            passes = last == 0 or place >= len(levels) - last
            with torch.set_grad_enabled(passes and torch.is_grad_enabled()):
                told_Nchw = self.unet(sample_Nchw, level, encoder_hidden_states=conditions_NLE).sample
                sample_Nchw = self.sampler.step(told_Nchw, level, sample_Nchw, **extra).prev_sample
        return sample_Nchw

    def images(self, sample_Nchw: Tensor, space: Space) -> Tensor:
        """What was denoised, as images of the stream (N, C, H, W) in [0, 1]."""
        if self.vae is not None:
            sample_Nchw = self.vae.decode(sample_Nchw / self.vae.config.scaling_factor).sample
        return fitted(((sample_Nchw + 1) / 2).clamp(0.0, 1.0), space.shape)

    def inward(self, images_NCHW: Tensor) -> Tensor:
        """Images of a stream as what is denoised (N, c, h, w), such as a place to start from."""
        own_Nchw = fitted(images_NCHW, self.shape) * 2 - 1
        if self.vae is None:
            return own_Nchw
        latents_Nchw: Tensor = self.vae.encode(own_Nchw).latent_dist.mean * self.vae.config.scaling_factor
        return latents_Nchw

    def errors(self, images_NCHW: Tensor, conditions_NLE: Tensor, seed: int) -> Tensor:
        """How wrong the UNet is about each image (N,): mean squared error of what it predicts, at a random level of noise."""
        clean_Nchw = self.inward(images_NCHW.to(self.device))
        noise_Nchw = self.noise(len(clean_Nchw), seed_at(seed, "noise"))
        chosen_N = torch.randint(
            self.trained.config.num_train_timesteps, (len(clean_Nchw),), generator=generator(seed_at(seed, "level")), device="cpu"
        )
        return self.errors_at(clean_Nchw, noise_Nchw, chosen_N.to(self.device), conditions_NLE)

    def errors_at(self, clean_Nchw: Tensor, noise_Nchw: Tensor, levels_N: Tensor, conditions_NLE: Tensor) -> Tensor:
        """As `errors`, with noise and levels given."""
        noisy_Nchw = self.trained.add_noise(clean_Nchw, noise_Nchw, levels_N)
        told_Nchw = self.unet(noisy_Nchw, levels_N, encoder_hidden_states=conditions_NLE).sample
        wanted_Nchw = {"epsilon": noise_Nchw, "sample": clean_Nchw}.get(self.trained.config.prediction_type)
        if wanted_Nchw is None:
            wanted_Nchw = self.trained.get_velocity(clean_Nchw, noise_Nchw, levels_N)
        return functional.mse_loss(told_Nchw, wanted_Nchw, reduction="none").flatten(start_dim=1).mean(dim=1)
