"""The dreamer: learns by day to draw each class, replays by day what it learned, dreams by night for challenges."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sleepwake.domains.tensors import (
    generator,
    load_json,
    load_module,
    load_tensors,
    module_bytes,
    save_json,
    save_module,
    save_tensors,
    tensor_bytes,
)
from sleepwake.domains.vision.challengers import Challenge, dreamt
from sleepwake.domains.vision.descent import adam, moments, recall
from sleepwake.domains.vision.dreamer_settings import CvaeDreamer as CvaeSettings
from sleepwake.domains.vision.dreamer_settings import DreamerSettings, VaeSettings
from sleepwake.domains.vision.generators import Decoder, Guide, Recalled, Supply, Vae, fit, tell
from sleepwake.domains.vision.images import Batch, Space
from sleepwake.domains.vision.networks import Classifier, entered
from sleepwake.domains.vision.training import day_share
from sleepwake.records import Facts, Task
from sleepwake.seeds import seed as seed_at

POOL = 8
"""Draws for each class that a dream needs are made this many times over where the dreamer can't choose the class, or must lean."""


@dataclass(frozen=True)
class Drawn:
    """A source over a dreamer's classes, in equal parts; the dreamer must not learn meanwhile.

    Attributes:
        dreamer: draws the images.
        classes: ids to draw.
        namer: names what a dreamer draws that can't be told the class; unused where it can.
    """

    dreamer: "Dreamer"
    classes: tuple[int, ...]
    namer: Classifier

    def draw(self, n: int, seed: int) -> Batch:
        """Draw n images with their intended classes."""
        return self.dreamer.draw(n, seed, self.classes, self.namer)


class Dreamer:
    """What dreamers share that draw from one or more generators, which an heir fits, draws from, copies and saves."""

    settings: DreamerSettings
    space: Space

    @property
    def classes(self) -> tuple[int, ...]:
        """Ids of the classes that were learned."""
        raise NotImplementedError

    @property
    def chooses(self) -> bool:
        """Whether a class can be asked for."""
        return False

    def copy(self) -> "Dreamer":
        """An equal dreamer for drawing; it shares nothing with this one and can't learn."""
        raise NotImplementedError

    def of_each(self, classes: Sequence[int], n: int, seed: int) -> Tensor:
        """Draw n images of each class (K, n, D), where a class can be asked for."""
        raise NotImplementedError

    def of_any(self, n: int, seed: int) -> Tensor:
        """Draw n images of whatever class (n, D), where none can be asked for."""
        raise NotImplementedError

    def source(self, classes: Sequence[int], namer: Classifier) -> Drawn:
        """A source that stays as this dreamer is now."""
        return Drawn(self.copy(), tuple(classes), namer)

    def draw(self, n: int, seed: int, classes: Sequence[int], namer: Classifier) -> Batch:
        """Draw n images in random order, as many of each class as can be; a dreamer that can't choose names what it happens to draw."""
        if not self.chooses:
            return self._unasked(n, seed, namer)
        each = -(-n // len(classes))
        images_KBD = self.of_each(classes, each, seed_at(seed, "images"))
        labels_N = torch.tensor(list(classes), dtype=torch.int64, device=self.space.device).repeat_interleave(each)
        chosen_N = torch.randperm(len(labels_N), generator=generator(seed_at(seed, "order")), device="cpu")[:n]
        chosen_N = chosen_N.to(self.space.device)
        return Batch(self._shaped(images_KBD.flatten(0, 1)[chosen_N]), labels_N[chosen_N], layer=self.space.layer)

    def _unasked(self, n: int, seed: int, namer: Classifier) -> Batch:
        images_NCHW = self._shaped(self.of_any(n, seed))
        layer = self.space.layer
        return Batch(images_NCHW, namer.answer(images_NCHW, only=self.classes, layer=layer), layer=layer)

    def pool(self, classes: Sequence[int], n: int, seed: int, namer: Classifier) -> dict[int, Tensor]:
        """About n images of each class; fewer, or none, of some where the class can't be chosen."""
        if self.chooses:
            return {name: self._shaped(images_BD) for name, images_BD in zip(classes, self.of_each(classes, n, seed), strict=True)}
        batch = self._unasked(n * len(self.classes), seed, namer)
        return {name: batch.images_NCHW[batch.labels_N == name][:n] for name in classes}

    def dream(self, challenges: Sequence[Challenge], learner: Any, seed: int) -> Batch:
        """Images of class a that lean towards b, for each challenge (a, b, distance).

        Boundary: of a pool of draws of a, those of which the learner says b the loudest; the distance is the share of the pool passed over,
        up to all but one in `POOL`. Mix: pixels of a draw of a and, up to one half of each, of a draw of b.
        """
        mixes = self.settings.lean == "mix"
        shapes = sorted({challenge.shape for challenge in challenges})
        pools = self.pool(shapes, self.settings.dreams * (1 if mixes else POOL), seed_at(seed, "shapes"), learner.net)
        lures = sorted({challenge.lure for challenge in challenges}) if mixes else []
        others = self.pool(lures, self.settings.dreams, seed_at(seed, "lures"), learner.net) if mixes else {}
        dreams = [
            self._mixed(challenge, pools[challenge.shape], others[challenge.lure])
            if mixes
            else self._nearest(challenge, pools[challenge.shape], learner.net)
            for challenge in challenges
        ]
        return dreamt(challenges, dreams)

    @torch.no_grad()
    def _nearest(self, challenge: Challenge, pool_NCHW: Tensor, net: Classifier) -> Tensor:
        if not len(pool_NCHW):
            return pool_NCHW
        logits_NR = net(pool_NCHW)
        shape, lure = net.classes.index(challenge.shape), net.classes.index(challenge.lure)
        nearest_N = (logits_NR[:, lure] - logits_NR[:, shape]).argsort(descending=True, stable=True)
        kept = max(1, round(len(pool_NCHW) * (1 - challenge.distance * (1 - 1 / POOL))))
        spaced_N = torch.linspace(0, kept - 1, min(self.settings.dreams, kept), device=self.space.device).round().long()
        return pool_NCHW[nearest_N[spaced_N]]

    def _mixed(self, challenge: Challenge, shapes_NCHW: Tensor, lures_NCHW: Tensor) -> Tensor:
        count = min(len(shapes_NCHW), len(lures_NCHW))
        return torch.lerp(shapes_NCHW[:count], lures_NCHW[:count], challenge.distance / 2)

    def _shaped(self, images_ND: Tensor) -> Tensor:
        images_NCHW: Tensor = images_ND.unflatten(1, self.space.shape)
        return images_NCHW


class VaeDreamer(Dreamer):
    """One or more (conditional) variational autoencoders.

    Frozen: groups of classes that are learned once, side by side (a group is a class for a VAE, a task for a cVAE), of which only the
    decoders are kept. Not frozen: a single group of all classes, which learns each day's images mixed with its own replay.
    """

    settings: VaeSettings

    def __init__(self, settings: VaeSettings, space: Space) -> None:
        self.settings, self.space = settings, space
        self.groups: list[list[int]] = []
        self.decoder: Decoder | None = None
        self.vae: Vae | None = None
        """Kept only where it will learn again."""
        self.moments: dict[str, Tensor] = {}
        """What Adam knows of past gradients, where it lasts."""

    @property
    def classes(self) -> tuple[int, ...]:
        """Ids of the classes that were learned."""
        return tuple(name for group in self.groups for name in group)

    @property
    def told(self) -> int:
        """How many classes the autoencoder is told apart."""
        return len(self.space.classes) if isinstance(self.settings, CvaeSettings) else 0

    @property
    def chooses(self) -> bool:
        """Whether a class can be asked for."""
        return self.settings.frozen or self.told > 0

    def fit(self, task: Task, examples: Batch, replay: Any, learner: Any, seed: int) -> Facts:
        """Learn a task's images, or the learner's activations on them. `replay` is the learner's; a dreamer draws its own."""
        classes = self.space.ids(task.parts)
        if self.space.layer:
            examples = entered(examples, learner.net, self.space.layer)
        guide = self._guide(learner)
        if self.settings.frozen:
            groups = [classes] if self.told else [[name] for name in classes]
            vae = Vae(self.settings, self.space, len(groups), self.told, seed)
            facts = fit(vae, [(1.0, self._supply(groups, examples))], seed, guide)
            self.decoder = vae.decoder if self.decoder is None else self.decoder.beside(vae.decoder)
            self.groups += groups
            return facts
        parts: list[tuple[float, Supply | Recalled]] = [(1.0, self._supply([classes], examples))]
        if self.vae is not None:
            current = day_share(self.settings.ratio, task)
            parts = [(current, parts[0][1]), (1 - current, Recalled(self.vae.decoder.copy(), self.classes))]
        if self.vae is None or self.settings.restart:
            self.vae = Vae(self.settings, self.space, 1, self.told, seed)
        optimizer = adam(self.vae.parameters(), self.settings.lr)
        recall(optimizer, self.vae.named_parameters(), self.moments)
        facts = fit(self.vae, [(weight, supply) for weight, supply in parts if weight > 0], seed, guide, optimizer)
        if self.settings.moments == "kept":
            self.moments = moments(optimizer, self.vae.named_parameters())
        self.decoder, self.groups = self.vae.decoder, [list(dict.fromkeys([*self.classes, *classes]))]
        return facts

    def _guide(self, learner: Any) -> Guide | None:
        if not self.settings.guide:
            return None
        return Guide(learner.net, self.settings.guide, self.space, self.settings.likelihood == "bernoulli")

    def _supply(self, groups: Sequence[Sequence[int]], examples: Batch) -> Supply:
        masks = [torch.isin(examples.labels_N, torch.tensor(list(group), device=self.space.device)) for group in groups]
        images = [examples.images_NCHW[mask].flatten(start_dim=1) for mask in masks]
        return Supply(images, [tell(examples.labels_N[mask], self.told) for mask in masks])

    def copy(self) -> "VaeDreamer":
        """An equal dreamer for drawing; it shares nothing with this one and can't learn."""
        assert self.decoder is not None, "nothing was learned yet"
        twin = VaeDreamer(self.settings, self.space)
        twin.decoder, twin.groups = self.decoder.copy(), [list(group) for group in self.groups]
        return twin

    def of_each(self, classes: Sequence[int], n: int, seed: int) -> Tensor:
        """Draw n images of each class (K, n, D). All groups draw, so that one batched product does it."""
        assert self.decoder is not None
        assert self.chooses
        home = {name: (group, place) for group, names in enumerate(self.groups) for place, name in enumerate(names)}
        wanted = {group: [name for name in classes if home[name][0] == group] for group in range(len(self.groups))}
        most = max(len(names) for names in wanted.values())
        padded = [(names + self.groups[group][:1] * most)[:most] for group, names in wanted.items()]
        told_GY = torch.tensor(padded, dtype=torch.int64, device=self.space.device).repeat_interleave(n, dim=1)
        told_GBY = tell(told_GY.flatten(), self.told).unflatten(0, told_GY.shape)
        images_GBD = self.decoder.draw(told_GBY, seed).unflatten(1, (most, n))
        return torch.stack([images_GBD[home[name][0], wanted[home[name][0]].index(name)] for name in classes])

    def of_any(self, n: int, seed: int) -> Tensor:
        """Draw n images of whatever class (n, D)."""
        assert self.decoder is not None, "nothing was learned yet"
        return self.decoder.draw(torch.zeros((1, n, 0), device=self.space.device), seed)[0]

    def save(self, folder: Path) -> None:
        """Decoders, and the encoder where it will learn again; the classes of each group."""
        save_json({"groups": self.groups}, folder / "dreamer.json")
        kept = self.decoder if self.vae is None else self.vae
        if kept is not None:
            save_module(kept, folder / "generator.safetensors")
        if self.vae is not None:
            save_tensors(self.moments, folder / "moments.safetensors")

    def load(self, folder: Path) -> None:
        """Copy what `save` wrote."""
        self.groups = load_json(folder / "dreamer.json")["groups"]
        self.decoder, self.vae, self.moments = None, None, {}
        if not self.groups:
            return
        if self.settings.frozen:
            self.decoder = Decoder(self.settings, self.space, len(self.groups), self.told, seed=0)
            load_module(self.decoder, folder / "generator.safetensors")
        else:
            self.vae = Vae(self.settings, self.space, 1, self.told, seed=0)
            load_module(self.vae, folder / "generator.safetensors")
            self.decoder = self.vae.decoder
            self.moments = load_tensors(folder / "moments.safetensors", self.space.device)

    def metrics(self) -> Facts:
        """Classes and bytes."""
        kept = self.decoder if self.vae is None else self.vae
        size = (0 if kept is None else module_bytes(kept)) + tensor_bytes(self.moments)
        return {"classes": len(self.classes), "bytes": size, "memory": {"generator": size, "adapters": 0}}
