"""Memory of stored images: how many, which, and what is learned of them again."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from sleepwake.domains.tensors import generator, load_json, load_tensors, save_json, save_tensors, tensor_bytes
from sleepwake.domains.vision.images import Batch, Space
from sleepwake.domains.vision.networks import Classifier
from sleepwake.domains.vision.replay import answered, previous_solver
from sleepwake.domains.vision.training import Shuffled, Source
from sleepwake.domains.vision.wake_settings import ExactReplay
from sleepwake.errors import DataError
from sleepwake.records import Facts, Task
from sleepwake.roles import Mind
from sleepwake.seeds import seed as seed_at

Stored = dict[int, Tensor]
"""A tensor for each class, an item a row."""
TINY = 1e-12
"""Least length that is divided by: an image in which no feature is active has none."""


class ExactMemory:
    """Stored images, within a budget; kept as bytes, as they came.

    A reservoir gives each item that comes a uniform number and keeps the smallest ones: as algorithm R (Vitter 1985), a uniform sample
    without replacement of all that came. It is filled at the end of each day, so every item of the day has its chance at once.

    Where replay is latent, activations of the learner's layer are stored in their place, as they are at the end of the day. Which items
    are kept is `keep`'s to say; in each class they lie in the order in which they would be kept, so that the first ones stay.
    """

    def __init__(self, settings: ExactReplay, space: Space) -> None:
        self.settings, self.space = settings, space
        self.images: Stored = {}
        """Images of each class (N, C, H, W), uint8, or activations."""
        self.logits: Stored = {}
        """What the learner said of each at the end of its day (N, K), not a number for classes unknown then; where targets are logits."""
        self.chances: Stored = {}
        """A uniform number for each (N,), float64 so that no two are equal, where a reservoir is kept: the smallest ones stay."""

    def source(self, mind: Mind, task: Task, examples: Batch, seed: int) -> Source | None:
        """The stored images; answered by the previous solver where targets are soft."""
        solver = previous_solver(mind, self.space, task)
        if solver is None or not self.images:
            return None
        return answered(Shuffled(self.all()), self.settings, solver)

    def recall(self, mind: Mind) -> Source:
        """What was learned so far, for the night: all that is stored, as it was labelled."""
        return Shuffled(replace(self.all(), logits_NK=None))

    def some(self, name: int, n: int, seed: int) -> Tensor:
        """Stored images (n, C, H, W) of a class, in [0, 1], drawn with repetition.

        Raises:
            DataError: none of the class is stored.
        """
        images_NCHW = self.images.get(name, torch.empty(0))
        if not len(images_NCHW):
            raise DataError(
                f"no image of class {self.space.classes[name]!r} is stored",
                'raise wake.replay.budget, or write wake.replay.keep = "balanced"',
            )
        chosen_N = torch.randint(len(images_NCHW), (n,), generator=generator(seed), device="cpu")
        return images_NCHW[chosen_N.to(images_NCHW.device)].float() / 255

    def of(self, classes: Sequence[int]) -> Shuffled:
        """What is stored of some classes."""
        stored = self.all()
        return Shuffled(stored.take(torch.isin(stored.labels_N, torch.tensor(classes, device=self.space.device))))

    def all(self) -> Batch:
        """Everything that is stored."""
        labels = [name for name, images in self.images.items() for _ in range(len(images))]
        stored_NCHW, layer = torch.cat(list(self.images.values())), self.space.layer
        return Batch(
            stored_NCHW if layer else stored_NCHW.float() / 255,
            torch.tensor(labels, dtype=torch.int64, device=self.space.device),
            logits_NK=torch.cat([self.logits[name] for name in self.images]) if self.logits else None,
            dark=self.settings.dark,
            layer=layer,
        )

    def store(self, mind: Mind, task: Task, examples: Batch, seed: int) -> Facts:
        """Add the day's images, and shrink to the budget."""
        order_N = torch.randperm(len(examples), generator=generator(seed), device="cpu").to(self.space.device)
        shuffled = examples.take(order_N)
        for name in self.space.ids(task.parts):
            self._add(name, shuffled.images_NCHW[shuffled.labels_N == name], mind.learner.net, seed_at(seed, "chance", name))
        counts = {name: len(images) for name, images in self.images.items()}
        for name, count in self._shares(counts).items():
            for stored in self._kept():
                stored[name] = stored[name][:count]
        return {"stored": sum(len(images) for images in self.images.values())}

    def _add(self, name: int, images_NCHW: Tensor, net: Classifier, seed: int) -> None:
        """A class's new items, with those that were there, in the order in which they are kept."""
        layer, again = self.space.layer, name in self.images
        if self.settings.keep == "herding":
            images_NCHW = images_NCHW[herded(net, images_NCHW, self._most(len(images_NCHW)))]
        if self.settings.target == "logits":
            merge(self.logits, name, said(net, images_NCHW))
        if self.settings.keep == "reservoir":
            chances_N = torch.rand(len(images_NCHW), generator=generator(seed), dtype=torch.float64, device="cpu")
            merge(self.chances, name, chances_N.to(images_NCHW.device))
        merge(self.images, name, net.latents(images_NCHW, layer) if layer else (images_NCHW * 255).round().to(torch.uint8))
        if self.settings.keep == "reservoir":
            self._order(name, self.chances[name].argsort())
        elif again and self.settings.keep == "balanced":
            shuffled_N = torch.randperm(len(self.images[name]), generator=generator(seed), device="cpu")
            self._order(name, shuffled_N.to(self.space.device))

    def _order(self, name: int, order_N: Tensor) -> None:
        for stored in self._kept():
            stored[name] = stored[name][order_N]

    def _kept(self) -> list[Stored]:
        """The images, and what is kept beside them."""
        return [stored for stored in (self.images, self.logits, self.chances) if stored]

    @property
    def budget(self) -> int:
        """Items that may be stored; 0 for all."""
        return self.settings.budget // self.size if self.settings.unit == "bytes" else self.settings.budget

    @property
    def size(self) -> int:
        """Bytes of an item with what is kept beside it."""
        logits = 4 * self.space.width if self.settings.target == "logits" else 0
        chance = 8 if self.settings.keep == "reservoir" else 0
        return self.space.pixels * (4 if self.space.layer else 1) + logits + chance

    def _most(self, there: int) -> int:
        """Items that a class may come to."""
        return min(there, -(-self.budget // (len(self.images) + 1))) if self.settings.budget else there

    def _shares(self, counts: dict[int, int]) -> dict[int, int]:
        """How many items of each class stay: equal shares of the budget, or what the reservoir's draw says."""
        if not self.settings.budget:
            return counts
        if self.settings.keep == "reservoir":
            every_N = torch.cat(list(self.chances.values())).sort().values
            last = every_N[min(self.budget, len(every_N)) - 1] if self.budget else -1.0
            return {name: int((chances <= last).sum()) for name, chances in self.chances.items()}
        size = len(counts)
        return {name: self.budget // size + (place < self.budget % size) for place, name in enumerate(sorted(counts))}

    def save(self, folder: Path) -> None:
        """The images, by class, and what is kept beside them."""
        save_json({"classes": sorted(self.images)}, folder / "memory.json")
        save_tensors({str(name): images for name, images in self.images.items()}, folder / "images.safetensors")
        for kind, stored in (("logits", self.logits), ("chances", self.chances)):
            if stored:
                save_tensors({str(name): part for name, part in stored.items()}, folder / f"{kind}.safetensors")

    def load(self, folder: Path) -> None:
        """Copy what `save` wrote."""
        classes = load_json(folder / "memory.json")["classes"]

        def part(kind: str) -> Stored:
            file = folder / f"{kind}.safetensors"
            tensors = load_tensors(file, self.space.device) if file.exists() else {}
            return {name: tensors[str(name)] for name in classes if str(name) in tensors}

        self.images, self.logits, self.chances = part("images"), part("logits"), part("chances")

    def metrics(self) -> Facts:
        """Items and the bytes of all that is kept."""
        size = sum(tensor_bytes(stored) for stored in self._kept())
        return {"stored": sum(len(images) for images in self.images.values()), "bytes": size, "memory": {"images": size}}


def merge(stored: Stored, name: int, items: Tensor) -> None:
    """Put items before those of their class that are there, if any."""
    stored[name] = torch.cat([items, stored[name]]) if name in stored else items


@torch.no_grad()
def said(net: Classifier, images_NCHW: Tensor) -> Tensor:
    """Logits (N, K) by class, not a number where the network has no row."""
    logits_NK = torch.full((len(images_NCHW), net.space.width), torch.nan, device=images_NCHW.device)
    logits_NK[:, net.classes] = torch.cat([net(part) for part in images_NCHW.split(4096)])
    return logits_NK


@torch.no_grad()
def herded(net: Classifier, images_NCHW: Tensor, most: int) -> Tensor:
    """Places (most,) of a class's images whose running mean of features stays nearest to the mean of all (iCaRL, algorithm 4).

    Features are of length 1, and so are means of them (Rebuffi et al. 2017, section 2.1). Between vectors of length 1 the nearest is the
    one with the largest product, which takes one product with all features a step.
    """
    features_NF = net.features(images_NCHW)
    mean_F, total_F = functional.normalize(features_NF.mean(dim=0), dim=0), torch.zeros_like(features_NF[0])
    along_N, squares_N = features_NF @ mean_F, features_NF.square().sum(dim=1)
    chosen: list[int] = []
    for _ in range(most):
        lengths_N = (total_F.square().sum() + 2 * (features_NF @ total_F) + squares_N).clamp_min(0).sqrt()
        near_N = (total_F @ mean_F + along_N) / lengths_N.clamp_min(TINY)
        near_N[chosen] = -torch.inf
        chosen.append(int(near_N.argmax()))
        total_F += features_NF[chosen[-1]]
    return torch.tensor(chosen, dtype=torch.int64, device=images_NCHW.device)
