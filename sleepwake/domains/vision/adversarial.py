"""A generative adversarial network: a generator of images, and a critic that tells how far they are from those of the day."""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from sleepwake.domains.tensors import generator, seeded
from sleepwake.domains.vision.descent import adam, descend, falling
from sleepwake.domains.vision.dreamer_settings import WganDreamer
from sleepwake.domains.vision.images import Batch, Space
from sleepwake.domains.vision.training import Shuffled
from sleepwake.records import Facts
from sleepwake.seeds import seed as seed_at

BETAS = (0.5, 0.9)
"""Of Adam: a short memory, since the critic changes what the generator descends. Gulrajani et al. have (0, 0.9), and (0.5, 0.9) in code."""
KERNEL, SLOPE = 4, 0.2
"""Side of the convolutions, a multiple of their stride of 2, so that all pixels are painted equally often; slope of leaky ReLU."""


def sides(space: Space, halvings: int) -> list[tuple[int, int]]:
    """Height and width of an image, and after each halving, rounded up."""
    found = [(space.shape[1], space.shape[2])]
    for _ in range(halvings):
        height, width = found[-1]
        found.append(((height + 1) // 2, (width + 1) // 2))
    return found


class Cropped(nn.Module):
    """The first rows and columns: a doubled side may be one too long."""

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        self.height, self.width = height, width

    def forward(self, images_NCHW: Tensor) -> Tensor:
        """Cut to height and width."""
        return images_NCHW[:, :, : self.height, : self.width]


class Critic(nn.Module):
    """Images to numbers, without bounds: strided convolutions, or fully connected layers where `channels` is empty.

    There is no batch normalisation, since the gradient's penalty is of each image alone (Gulrajani et al., section 4).
    """

    def __init__(self, settings: WganDreamer, space: Space, seed: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        with seeded(seed, space.device):
            if settings.channels:
                *larger, (last_height, last_width) = sides(space, len(settings.channels))
                for (inputs, outputs), (height, width) in zip(pairwise([space.shape[0], *settings.channels]), larger, strict=True):
                    layers += [nn.ZeroPad2d((0, width % 2, 0, height % 2))] if height % 2 or width % 2 else []
                    layers += [nn.Conv2d(inputs, outputs, KERNEL, stride=2, padding=1), nn.LeakyReLU(SLOPE)]
                layers += [nn.Flatten(), nn.Linear(settings.channels[-1] * last_height * last_width, 1)]
            else:
                layers.append(nn.Flatten())
                for inputs, outputs in pairwise([space.pixels, *settings.hidden]):
                    layers += [nn.Linear(inputs, outputs), nn.LeakyReLU(SLOPE)]
                layers.append(nn.Linear(settings.hidden[-1], 1))
        self.layers = nn.Sequential(*layers)

    def forward(self, images_NCHW: Tensor) -> Tensor:
        """The critic's value of each image (N,)."""
        values_N: Tensor = self.layers(images_NCHW)[:, 0]
        return values_N


class Generator(nn.Module):
    """Noise to images in [0, 1]; the critic's layers in reverse."""

    def __init__(self, settings: WganDreamer, space: Space, seed: int) -> None:
        super().__init__()
        self.settings, self.space = settings, space
        layers: list[nn.Module] = []
        with seeded(seed, space.device):
            if settings.channels:
                *larger, (height, width) = sides(space, len(settings.channels))
                first = settings.channels[-1]
                layers += [nn.Linear(settings.latent, first * height * width), nn.Unflatten(1, (first, height, width))]
                for (inputs, outputs), side in zip(pairwise([*reversed(settings.channels), space.shape[0]]), reversed(larger), strict=True):
                    layers += [nn.ReLU(), nn.ConvTranspose2d(inputs, outputs, KERNEL, stride=2, padding=1), Cropped(*side)]
            else:
                for inputs, outputs in pairwise([settings.latent, *reversed(settings.hidden)]):
                    layers += [nn.Linear(inputs, outputs), nn.ReLU()]
                layers += [nn.Linear(settings.hidden[0], space.pixels), nn.Unflatten(1, space.shape)]
        self.layers = nn.Sequential(*layers, nn.Sigmoid())

    def forward(self, noise_NZ: Tensor) -> Tensor:
        """Images (N, C, H, W)."""
        images_NCHW: Tensor = self.layers(noise_NZ)
        return images_NCHW

    def noise(self, n: int, seed: int) -> Tensor:
        """Standard normal noise (n, latent)."""
        return torch.randn((n, self.settings.latent), generator=generator(seed), device="cpu").to(self.space.device)

    @torch.no_grad()
    def draw(self, n: int, seed: int) -> Tensor:
        """Draw n images (n, C, H, W)."""
        images_NCHW: Tensor = self(self.noise(n, seed))
        return images_NCHW

    def copy(self) -> "Generator":
        """An equal generator that shares nothing with this one."""
        twin = Generator(self.settings, self.space, seed=0)
        twin.load_state_dict(self.state_dict())
        return twin


class Wgan(nn.Module):
    """A generator and its critic; whoever learns again needs both."""

    def __init__(self, settings: WganDreamer, space: Space, seed: int) -> None:
        super().__init__()
        self.settings, self.space = settings, space
        self.generator = Generator(settings, space, seed_at(seed, "generator"))
        self.critic = Critic(settings, space, seed_at(seed, "critic"))


@dataclass(frozen=True)
class Mixed:
    """The day's images mixed with draws of an earlier generator.

    Attributes:
        day: the day's images.
        earlier: draws the others; it must not learn meanwhile. None: all are the day's.
        share: the chance of an image to be the day's.
    """

    day: Batch
    earlier: Generator | None = None
    share: float = 1.0

    def draw(self, n: int, seed: int) -> Tensor:
        """Draw n images (n, C, H, W)."""
        images_NCHW = Shuffled(self.day).draw(n, seed_at(seed, "day")).images_NCHW
        if self.earlier is None:
            return images_NCHW
        chance_N = torch.rand(n, generator=generator(seed_at(seed, "share")), device="cpu").to(images_NCHW.device)
        return torch.where((chance_N < self.share)[:, None, None, None], images_NCHW, self.earlier.draw(n, seed_at(seed, "earlier")))


def gradient_penalty(critic: nn.Module, real_NCHW: Tensor, drawn_NCHW: Tensor, places_N: Tensor) -> Tensor:
    """Mean of (|gradient| - 1)^2 between each real image and a drawn one (Gulrajani et al. 2017, equation 3).

    Args:
        critic: images to values (N,).
        real_NCHW: real images.
        drawn_NCHW: as many drawn ones.
        places_N: where between the two the gradient is taken: 0 at the real image, 1 at the drawn one.
    """
    between_NCHW = torch.lerp(real_NCHW, drawn_NCHW, places_N[:, None, None, None]).requires_grad_()
    (gradient_NCHW,) = torch.autograd.grad(critic(between_NCHW).sum(), between_NCHW, create_graph=True)
    penalty: Tensor = ((gradient_NCHW.flatten(start_dim=1).norm(dim=1) - 1) ** 2).mean()
    return penalty


def fit(wgan: Wgan, images: Mixed, seed: int) -> Facts:
    """Train by turns: some steps of the critic, one of the generator (Gulrajani et al. 2017, algorithm 1)."""
    settings, drawer, critic = wgan.settings, wgan.generator, wgan.critic
    of_critic, of_generator = (adam(part.parameters(), settings.lr, BETAS) for part in (critic, drawer))

    def critic_loss(place: int) -> Tensor:
        real_NCHW = images.draw(settings.batch, seed_at(place, "real"))
        drawn_NCHW = drawer.draw(settings.batch, seed_at(place, "noise"))
        places_N = torch.rand(settings.batch, generator=generator(seed_at(place, "between")), device="cpu").to(real_NCHW.device)
        distance: Tensor = critic(real_NCHW).mean() - critic(drawn_NCHW).mean()
        return settings.penalty * gradient_penalty(critic, real_NCHW, drawn_NCHW, places_N) - distance

    take_critic = falling(of_critic, settings.end_factor, settings.steps * settings.critic_steps)

    def loss_at(step: int) -> Tensor:
        descend(of_critic, lambda turn: critic_loss(seed_at(seed, step, turn)), settings.critic_steps, take_critic)
        values_N: Tensor = critic(drawer(drawer.noise(settings.batch, seed_at(seed, step, "noise"))))
        return -values_N.mean()

    facts = descend(of_generator, loss_at, settings.steps, falling(of_generator, settings.end_factor, settings.steps))
    return {**facts, "samples": settings.steps * settings.batch * (settings.critic_steps + 1)}
