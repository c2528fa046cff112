"""How a classifier is trained: by day, in rehearsal and in consolidation, the learner and its judges alike."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor
from torch.nn import functional

from sleepwake.domains.tensors import generator
from sleepwake.domains.vision.descent import Step, adam, descend, just
from sleepwake.domains.vision.images import Batch
from sleepwake.domains.vision.networks import Classifier, Solver
from sleepwake.records import Facts, Look, Task
from sleepwake.seeds import seed as seed_at

RECALL_TEMPERATURE = 2.0
"""Of the response that is recalled, as in the published protocol (van de Ven & Tolias 2018)."""


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
        hard: the likeliest class of each block of rows in place of the response.
        squared: whether the loss is multiplied by the squared temperature.
    """

    source: Source
    solvers: Sequence[Solver]
    temperature: float
    weights: Sequence[float] | None = None
    hard: bool = False
    squared: bool = True

    def draw(self, n: int, seed: int) -> Batch:
        """Draw n items with soft targets."""
        batch = self.source.draw(n, seed)
        return batch.aimed(self.respond(batch.images_NCHW, batch.layer), self.temperature, self.squared)

    def respond(self, images_NCHW: Tensor, layer: str = "") -> Tensor:
        """The weighted mean response (N, K) to images, or to a layer's activations."""
        weights = self.weights or [1 / len(self.solvers)] * len(self.solvers)
        responses = [
            weight * solver.response(images_NCHW, self.temperature, layer=layer)
            for weight, solver in zip(weights, self.solvers, strict=True)
        ]
        response_NK = torch.stack(responses).sum(dim=0)
        return one_hot_by_block(self.solvers[0], response_NK) if self.hard else response_NK


@dataclass(frozen=True)
class Beside:
    """Replay, and dreams of classes that never existed, which only the learner may see: its judges stay innocent of them.

    Attributes:
        replay: of earlier classes; None on a day without.
        dreams: labelled with their own ids.
        weight: of the dreams in the loss, in [0, 1); day and replay share the rest.
        batch: dreams a step.
        recall: weight of `recalled` in the loss, beside all others.
        recalled: the same dreams with the previous solver's response; None where there is no such solver.
    """

    replay: Source | None
    dreams: Source
    weight: float
    batch: int
    recall: float = 0.0
    recalled: Answered | None = None

    def draw(self, n: int, seed: int) -> Batch:
        """Dreams and replay are parts of a loss, never one batch."""
        raise AssertionError("draw from one of the two")


def recalling(dreams: Source, solver: Solver) -> Answered:
    """Dreams with what a network says of them; its rows are those of the stream's classes alone."""
    return Answered(dreams, [solver], RECALL_TEMPERATURE)


def exemplars(source: Source) -> Batch:
    """All that a source of stored images draws from, as it was stored."""
    while isinstance(source, Answered):
        source = source.source
    assert isinstance(source, Shuffled), "only stored images can be had all at once"
    return source.batch


def one_hot_by_block(solver: Solver, response_NK: Tensor) -> Tensor:
    """1 for the likeliest class of each block of rows (N, K)."""
    hard_NK = torch.zeros_like(response_NK)
    for rows in solver.blocks():
        ids_C = torch.tensor([solver.classes[row] for row in rows], device=response_NK.device)
        best_N1 = ids_C[response_NK[:, ids_C].argmax(dim=1)][:, None]
        hard_NK.scatter_(1, best_N1, 1.0)
    return hard_NK


@dataclass(frozen=True)
class Term:
    """One part of a loss.

    Attributes:
        weight: its weight.
        source: where its items come from.
        batch: items a step.
        among: class ids that compete for the answer; None for the network's own blocks.
        taught: class ids whose rows it may move; None for all (not all: negative replay, Graffieti et al., appendix C).
        also: what is added to the loss of a batch, from the body's features of it and a seed; None for nothing.
    """

    weight: float
    source: Source
    batch: int
    among: Sequence[int] | None = None
    taught: Sequence[int] | None = None
    also: Callable[[Batch, Tensor, int], Tensor] | None = None


def day_share(ratio: float | Literal["1/N"], task: Task) -> float:
    """Weight of the day's own images beside replay: as said, or one part in the tasks so far."""
    return 1 / (task.index + 1) if ratio == "1/N" else float(ratio)


def loss_of(net: Classifier, batch: Batch, among: Sequence[int] | None = None, taught: Sequence[int] | None = None) -> Tensor:
    """The loss of a batch by itself; see `loss_from`."""
    return loss_from(net, net(batch.images_NCHW, batch.layer), batch, among, taught)


def loss_from(
    net: Classifier, logits_NR: Tensor, batch: Batch, among: Sequence[int] | None = None, taught: Sequence[int] | None = None
) -> Tensor:
    """Mean cross-entropy with the labels, or with the response at temperature T, times T^2 where squared (Hinton et al. 2015).

    Where rows fall into several blocks (tasks are told), a label counts in its own, a response in all that it names, in equal parts.
    """
    if taught is not None:
        may_R = torch.tensor([name in taught for name in net.classes], device=logits_NR.device)
        logits_NR = torch.where(may_R, logits_NR, logits_NR.detach())
    blocks = net.blocks(among)
    if batch.targets_NK is None:
        rows_N = net.rows(batch.labels_N)
        if len(blocks[0]) == logits_NR.shape[1]:
            loss = functional.cross_entropy(logits_NR, rows_N)
        else:
            loss = functional.nll_loss(block_logs(logits_NR, blocks, outside=-torch.inf), rows_N)
        return loss if batch.logits_NK is None else loss + batch.dark * distance(logits_NR, batch.logits_NK[:, net.classes])
    logs_NR = block_logs(logits_NR / batch.temperature, blocks, outside=0.0)
    loss_N = -(batch.targets_NK[:, net.classes] * logs_NR).sum(dim=1)
    if len(blocks) > 1:
        loss_N = loss_N / batch.targets_NK.sum(dim=1)
    return loss_N.mean() * (batch.temperature**2 if batch.squared else 1.0)


def distance(logits_NR: Tensor, stored_NR: Tensor) -> Tensor:
    """Mean squared distance from stored logits, over those that were known when they were stored (Buzzega et al. 2020, equation 6).

    Theirs are stored along the day's path, at the moment an image enters the reservoir; ours all at the day's end, by the network that the
    day has made. Theirs draws a batch of its own for each of the two losses on stored images; ours takes both on one batch.
    """
    known_NR = ~stored_NR.isnan()
    return functional.mse_loss(logits_NR[known_NR], stored_NR[known_NR])


def block_logs(logits_NR: Tensor, blocks: Sequence[Sequence[int]], outside: float) -> Tensor:
    """Log-probabilities (N, R) within each block of rows, and a value for rows outside of all."""
    if len(blocks[0]) == logits_NR.shape[1]:
        return logits_NR.log_softmax(dim=1)
    logs_NR = torch.full_like(logits_NR, outside)
    for rows in blocks:
        logs_NR[:, rows] = logits_NR[:, rows].log_softmax(dim=1)
    return logs_NR


def part_of(net: Classifier, term: Term, batch: Batch, features_NF: Tensor, seed: int) -> Tensor:
    """A term's loss on a batch, from the body's features; `seed` is the batch's."""
    loss = loss_from(net, net.rate(features_NF), batch, term.among, term.taught)
    return loss if term.also is None else loss + term.also(batch, features_NF, seed_at(seed, "also"))


@contextmanager
def in_training(net: Classifier, optimizer: torch.optim.Optimizer) -> Iterator[None]:
    """Batch statistics while the body learns; everywhere else, and where the body is frozen, the running ones."""
    learned = {id(weight) for group in optimizer.param_groups for weight in group["params"]}
    net.train(any(id(weight) in learned for weight in net.body.parameters()))
    try:
        yield
    finally:
        net.eval()


def train(
    net: Classifier,
    terms: Sequence[Term],
    steps: int,
    lr: float,
    seed: int,
    optimizer: torch.optim.Optimizer | None = None,
    extra: Callable[[], Tensor | None] = lambda: None,
    take: Callable[[Step], None] = just,
    look: Look | None = None,
) -> Facts:
    """Minimise the weighted sum of losses.

    Args:
        net: trained in place.
        terms: parts of the loss.
        steps: optimizer steps.
        lr: learning rate, where no optimizer is given.
        seed: of all draws.
        optimizer: of the network's parameters; a fresh Adam where none is given.
        extra: what else is added to a step's loss, such as a penalty.
        take: stands around each step; see `descend`.
        look: called after each step; see `descend`.

    Returns:
        steps, samples, and the loss at the beginning and at the end.
    """
    terms = [term for term in terms if term.weight > 0]

    def loss_at(step: int) -> Tensor:
        seeds = [seed_at(seed, step, place) for place in range(len(terms))]
        batches = [term.source.draw(term.batch, each) for term, each in zip(terms, seeds, strict=True)]
        parts = [
            term.weight * part_of(net, term, batch, features_NF, each)
            for term, batch, features_NF, each in zip(terms, batches, net.each(batches), seeds, strict=True)
        ]
        added = extra()
        return torch.stack(parts if added is None else [*parts, added]).sum()

    optimizer = optimizer or adam(net.parameters(), lr)
    with in_training(net, optimizer):
        facts = descend(optimizer, loss_at, steps, take, look)
    return {**facts, "samples": steps * sum(term.batch for term in terms)}
