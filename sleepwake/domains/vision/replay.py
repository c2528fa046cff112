"""Memory: where replay comes from by day, where nothing is stored."""

from pathlib import Path

import torch

from sleepwake.domains.tensors import generator
from sleepwake.domains.vision.images import Batch, Space
from sleepwake.domains.vision.networks import Classifier, entered
from sleepwake.domains.vision.training import Answered, Shuffled, Source
from sleepwake.domains.vision.wake_settings import CurrentReplay, GeneratedReplay, NoiseReplay, NoReplay, Targets
from sleepwake.records import Facts, Task
from sleepwake.roles import Mind

LOUD = 128
"""Images on which the range of a layer's activations is measured."""


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

    def recall(self, mind: Mind) -> Source:
        """What was learned so far, for the night, where nothing is stored: draws of every class."""
        drawn: Source = mind.dreamer.source(mind.dreamer.classes, mind.learner.net.copy())
        return drawn

    def store(self, mind: Mind, task: Task, examples: Batch, seed: int) -> Facts:
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
    """Independent pixels, named by the previous solver or at random.

    Attributes:
        white: the largest value: 1 of images, and of a layer the 90th percentile of its activations (Graffieti et al., section 4.3).
    """

    def __init__(self, settings: NoiseReplay, space: Space, solver: Classifier, white: float = 1.0) -> None:
        self.settings, self.space, self.solver, self.white = settings, space, solver, white

    def draw(self, n: int, seed: int) -> Batch:
        """Draw n images of noise, each with a class."""
        shape, chance = (n, *self.space.shape), generator(seed)
        if self.settings.distribution == "uniform":
            images_NCHW = self.white * torch.rand(shape, generator=chance, device="cpu")
        else:
            images_NCHW = self.white * (0.5 + 0.25 * torch.randn(shape, generator=chance, device="cpu")).clamp(0.0, 1.0)
        images_NCHW, layer = images_NCHW.to(self.space.device), self.space.layer
        if self.settings.labels == "solver":
            return Batch(images_NCHW, self.solver.answer(images_NCHW, layer=layer), layer=layer)
        known_K = torch.tensor(self.solver.classes, device="cpu")
        labels_N = known_K[torch.randint(len(known_K), (n,), generator=chance, device="cpu")]
        return Batch(images_NCHW, labels_N.to(self.space.device), layer=layer)


def loud(examples: Batch, net: Classifier, layer: str) -> float:
    """The 90th percentile of a layer's activations on some images."""
    few = Shuffled(examples).draw(LOUD, 0)
    return torch.quantile(entered(few, net, layer).images_NCHW.flatten(), 0.9).item()


class NoiseMemory(NoMemory):
    """Replay of noise with the previous solver's response."""

    settings: NoiseReplay  # type: ignore[assignment]

    def source(self, mind: Mind, task: Task, examples: Batch, seed: int) -> Source | None:
        """Noise, answered by the previous solver."""
        solver = previous_solver(mind, self.space, task)
        if solver is None:
            return None
        noise = Noise(self.settings, self.space, solver, loud(examples, mind.learner.net, self.space.layer) if self.space.layer else 1.0)
        return noise if self.settings.labels == "random" else named(noise, self.settings, solver)


class CurrentMemory(NoMemory):
    """Learning without forgetting (Li & Hoiem 2016): the day's own images with the previous solver's response."""

    settings: CurrentReplay  # type: ignore[assignment]

    def source(self, mind: Mind, task: Task, examples: Batch, seed: int) -> Source | None:
        """The day's images, answered by the previous solver."""
        solver = previous_solver(mind, self.space, task)
        return None if solver is None else answered(Shuffled(examples), self.settings, solver)
