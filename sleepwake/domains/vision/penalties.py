"""Penalties: what holds the weights that earlier tasks need (EWC, SI). One class each; they keep their state with the learner's."""

from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor
from torch.func import functional_call, grad, vmap
from torch.nn import functional

from sleepwake.domains.tensors import generator, load_tensors, save_tensors, tensor_bytes
from sleepwake.domains.vision.descent import Step
from sleepwake.domains.vision.images import Batch
from sleepwake.domains.vision.networks import Classifier
from sleepwake.domains.vision.wake_settings import EwcPenalty, NoPenalty, SiPenalty

Weights = dict[str, Tensor]
CHUNK = 64
"""Images whose gradients are taken at once: each has as many numbers as the network."""


class Penalty(Protocol):
    """What a learner's day does about the weights of earlier days."""

    def begin(self, net: Classifier) -> None:
        """Before the first step of a day."""
        ...

    def loss(self, net: Classifier) -> Tensor | None:
        """What is added to a step's loss; None where nothing is held yet."""
        ...

    def take(self, net: Classifier, step: Step) -> None:
        """Take a step, and see what it changed."""
        ...

    def end(self, net: Classifier, examples: Batch, seed: int) -> None:
        """After the last step of a day: settle what must be held from now on."""
        ...

    def save(self, folder: Path) -> None:
        """Write the state as penalty.safetensors; nothing where there is none."""
        ...

    def load(self, folder: Path, device: torch.device) -> None:
        """Copy what `save` wrote."""
        ...

    @property
    def bytes(self) -> int:
        """Bytes of the state."""
        ...


class Free:
    """No penalty."""

    def __init__(self, settings: NoPenalty) -> None:
        self.held: list[tuple[Weights, Weights]] = []
        """Anchor and importance of each held state."""

    def begin(self, net: Classifier) -> None:
        """Nothing to note."""

    def loss(self, net: Classifier) -> Tensor | None:
        """Half the sum of importance x squared distance from the anchor; rows that came later are free."""
        now = dict(net.named_parameters())
        terms = [
            (importance[name] * (now[name][: len(anchor[name])] - anchor[name]) ** 2).sum()
            for anchor, importance in self.held
            for name in anchor
        ]
        return 0.5 * torch.stack(terms).sum() if terms else None

    def take(self, net: Classifier, step: Step) -> None:
        """Take the step."""
        step()

    def end(self, net: Classifier, examples: Batch, seed: int) -> None:
        """Nothing to settle."""

    def save(self, folder: Path) -> None:
        """Write the held states."""
        states = enumerate(self.held)
        tensors = {
            f"{place}.{kind}.{name}": part
            for place, pair in states
            for kind, weights in zip("ai", pair, strict=True)
            for name, part in weights.items()
        }
        if tensors:
            save_tensors(tensors, folder / "penalty.safetensors")

    def load(self, folder: Path, device: torch.device) -> None:
        """Copy the held states."""
        file = folder / "penalty.safetensors"
        tensors = load_tensors(file, device) if file.exists() else {}
        count = 1 + max((int(name.split(".")[0]) for name in tensors), default=-1)

        def part(place: int, kind: str) -> Weights:
            start = f"{place}.{kind}."
            return {name.removeprefix(start): tensor for name, tensor in tensors.items() if name.startswith(start)}

        self.held = [(part(place, "a"), part(place, "i")) for place in range(count)]

    @property
    def bytes(self) -> int:
        """Bytes of the held states."""
        return sum(tensor_bytes(weights) for pair in self.held for weights in pair)


def snapshot(net: Classifier) -> Weights:
    """A copy of the parameters."""
    return {name: weight.detach().clone() for name, weight in net.named_parameters()}


def grown(old: Tensor, new: Tensor) -> Tensor:
    """An earlier tensor with zeros for rows that came later."""
    return torch.cat([old, old.new_zeros(len(new) - len(old), *new.shape[1:])])


class Ewc(Free):
    """Elastic weight consolidation (Kirkpatrick et al. 2017, equation 3), offline or online (Schwarz et al. 2018, section 2.4)."""

    def __init__(self, settings: EwcPenalty) -> None:
        self.settings = settings
        self.held = []

    def end(self, net: Classifier, examples: Batch, seed: int) -> None:
        """Hold the day's weights: one more state, or the one state with decayed earlier importance (online)."""
        importance = {name: self.settings.strength * part for name, part in fisher(net, examples, self.settings.samples, seed).items()}
        if self.settings.online and self.held:
            _, before = self.held.pop()
            importance = {name: part + self.settings.decay * grown(before[name], part) for name, part in importance.items()}
        self.held.append((snapshot(net), importance))


def fisher(net: Classifier, examples: Batch, samples: int, seed: int) -> Weights:
    """Diagonal of the Fisher information: mean squared gradient of the log-probability of a class drawn from the network's own answer.

    Args:
        net: as it is after the day.
        examples: the day's images.
        samples: how many of them, drawn without replacement; 0 for all.
        seed: of the draws.
    """
    chance, weights = generator(seed), {name: weight.detach() for name, weight in net.named_parameters()}
    order_N = torch.randperm(len(examples), generator=chance, device="cpu")[: samples or None].to(examples.labels_N.device)
    own = sorted(set(examples.labels_N.tolist())) if net.space.told else None
    response_NK = torch.cat([net.response(part, only=own) for part in examples.images_NCHW[order_N].split(4096)])
    drawn_N = torch.multinomial(response_NK.cpu(), 1, generator=chance)[:, 0].to(order_N.device)
    blocks = net.blocks()

    def surprise(weights: Weights, image_CHW: Tensor, row: Tensor) -> Tensor:
        logits_1R = functional_call(net, weights, (image_CHW[None],))
        logs_1R = (
            logits_1R.log_softmax(dim=1)
            if len(blocks) == 1
            else torch.cat([logits_1R[:, rows].log_softmax(dim=1) for rows in blocks], dim=1)
        )
        return functional.nll_loss(logs_1R, row[None])

    places = [row for rows in blocks for row in rows]  # blocks laid end to end
    rows_N = torch.tensor(places, device=order_N.device).argsort()[net.rows(drawn_N)]
    gradients = vmap(grad(surprise), in_dims=(None, 0, 0))
    total = {name: torch.zeros_like(weight) for name, weight in weights.items()}
    for chosen_N, row_N in zip(order_N.split(CHUNK), rows_N.split(CHUNK), strict=True):
        for name, part in gradients(weights, examples.images_NCHW[chosen_N], row_N).items():
            total[name] += (part**2).sum(dim=0)
    return {name: part / len(order_N) for name, part in total.items()}


class Si(Free):
    """Synaptic intelligence (Zenke et al. 2017, equations 3 to 5): importance is the path integral over the squared way, damped."""

    def __init__(self, settings: SiPenalty) -> None:
        self.settings = settings
        self.held = []
        self.start: Weights = {}
        self.path: Weights = {}

    def begin(self, net: Classifier) -> None:
        """Note where the day begins."""
        self.start = {name: part for name, part in snapshot(net).items() if self.settings.head or name.startswith("body.")}
        self.path = {name: torch.zeros_like(weight) for name, weight in self.start.items()}

    def take(self, net: Classifier, step: Step) -> None:
        """Add to the path integral: minus gradient times movement."""
        before = snapshot(net)
        step()
        with torch.no_grad():
            for name, weight in net.named_parameters():
                if weight.grad is not None and name in self.path:
                    self.path[name] -= weight.grad * (weight - before[name])

    def end(self, net: Classifier, examples: Batch, seed: int) -> None:
        """Add the day's importance to that of earlier days, about the newest weights. The penalty is c x, not c / 2 x: hence the 2."""
        settings, now, scale = self.settings, snapshot(net), 2 * self.settings.strength
        importance = {name: scale * path / ((now[name] - self.start[name]) ** 2 + settings.damping) for name, path in self.path.items()}
        if self.held:
            _, before = self.held.pop()
            importance = {name: part + grown(before[name], part) for name, part in importance.items()}
        if settings.clip:
            importance = {name: part.clamp(0.0, scale * settings.clip) for name, part in importance.items()}
        self.held = [({name: now[name] for name in importance}, importance)]
