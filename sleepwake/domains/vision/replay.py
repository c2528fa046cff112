"""Memory: where replay comes from by day."""

from pathlib import Path

import torch
from torch import Tensor

from sleepwake.domains.tensors import generator, load_json, load_tensors, save_json, save_tensors
from sleepwake.domains.vision.images import Batch, Space
from sleepwake.domains.vision.networks import Classifier
from sleepwake.domains.vision.training import Answered, Shuffled, Source
from sleepwake.domains.vision.wake_settings import CurrentReplay, ExactReplay, GeneratedReplay, NoiseReplay, NoReplay, Targets
from sleepwake.records import Facts, Task
from sleepwake.roles import Mind


def answered(source: Source, settings: Targets, solver: Classifier) -> Source:
    """The source with the targets that the recipe asks for."""
    return Answered(source, [solver], settings.temperature, squared=settings.squared) if settings.target == "soft" else source


def named(source: Source, settings: Targets, solver: Classifier) -> Source:
    """As `answered`, for images without labels: hard targets are the previous solver's, one a task where tasks are told."""
    if settings.target == "soft" or not solver.space.told:
        return answered(source, settings, solver)
    return Answered(source, [solver], temperature=1.0, hard=True)


def previous_solver(mind: Mind, space: Space, task: Task) -> Classifier | None:
    """A copy of the learner with the rows of earlier tasks alone; None on the first day."""
    before = space.before(task.index)
    return mind.learner.earlier.only(before) if before else None


class NoMemory:
    """Nothing is kept and nothing replayed."""

    def __init__(self, settings: NoReplay, space: Space) -> None:
        self.settings, self.space = settings, space

    def source(self, mind: Mind, task: Task, examples: Batch, seed: int) -> Source | None:
        """None."""
        return None

    def store(self, task: Task, examples: Batch, seed: int) -> Facts:
        """Nothing."""
        return {}

    def save(self, folder: Path) -> None:
        """Nothing to save."""

    def load(self, folder: Path) -> None:
        """Nothing to load."""

    def metrics(self) -> Facts:
        """No bytes."""
        return {"bytes": 0, "memory": {"images": 0}}


class GeneratedMemory(NoMemory):
    """Replay drawn from the dreamer as it was before the day; nothing is stored here."""

    settings: GeneratedReplay  # type: ignore[assignment]

    def source(self, mind: Mind, task: Task, examples: Batch, seed: int) -> Source | None:
        """Draws of every class learned so far, answered by the previous solver where targets are soft."""
        solver = previous_solver(mind, self.space, task)
        if solver is None:
            return None
        return named(mind.dreamer.source(mind.dreamer.classes, solver), self.settings, solver)


class Noise:
    """Independent pixels, named by the previous solver or at random."""

    def __init__(self, settings: NoiseReplay, space: Space, solver: Classifier) -> None:
        self.settings, self.space, self.solver = settings, space, solver

    def draw(self, n: int, seed: int) -> Batch:
        """Draw n images of noise, each with a class."""
        shape, chance = (n, *self.space.shape), generator(seed)
        if self.settings.distribution == "uniform":
            images_NCHW = torch.rand(shape, generator=chance, device="cpu")
        else:
            images_NCHW = (0.5 + 0.25 * torch.randn(shape, generator=chance, device="cpu")).clamp(0.0, 1.0)
        images_NCHW = images_NCHW.to(self.space.device)
        if self.settings.labels == "solver":
            return Batch(images_NCHW, self.solver.answer(images_NCHW))
        known_K = torch.tensor(self.solver.classes, device="cpu")
        return Batch(images_NCHW, known_K[torch.randint(len(known_K), (n,), generator=chance, device="cpu")].to(self.space.device))


class NoiseMemory(NoMemory):
    """Replay of noise with the previous solver's response."""

    settings: NoiseReplay  # type: ignore[assignment]

    def source(self, mind: Mind, task: Task, examples: Batch, seed: int) -> Source | None:
        """Noise, answered by the previous solver."""
        solver = previous_solver(mind, self.space, task)
        if solver is None:
            return None
        noise = Noise(self.settings, self.space, solver)
        return noise if self.settings.labels == "random" else named(noise, self.settings, solver)


class CurrentMemory(NoMemory):
    """Learning without forgetting (Li & Hoiem 2016): the day's own images with the previous solver's response."""

    settings: CurrentReplay  # type: ignore[assignment]

    def source(self, mind: Mind, task: Task, examples: Batch, seed: int) -> Source | None:
        """The day's images, answered by the previous solver."""
        solver = previous_solver(mind, self.space, task)
        return None if solver is None else answered(Shuffled(examples), self.settings, solver)


class ExactMemory:
    """Stored images, as many of each class, within a budget; kept as bytes, as they came."""

    def __init__(self, settings: ExactReplay, space: Space) -> None:
        self.settings, self.space = settings, space
        self.images: dict[int, Tensor] = {}
        """Images of each class (N, C, H, W), uint8, in random order, so that the first ones are a fair sample."""

    def source(self, mind: Mind, task: Task, examples: Batch, seed: int) -> Source | None:
        """The stored images; answered by the previous solver where targets are soft."""
        solver = previous_solver(mind, self.space, task)
        if solver is None or not self.images:
            return None
        labels = [name for name, images in self.images.items() for _ in range(len(images))]
        images_NCHW = torch.cat(list(self.images.values())).float() / 255
        batch = Batch(images_NCHW, torch.tensor(labels, dtype=torch.int64, device=self.space.device))
        return answered(Shuffled(batch), self.settings, solver)

    def store(self, task: Task, examples: Batch, seed: int) -> Facts:
        """Add the task's classes and shrink all to equal shares of the budget."""
        order_N = torch.randperm(len(examples), generator=generator(seed), device="cpu").to(self.space.device)
        shuffled = examples.take(order_N)
        for name in self.space.ids(task.parts):
            self.images[name] = (shuffled.images_NCHW[shuffled.labels_N == name] * 255).round().to(torch.uint8)
        if self.settings.budget:
            images = self.settings.budget // (self.space.pixels if self.settings.unit == "bytes" else 1)
            for place, name in enumerate(sorted(self.images)):
                share = images // len(self.images) + (place < images % len(self.images))
                self.images[name] = self.images[name][:share]
        return {"stored": sum(len(images) for images in self.images.values())}

    def save(self, folder: Path) -> None:
        """The images, by class."""
        save_json({"classes": sorted(self.images)}, folder / "memory.json")
        save_tensors({str(name): images for name, images in self.images.items()}, folder / "images.safetensors")

    def load(self, folder: Path) -> None:
        """Copy what `save` wrote."""
        classes = load_json(folder / "memory.json")["classes"]
        images = load_tensors(folder / "images.safetensors", self.space.device)
        self.images = {name: images[str(name)] for name in classes}

    def metrics(self) -> Facts:
        """Images and their bytes."""
        size = sum(images.numel() for images in self.images.values())
        return {"stored": sum(len(images) for images in self.images.values()), "bytes": size, "memory": {"images": size}}
