"""Probes: what the gate looks at, so that a night loses nothing that was known."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sleepwake.domains.tensors import generator, load_json, load_tensors, save_json, save_tensors
from sleepwake.domains.vision.images import Batch, Space
from sleepwake.records import Probe, Task
from sleepwake.roles import Mind


class Held:
    """Images with classes, by task, and the learner's score on them."""

    def __init__(self, space: Space, each: int) -> None:
        self.space, self.each = space, each
        self.tasks: list[tuple[str, list[int]]] = []
        """Name and class ids of each task so far."""
        self.images_NCHW, self.labels_N = self.empty()

    def empty(self) -> tuple[Tensor, Tensor]:
        """No images and no labels; images are kept as bytes."""
        images = torch.zeros((0, *self.space.shape), dtype=torch.uint8, device=self.space.device)
        return images, torch.zeros(0, dtype=torch.int64, device=self.space.device)

    def hold(self, batch: Batch) -> None:
        """Add images."""
        as_bytes = (batch.images_NCHW * 255).round().to(torch.uint8)
        self.images_NCHW = torch.cat([self.images_NCHW, as_bytes])
        self.labels_N = torch.cat([self.labels_N, batch.labels_N])

    def score(self, learner: Any, seed: int) -> tuple[Probe, ...]:
        """Share answered right of each task so far, among all classes seen."""
        if not len(self.labels_N):
            return tuple(Probe(name, 0.0, 0) for name, _ in self.tasks)
        images_NCHW, net = self.images_NCHW.float() / 255, learner.net
        right_N = net.answer(images_NCHW) == self.labels_N
        probes = []
        for name, classes in self.tasks:
            mine_N = torch.isin(self.labels_N, torch.tensor(classes, device=self.space.device))
            if self.space.told:
                right_N = net.answer(images_NCHW, only=classes) == self.labels_N
            count, right = int(mine_N.sum()), int(right_N[mine_N].sum())
            probes.append(Probe(name, round(right / max(1, count), 6), count))
        return tuple(probes)

    def save(self, folder: Path) -> None:
        """Tasks and images."""
        save_json({"tasks": self.tasks}, folder / "probes.json")
        save_tensors({"images": self.images_NCHW, "labels": self.labels_N}, folder / "images.safetensors")

    def load(self, folder: Path) -> None:
        """Copy what `save` wrote."""
        self.tasks = [(name, classes) for name, classes in load_json(folder / "probes.json")["tasks"]]
        tensors = load_tensors(folder / "images.safetensors", self.space.device)
        self.images_NCHW, self.labels_N = tensors["images"], tensors["labels"]


class Kept(Held):
    """Images of each task's own wake data that the learner never trains on; they count as stored images."""

    def keep(self, task: Task, examples: Batch, seed: int) -> Batch:
        """Hold back up to `each` images a class, never more than half of them; returns the rest."""
        classes = self.space.ids(task.parts)
        self.tasks.append((task.name, classes))
        order_N = torch.randperm(len(examples), generator=generator(seed), device="cpu").to(self.space.device)
        shuffled = examples.take(order_N)
        held_N = torch.zeros_like(shuffled.labels_N, dtype=torch.bool)
        for name in classes:
            places_N = (shuffled.labels_N == name).nonzero()[:, 0]
            held_N[places_N[: min(self.each, len(places_N) // 2)]] = True
        self.hold(shuffled.take(held_N))
        return shuffled.take(~held_N)

    def draw(self, mind: Mind, seed: int) -> None:
        """Nothing to draw: they were kept."""

    def metrics(self) -> dict[str, Any]:
        """Images and their bytes."""
        size = self.images_NCHW.numel()
        return {"probes": len(self.labels_N), "bytes": size, "memory": {"images": size}}


class Dreamed(Held):
    """Images drawn at dusk, where two judges with seeds of their own agree on the intended class; no real image is kept."""

    def keep(self, task: Task, examples: Batch, seed: int) -> Batch:
        """Holds nothing back. The probes of older tasks stay, so that the day's end can be compared with its beginning."""
        self.tasks.append((task.name, self.space.ids(task.parts)))
        return examples

    def draw(self, mind: Mind, seed: int) -> None:
        """Draw anew, as the dreamer and the judge's members are now; nothing before the first day."""
        if not mind.dreamer.classes:
            return
        judges = mind.judge.independent()
        assert len(judges) >= 2, "dreamed probes need two judges; `build` has checked it"
        classes = mind.dreamer.classes
        batch = mind.dreamer.draw(self.each * len(classes), seed, classes, mind.learner.net)
        agreed_N = torch.stack([judge.answer(batch.images_NCHW) == batch.labels_N for judge in judges]).all(dim=0)
        self.images_NCHW, self.labels_N = self.empty()
        self.hold(batch.take(agreed_N))

    def metrics(self) -> dict[str, Any]:
        """Images and their bytes: drawn, not stored data."""
        size = self.images_NCHW.numel()
        return {"probes": len(self.labels_N), "bytes": size, "memory": {"snapshots": size}}
