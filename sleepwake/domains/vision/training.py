"""How a classifier is trained: by day, in rehearsal and in consolidation, the learner and its judges alike."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from sleepwake.domains.tensors import generator
from sleepwake.domains.vision.descent import descend
from sleepwake.domains.vision.images import Batch
from sleepwake.domains.vision.networks import Classifier
from sleepwake.records import Facts
from sleepwake.seeds import seed as seed_at


class Source(Protocol):
    """Where batches come from."""

    def draw(self, n: int, seed: int) -> Batch:
        """Give n items; the same seed gives the same items."""
        ...


@dataclass(frozen=True)
class Shuffled:
    """Draws from a batch with replacement."""

    batch: Batch

    def draw(self, n: int, seed: int) -> Batch:
        """Draw n items, each drawn from all of them."""
        index_N = torch.randint(len(self.batch), (n,), generator=generator(seed), device="cpu")
        return self.batch.take(index_N.to(self.batch.labels_N.device))


@dataclass(frozen=True)
class Answered:
    """Another source's images with the mean response of some networks as their target (Shin et al. 2017, equation 1).

    Attributes:
        source: where the images come from.
        solvers: frozen networks.
        temperature: of each response.
        weights: of each solver, summing to 1; None for equal weights.
    """

    source: Source
    solvers: Sequence[Classifier]
    temperature: float
    weights: Sequence[float] | None = None

    def draw(self, n: int, seed: int) -> Batch:
        """Draw n items with soft targets."""
        batch = self.source.draw(n, seed)
        return batch.aimed(self.respond(batch.images_NCHW), self.temperature)

    def respond(self, images_NCHW: Tensor) -> Tensor:
        """The weighted mean response (N, K)."""
        weights = self.weights or [1 / len(self.solvers)] * len(self.solvers)
        responses = [weight * solver.response(images_NCHW, self.temperature) for weight, solver in zip(weights, self.solvers, strict=True)]
        return torch.stack(responses).sum(dim=0)


def loss_of(net: Classifier, batch: Batch) -> Tensor:
    """Mean cross-entropy with the labels, or T^2 times that with the response at temperature T (Hinton et al. 2015, section 2)."""
    logits_NR: Tensor = net(batch.images_NCHW)
    if batch.targets_NK is None:
        return functional.cross_entropy(logits_NR, net.rows(batch.labels_N))
    logs_NR = (logits_NR / batch.temperature).log_softmax(dim=1)
    loss: Tensor = -(batch.targets_NK[:, net.classes] * logs_NR).sum(dim=1).mean() * batch.temperature**2
    return loss


def train(net: Classifier, parts: Sequence[tuple[float, Source]], steps: int, batch: int, lr: float, seed: int) -> Facts:
    """Minimise the weighted sum of losses.

    Args:
        net: trained in place.
        parts: weight and source of each part of the loss; each gives `batch` items a step.
        steps: optimizer steps.
        batch: items of each part a step.
        lr: learning rate.
        seed: of all draws.

    Returns:
        steps, samples, and the loss at the beginning and at the end.
    """
    parts = [(weight, source) for weight, source in parts if weight > 0]

    def loss_at(step: int) -> Tensor:
        terms = [weight * loss_of(net, source.draw(batch, seed_at(seed, step, place))) for place, (weight, source) in enumerate(parts)]
        return torch.stack(terms).sum()

    return {**descend(net.parameters(), loss_at, steps, lr), "samples": steps * batch * len(parts)}
