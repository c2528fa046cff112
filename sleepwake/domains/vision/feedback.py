"""Replay through feedback: the generator is a part of the classifier, whose last features lead to a code and back to the images.

Van de Ven & Tolias 2018 (arXiv 1809.10635). With a prior and gates a class, and activations in the place of images, it is brain-inspired
replay (van de Ven, Siegelmann & Tolias 2020, Nature Communications 11:4069).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from sleepwake.domains.tensors import generator, load_json, save_json, seeded
from sleepwake.domains.vision.bodies import inner_space
from sleepwake.domains.vision.dreamer_settings import FeedbackDreamer as FeedbackSettings
from sleepwake.domains.vision.generators import Decoder
from sleepwake.domains.vision.images import Batch, Space
from sleepwake.domains.vision.networks import Classifier
from sleepwake.domains.vision.wake_settings import CnnLearner, DecoderFeedback, MlpLearner, NetworkLearner, VaeShape
from sleepwake.records import Facts, Task
from sleepwake.seeds import seed as seed_at


def divergences(means_NZ: Tensor, logs_NZ: Tensor, prior_means_KZ: Tensor, prior_logs_KZ: Tensor) -> Tensor:
    """Kullback-Leibler divergence (N, K) of each diagonal Gaussian from each of a prior's; `logs` are logarithms of variances."""
    gaps_NKZ = means_NZ[:, None] - prior_means_KZ
    ratios_NKZ = (logs_NZ.exp()[:, None] + gaps_NKZ**2) * (-prior_logs_KZ).exp()
    return 0.5 * (prior_logs_KZ - logs_NZ[:, None] + ratios_NKZ - 1).sum(dim=2)


def open_units(classes: int, sizes: Sequence[int], gate: float, seed: int) -> Tensor:
    """Which of a decoder's hidden units are open for each class, its layers side by side (K, U); in a layer as many for each class."""
    chance = generator(seed)
    layers = []
    for units in sizes:
        shut = min(units - 1, round(gate * units))
        ranks_KU = torch.rand((classes, units), generator=chance, device="cpu").argsort(dim=1).argsort(dim=1)
        layers.append(ranks_KU >= shut)
    return torch.cat(layers, dim=1)


class FeedbackClassifier(Classifier):
    """A classifier whose body is also an encoder, with the decoder that belongs to it.

    Args:
        layer: whose activations are decoded; images where it is empty.
    """

    def __init__(self, settings: NetworkLearner, space: Space, layer: str, seed: int) -> None:
        super().__init__(settings, space, seed)
        assert isinstance(settings, MlpLearner | CnnLearner)
        assert isinstance(settings.feedback, DecoderFeedback)
        self.feedback, self.inner = settings.feedback, inner_space(settings, space, layer)
        latent, classes = self.feedback.latent, len(space.classes)
        shape = VaeShape(latent=latent, hidden=self.feedback.hidden, likelihood=self.feedback.likelihood)
        with seeded(seed_at(seed, "code"), space.device):
            self.code = nn.Linear(self.weight_RF.shape[1], 2 * latent)
            prior = self.feedback.prior == "class"
            self.prior_means_KZ = nn.Parameter(torch.randn((classes, latent))) if prior else None
            self.prior_logs_KZ = nn.Parameter(torch.randn((classes, latent))) if prior else None
        self.decoder = Decoder(shape, self.inner, 1, 0, seed_at(seed, "decoder"))
        self.sizes = list(reversed(self.feedback.hidden))
        gates_KU = open_units(classes, self.sizes, self.feedback.gate, seed_at(seed, "gates")) if self.feedback.gate else None
        self.register_buffer("gates_KU", None if gates_KU is None else gates_KU.to(space.device))
        self.gates_KU: Tensor | None

    @property
    def chooses(self) -> bool:
        """Whether a class can be asked for."""
        return self.prior_means_KZ is not None or self.gates_KU is not None

    def blank(self) -> Self:
        """A network of the same shape without rows, which has learned nothing."""
        return type(self)(self.settings, self.space, self.inner.layer, seed=0)

    def decode(self, codes_NZ: Tensor, likely_NK: Tensor) -> Tensor:
        """What a code stands for (N, D); `likely_NK` are each item's classes, and mix their gates."""
        hidden_1NU = codes_NZ[None]
        gates_NU = [] if self.gates_KU is None else (likely_NK @ self.gates_KU.float()).split(self.sizes, dim=1)
        for place, part in enumerate(self.decoder.layers):
            hidden_1NU = part(hidden_1NU)
            if isinstance(part, nn.ReLU) and gates_NU:
                hidden_1NU = hidden_1NU * gates_NU[place // 2]
        return hidden_1NU[0]

    def likely(self, batch: Batch) -> Tensor:
        """Each item's classes (N, K): its response where it has one, else its label.

        Where tasks are told a response names a class of every task, so that there the label is taken too.
        """
        if batch.targets_NK is None or self.space.told:
            return functional.one_hot(batch.labels_N, len(self.space.classes)).float()
        return batch.targets_NK

    def generative(self, batch: Batch, features_NF: Tensor, seed: int) -> Tensor:
        """The negative evidence lower bound of a batch, a pixel (van de Ven et al. 2020, methods).

        The prior of an item of uncertain class is the mixture of the classes' priors, the divergence from which is bounded from above by
        -log sum_k p_k exp(-KL_k), exact for a single class (Hershey & Olsen 2007, the variational approximation); theirs is estimated from
        one code.

        Args:
            batch: images, or activations of the layer that is decoded.
            features_NF: the body's features of them.
            seed: of the codes' noise.
        """
        with torch.no_grad():
            target = batch.images_NCHW if batch.layer else self.body.up_to(batch.images_NCHW, self.inner.layer)
        means_NZ, logs_NZ = self.code(features_NF).chunk(2, dim=1)
        noise_NZ = torch.randn(means_NZ.shape, generator=generator(seed), device="cpu").to(means_NZ.device)
        likely_NK = self.likely(batch)
        decoded_ND = self.decode(means_NZ + (0.5 * logs_NZ).exp() * noise_NZ, likely_NK)
        surprise_N = self.decoder.surprise(decoded_ND[None], target.flatten(start_dim=1)[None])[0]
        bound_N = surprise_N + self.divergence(means_NZ, logs_NZ, likely_NK)
        return self.feedback.weight / self.inner.pixels * bound_N.mean()

    def divergence(self, means_NZ: Tensor, logs_NZ: Tensor, likely_NK: Tensor) -> Tensor:
        """Divergence (N,) of each code from the prior of its classes, or from N(0, I)."""
        if self.prior_means_KZ is None or self.prior_logs_KZ is None:
            normal_1Z = means_NZ.new_zeros((1, self.feedback.latent))
            return divergences(means_NZ, logs_NZ, normal_1Z, normal_1Z)[:, 0]
        apart_NK = divergences(means_NZ, logs_NZ, self.prior_means_KZ, self.prior_logs_KZ)
        return -(likely_NK.log() - apart_NK).logsumexp(dim=1)

    @torch.no_grad()
    def draw(self, n: int, classes: Sequence[int], seed: int) -> Batch:
        """Draw n images of some classes at random, as intended or, where a class can't be asked for, as this network names them."""
        device, layer, chance = self.space.device, self.inner.layer, generator(seed)
        asked_N = torch.tensor(list(classes), device="cpu")[torch.randint(len(classes), (n,), generator=chance, device="cpu")].to(device)
        codes_NZ = torch.randn((n, self.feedback.latent), generator=chance, device="cpu").to(device)
        if self.prior_means_KZ is not None and self.prior_logs_KZ is not None:
            codes_NZ = self.prior_means_KZ[asked_N] + (0.5 * self.prior_logs_KZ[asked_N]).exp() * codes_NZ
        likely_NK = functional.one_hot(asked_N, len(self.space.classes)).float()
        images_NCHW = self.decoder.shown(self.decode(codes_NZ, likely_NK), chance).unflatten(1, self.inner.shape)
        labels_N = asked_N if self.chooses else self.answer(images_NCHW, only=classes, layer=layer)
        return Batch(images_NCHW, labels_N, layer=layer)


def network(settings: NetworkLearner, space: Space, layer: str, seed: int) -> Classifier:
    """The learner's network: with a decoder where the recipe has feedback."""
    if isinstance(settings, MlpLearner | CnnLearner) and isinstance(settings.feedback, DecoderFeedback):
        return FeedbackClassifier(settings, space, layer, seed)
    return Classifier(settings, space, seed)


@dataclass(frozen=True)
class Fed:
    """Draws from a classifier's own decoder; it must not learn meanwhile."""

    net: FeedbackClassifier
    classes: tuple[int, ...]

    def draw(self, n: int, seed: int) -> Batch:
        """Draw n images with their classes."""
        return self.net.draw(n, self.classes, seed)


class FeedbackDreamer:
    """A dreamer that has nothing but the learner's decoder; what it can draw is what the learner has learned."""

    def __init__(self, settings: FeedbackSettings, space: Space) -> None:
        self.settings, self.space = settings, space
        self.classes: tuple[int, ...] = ()

    def fit(self, task: Task, examples: Batch, replay: Any, learner: Any, seed: int) -> Facts:
        """Nothing is left to learn: the decoder learns with the learner."""
        self.classes = tuple(dict.fromkeys([*self.classes, *self.space.ids(task.parts)]))
        return {}

    def source(self, classes: Sequence[int], namer: Classifier) -> Fed:
        """Draws of a learner's earlier copy."""
        assert isinstance(namer, FeedbackClassifier)
        return Fed(namer, tuple(classes))

    def save(self, folder: Path) -> None:
        """The classes that were learned."""
        save_json({"classes": list(self.classes)}, folder / "dreamer.json")

    def load(self, folder: Path) -> None:
        """Copy what `save` wrote."""
        self.classes = tuple(load_json(folder / "dreamer.json")["classes"])

    def metrics(self) -> Facts:
        """Classes; the decoder's bytes are the learner's."""
        return {"classes": len(self.classes), "bytes": 0, "memory": {"generator": 0, "adapters": 0}}
