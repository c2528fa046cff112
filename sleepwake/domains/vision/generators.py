"""A variational autoencoder, or several of one shape trained side by side in stacked matrices."""

import warnings
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from sleepwake.domains.tensors import generator, seeded
from sleepwake.domains.vision.descent import adam, descend
from sleepwake.domains.vision.images import Space
from sleepwake.domains.vision.networks import Classifier
from sleepwake.domains.vision.wake_settings import VaeShape
from sleepwake.records import Facts
from sleepwake.seeds import seed as seed_at

CODES = 5000
"""Codes of each group from which a mixture is fitted."""


class Stacked(nn.Module):
    """G linear layers of one shape as one batched product: (G, B, inputs) -> (G, B, outputs)."""

    def __init__(self, groups: int, inputs: int, outputs: int) -> None:
        super().__init__()
        bound = inputs**-0.5
        self.weight_GIO = nn.Parameter(torch.empty(groups, inputs, outputs).uniform_(-bound, bound))
        self.bias_G1O = nn.Parameter(torch.empty(groups, 1, outputs).uniform_(-bound, bound))

    def forward(self, inputs_GBI: Tensor) -> Tensor:
        """Each group's affine map."""
        return torch.baddbmm(self.bias_G1O, inputs_GBI, self.weight_GIO)


def perceptrons(groups: int, sizes: Sequence[int]) -> nn.Sequential:
    """Stacked layers with ReLU between them."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        layers += [Stacked(groups, inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


class Mixture(nn.Module):
    """A mixture of Gaussians over codes, one for each group: the aggregate posterior in place of the prior, which it never quite meets."""

    def __init__(self, groups: int, count: int, latent: int, device: torch.device) -> None:
        super().__init__()
        self.register_buffer("weights_GK", torch.full((groups, count), 1 / count, device=device))
        self.register_buffer("means_GKZ", torch.zeros((groups, count, latent), device=device))
        self.register_buffer("factors_GKZZ", torch.eye(latent, device=device).repeat(groups, count, 1, 1))
        self.weights_GK: Tensor
        self.means_GKZ: Tensor
        self.factors_GKZZ: Tensor

    def forward(self, noise_GBZ: Tensor, chance_GB: Tensor) -> Tensor:
        """Codes (G, B, Z) from standard normal noise, and a uniform number each that chooses the Gaussian."""
        chosen_GB = torch.searchsorted(self.weights_GK.cumsum(dim=1), chance_GB.contiguous()).clamp(max=self.weights_GK.shape[1] - 1)
        group_G1 = torch.arange(len(chosen_GB), device=chosen_GB.device)[:, None]
        spread_GBZ = torch.einsum("gbyz,gbz->gby", self.factors_GKZZ[group_G1, chosen_GB], noise_GBZ)
        codes_GBZ: Tensor = self.means_GKZ[group_G1, chosen_GB] + spread_GBZ
        return codes_GBZ

    def fit(self, codes_GNZ: Tensor, seed: int) -> None:
        """Expectation-maximisation by scikit-learn, on one thread, since the last bits depend on their number."""
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.mixture import GaussianMixture
        from threadpoolctl import threadpool_limits

        count = self.weights_GK.shape[1]
        with threadpool_limits(limits=1), warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # stopped early on purpose: the last digits of a fit don't matter
            for group, codes_NZ in enumerate(codes_GNZ.double().cpu().numpy()):
                found = GaussianMixture(count, reg_covar=1e-3, max_iter=30, random_state=seed_at(seed, group) % 2**32).fit(codes_NZ)
                self.weights_GK[group] = torch.from_numpy(found.weights_).to(self.weights_GK)
                self.means_GKZ[group] = torch.from_numpy(found.means_).to(self.means_GKZ)
                self.factors_GKZZ[group] = torch.linalg.cholesky(torch.from_numpy(found.covariances_)).to(self.factors_GKZZ)


class Decoder(nn.Module):
    """Latent codes to images: p(x | z) of each group (Kingma & Welling 2014, appendix C).

    Args:
        groups: how many side by side.
        told: how many classes it is told apart (one-hot beside the code); 0 for none.
    """

    def __init__(self, settings: VaeShape, space: Space, groups: int, told: int, seed: int) -> None:
        super().__init__()
        self.settings, self.space, self.told = settings, space, told
        with seeded(seed, space.device):
            self.layers = perceptrons(groups, [settings.latent + told, *reversed(settings.hidden), space.pixels])
            self.log_spread_G1D = nn.Parameter(torch.full((groups, 1, space.pixels), -1.5))
        self.prior = Mixture(groups, settings.mixture, settings.latent, space.device) if settings.mixture else None

    @property
    def groups(self) -> int:
        """How many decoders lie side by side."""
        return len(self.log_spread_G1D)

    def forward(self, codes_GBZ: Tensor) -> Tensor:
        """Means (G, B, D): unbounded where the likelihood is Gaussian, logits where it is Bernoulli."""
        means_GBD: Tensor = self.layers(codes_GBZ)
        return means_GBD

    def spread(self) -> Tensor:
        """Standard deviation of each pixel (G, 1, D); bounded below, since pixels that never vary would drive it to zero."""
        return self.log_spread_G1D.clamp(min=-3.5).exp()

    def surprise(self, means_GBD: Tensor, images_GBD: Tensor) -> Tensor:
        """Negative log-likelihood of each image, up to a constant (G, B)."""
        if self.settings.likelihood == "squared":
            return ((images_GBD - means_GBD) ** 2).sum(dim=2)
        if self.settings.likelihood == "bernoulli":
            return functional.binary_cross_entropy_with_logits(means_GBD, images_GBD, reduction="none").sum(dim=2)
        spread_G1D = self.spread()
        return (0.5 * ((images_GBD - means_GBD) / spread_G1D) ** 2 + spread_G1D.log()).sum(dim=2)

    @torch.no_grad()
    def draw(self, told_GBY: Tensor, seed: int) -> Tensor:
        """Images (G, B, D) in [0, 1], or activations of at least 0, from the prior; told_GBY is (G, B, told)."""
        groups, count, _ = told_GBY.shape
        chance = generator(seed)
        codes_GBZ = torch.randn((groups, count, self.settings.latent), generator=chance, device="cpu").to(told_GBY.device)
        if self.prior is not None:
            codes_GBZ = self.prior(codes_GBZ, torch.rand((groups, count), generator=chance, device="cpu").to(told_GBY.device))
        return self.shown(self(torch.cat([codes_GBZ, told_GBY], dim=2)), chance)

    def shown(self, means_GBD: Tensor, chance: torch.Generator) -> Tensor:
        """Images in [0, 1], or activations of at least 0, from what was decoded (G, B, D)."""
        if self.settings.likelihood == "bernoulli":
            return means_GBD.sigmoid()
        white = None if self.space.layer else 1.0
        if self.settings.likelihood == "squared":
            return means_GBD.clamp(0.0, white)
        noise_GBD = torch.randn(means_GBD.shape, generator=chance, device="cpu").to(means_GBD.device)
        return (means_GBD + self.spread() * noise_GBD).clamp(0.0, white)

    def beside(self, other: "Decoder") -> "Decoder":
        """These groups, then the other's, in one decoder."""
        joined = Decoder(self.settings, self.space, self.groups + other.groups, self.told, seed=0)
        mine, theirs = self.state_dict(), other.state_dict()
        joined.load_state_dict({name: torch.cat([mine[name], theirs[name]]) for name in mine})
        return joined

    def copy(self) -> "Decoder":
        """An equal decoder that shares nothing with this one."""
        twin = Decoder(self.settings, self.space, self.groups, self.told, seed=0)
        twin.load_state_dict(self.state_dict())
        return twin


class Vae(nn.Module):
    """Encoder and decoder; what it learns from is given group by group."""

    def __init__(self, settings: VaeShape, space: Space, groups: int, told: int, seed: int) -> None:
        super().__init__()
        self.settings, self.space = settings, space
        self.decoder = Decoder(settings, space, groups, told, seed_at(seed, "decoder"))
        with seeded(seed_at(seed, "encoder"), space.device):
            self.encoder = perceptrons(groups, [space.pixels + told, *settings.hidden, 2 * settings.latent])

    def loss(self, images_GBD: Tensor, told_GBY: Tensor, noise_GBZ: Tensor, guide: "Guide | None" = None) -> Tensor:
        """Negative evidence lower bound of each image, the divergence weighted with beta (Higgins et al. 2017) (G, B).

        With a guide this is the loss of generative negative replay's generator (Graffieti et al., equations 12 to 15).
        """
        means_GBZ, logs_GBZ = self.encoder(torch.cat([images_GBD, told_GBY], dim=2)).chunk(2, dim=2)
        codes_GBZ = means_GBZ + (0.5 * logs_GBZ).exp() * noise_GBZ
        divergence_GB = -0.5 * (1 + logs_GBZ - means_GBZ**2 - logs_GBZ.exp()).sum(dim=2)
        decoded_GBD: Tensor = self.decoder(torch.cat([codes_GBZ, told_GBY], dim=2))
        bound_GB: Tensor = self.decoder.surprise(decoded_GBD, images_GBD) + self.settings.beta * divergence_GB
        return bound_GB if guide is None else bound_GB + guide(decoded_GBD, told_GBY)


class Guide:
    """The learner's loss on what a conditional VAE has decoded; the learner itself stays as it is (Graffieti et al., equation 14).

    Args:
        net: names what is decoded.
        weight: of this loss: eta.
        shape: of an image, or of the activations that are decoded.
    """

    def __init__(self, net: Classifier, weight: float, space: Space, bernoulli: bool) -> None:
        self.net, self.weight, self.space, self.bernoulli = net.copy().requires_grad_(False), weight, space, bernoulli

    def __call__(self, decoded_GBD: Tensor, told_GBY: Tensor) -> Tensor:
        """The weighted cross-entropy of each (G, B)."""
        shown_GBD = decoded_GBD.sigmoid() if self.bernoulli else decoded_GBD.clamp(min=0.0)
        logits_NR = self.net(shown_GBD.flatten(0, 1).unflatten(1, self.space.shape), self.space.layer)
        rows_N = self.net.rows(told_GBY.flatten(0, 1).argmax(dim=1))
        loss_GB: Tensor = self.weight * functional.cross_entropy(logits_NR, rows_N, reduction="none").unflatten(0, told_GBY.shape[:2])
        return loss_GB


class Supply:
    """Training images of a VAE, group by group.

    Args:
        images_ND: of each group, flattened, each group with a number of its own.
        told_NY: what the VAE is told of each image, by group.
    """

    def __init__(self, images_ND: Sequence[Tensor], told_NY: Sequence[Tensor]) -> None:
        self.images_ND, self.told_NY = images_ND, told_NY

    def draw(self, n: int, seed: int) -> tuple[Tensor, Tensor]:
        """Draw n images a group with replacement: (G, n, D) and (G, n, told)."""
        chance = generator(seed)
        index = [torch.randint(len(part), (n,), generator=chance, device="cpu").to(part.device) for part in self.images_ND]
        images_GBD = torch.stack([part[places] for part, places in zip(self.images_ND, index, strict=True)])
        return images_GBD, torch.stack([part[places] for part, places in zip(self.told_NY, index, strict=True)])


class Recalled:
    """Images and classes drawn from an earlier decoder of one group: a continual generator's own replay."""

    def __init__(self, decoder: Decoder, classes: Sequence[int]) -> None:
        self.decoder, self.classes = decoder, torch.tensor(list(classes), dtype=torch.int64, device="cpu")

    def draw(self, n: int, seed: int) -> tuple[Tensor, Tensor]:
        """Draw n images (1, n, D) and what was told of them (1, n, told), classes in equal parts."""
        chosen_N = self.classes[torch.randint(len(self.classes), (n,), generator=generator(seed_at(seed, "class")), device="cpu")]
        told_1NY = tell(chosen_N.to(self.decoder.space.device), self.decoder.told)[None]
        return self.decoder.draw(told_1NY, seed_at(seed, "image")), told_1NY


def tell(classes_N: Tensor, told: int) -> Tensor:
    """One-hot classes (N, told); (N, 0) for a VAE that is told nothing."""
    if not told:
        return torch.zeros((len(classes_N), 0), device=classes_N.device)
    return functional.one_hot(classes_N, told).float()


def fit(
    vae: Vae,
    parts: Sequence[tuple[float, Supply | Recalled]],
    seed: int,
    guide: Guide | None = None,
    optimizer: torch.optim.Optimizer | None = None,
) -> Facts:
    """Minimise the weighted sum of bounds, by a fresh Adam where no optimizer is given.

    Groups have no parameter in common, so they don't disturb each other.
    """
    settings, device = vae.settings, vae.space.device

    def loss_at(step: int) -> Tensor:
        terms = []
        for place, (weight, supply) in enumerate(parts):
            images_GBD, told_GBY = supply.draw(settings.batch, seed_at(seed, step, place))
            shape = (*images_GBD.shape[:2], settings.latent)
            noise_GBZ = torch.randn(shape, generator=generator(seed_at(seed, step, place, "noise")), device="cpu")
            terms.append(weight * vae.loss(images_GBD, told_GBY, noise_GBZ.to(device), guide).mean(dim=1).sum())
        return torch.stack(terms).sum()

    samples = settings.steps * settings.batch * vae.decoder.groups * len(parts)
    facts = descend(optimizer or adam(vae.parameters(), settings.lr), loss_at, settings.steps)
    if vae.decoder.prior is not None:
        vae.decoder.prior.fit(codes(vae, parts, seed_at(seed, "codes")), seed_at(seed, "mixture"))
    return {**facts, "samples": samples}


@torch.no_grad()
def codes(vae: Vae, parts: Sequence[tuple[float, Supply | Recalled]], seed: int) -> Tensor:
    """Codes (G, N, Z) drawn from what the encoder says of the images that it learned from, parts by their weight."""
    drawn = []
    for place, (weight, supply) in enumerate(parts):
        images_GND, told_GNY = supply.draw(max(1, round(CODES * weight)), seed_at(seed, place))
        means_GNZ, logs_GNZ = vae.encoder(torch.cat([images_GND, told_GNY], dim=2)).chunk(2, dim=2)
        noise = torch.randn(means_GNZ.shape, generator=generator(seed_at(seed, place, "noise")), device="cpu")
        drawn.append(means_GNZ + (0.5 * logs_GNZ).exp() * noise.to(means_GNZ.device))
    return torch.cat(drawn, dim=1)
