"""The dreamer by diffusion: a frozen generator of strokes, steered to each class by a soft prompt that the learner has optimised."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sleepwake.domains.tensors import generator, load_json, load_module, module_bytes, save_json, save_module
from sleepwake.domains.vision.challengers import Challenge
from sleepwake.domains.vision.diffusion import StrokeDiffusion
from sleepwake.domains.vision.images import Batch, Space
from sleepwake.domains.vision.networks import Classifier
from sleepwake.domains.vision.night_settings import DiffusionDreamer as Settings
from sleepwake.domains.vision.soft_prompts import SoftPrompts
from sleepwake.records import Facts, Task
from sleepwake.seeds import seed as seed_at


@dataclass(frozen=True)
class Prompted:
    """A source over classes, in equal parts. It holds what the prompts are now; the generator never changes.

    Attributes:
        generator: draws.
        classes: ids to draw.
        conditions_PLE: what the generator is told, for each class.
    """

    generator: StrokeDiffusion
    classes: tuple[int, ...]
    conditions_PLE: Tensor

    @torch.no_grad()
    def draw(self, n: int, seed: int) -> Batch:
        """Draw n images with their intended classes, in random order."""
        device = self.generator.space.device
        order_N = torch.randperm(n, generator=generator(seed_at(seed, "order")), device="cpu").to(device)
        place_N = order_N % len(self.classes)
        labels_P = torch.tensor(self.classes, dtype=torch.int64, device=device)
        noise_N1HW = self.generator.noise(n, seed_at(seed, "noise"))
        return Batch(self.generator.denoise(noise_N1HW, self.conditions_PLE[place_N]), labels_P[place_N])


class DiffusionDreamer:
    """Draws a class by its prompt, and dreams of a class that leans towards another by a prompt made for that pair.

    The learner is the guide: a prompt is what makes the frozen generator draw what the learner takes for the class (DEXTER, arXiv
    2510.14741; Dream2Learn, arXiv 2603.01935). The generator never sees the stream; the learner never sees the strokes by day.
    """

    def __init__(self, settings: Settings, space: Space) -> None:
        self.settings, self.space = settings, space
        self.classes: tuple[int, ...] = ()
        """Ids of the classes that have a prompt."""
        self.dreamed: dict[str, Facts] = {}
        """What was last asked of the prompt of each pair that was ever dreamed of, and how near it came."""
        self.prompts: SoftPrompts | None = None

    def fit(self, task: Task, examples: Batch, replay: Any, learner: Any, seed: int) -> Facts:
        """Give each new class a prompt, and tune those of all classes to the learner as it is now.

        On the first day the generator learns strokes before that; it looks at no example, on any day.
        """
        drawn: Facts = {"steps": 0, "samples": 0}
        if self.prompts is None:
            strokes = StrokeDiffusion(self.settings, self.space, seed_at(seed, "weights"))
            drawn = strokes.learn_strokes(seed_at(seed, "strokes"))
            self.prompts = SoftPrompts(strokes)
        for name in self.space.ids(task.parts):
            self.prompts.add(class_prompt(name), seed_at(seed, "prompt", name))
            self.classes = (*self.classes, name)
        names = [class_prompt(name) for name in self.classes]
        tuned = self.prompts.tune(names, self._targets([(name, name, 0.0) for name in self.classes]), learner.net, seed_at(seed, "tune"))
        both = {key: drawn[key] + tuned[key] for key in ("steps", "samples")}
        return {**both, "strokes": drawn, "tuned": tuned}

    def _targets(self, wanted: Sequence[tuple[int, int, float]]) -> Tensor:
        """Responses (P, K): of class a up to one half of class b, so that a stays the likeliest."""
        targets_PK = torch.zeros((len(wanted), len(self.space.classes)), device=self.space.device)
        for row, (shape, lure, distance) in enumerate(wanted):
            targets_PK[row, shape] += 1 - distance / 2
            targets_PK[row, lure] += distance / 2
        return targets_PK

    def source(self, classes: Sequence[int], namer: Classifier) -> Prompted:
        """A source that stays as this dreamer is now; it can be asked for a class, so that nobody needs to name what it draws."""
        assert self.prompts is not None, "nothing was learned yet"
        with torch.no_grad():
            conditions_PLE = self.prompts.conditions([class_prompt(name) for name in classes])
        return Prompted(self.prompts.generator, tuple(classes), conditions_PLE)

    def draw(self, n: int, seed: int, classes: Sequence[int], namer: Classifier) -> Batch:
        """Draw n images in random order, as many of each class as can be."""
        return self.source(classes, namer).draw(n, seed)

    def dream(self, challenges: Sequence[Challenge], learner: Any, seed: int) -> Batch:
        """Images of class a that lean towards b, for each challenge (a, b, distance).

        The pair's prompt starts from the prompt of a and is tuned until the learner answers (1 - distance / 2) a + (distance / 2) b.
        """
        assert self.prompts is not None, "nothing was learned yet"
        names = [pair_prompt(challenge) for challenge in challenges]
        for name, challenge in zip(names, challenges, strict=True):
            self.prompts.copy(class_prompt(challenge.shape), name, seed_at(seed, name))
        targets_PK = self._targets([(challenge.shape, challenge.lure, challenge.distance) for challenge in challenges])
        tuned = self.prompts.tune(names, targets_PK, learner.net, seed_at(seed, "tune"))
        facts = {key: tuned[key] for key in ("loss_first", "loss_last")}
        self.dreamed |= {name: {**facts, "distance": challenge.distance} for name, challenge in zip(names, challenges, strict=True)}
        each = self.settings.dreams
        with torch.no_grad():
            conditions_NLE = self.prompts.conditions(names).repeat_interleave(each, dim=0)
            noise_N1HW = self.prompts.generator.noise(len(conditions_NLE), seed_at(seed, "noise"))
            images_NCHW = self.prompts.generator.denoise(noise_N1HW, conditions_NLE)

        def spread(values: list[int] | list[float], kind: torch.dtype) -> Tensor:
            return torch.tensor(values, dtype=kind, device=self.space.device).repeat_interleave(each)

        return Batch(
            images_NCHW,
            spread([challenge.shape for challenge in challenges], torch.int64),
            lures_N=spread([challenge.lure for challenge in challenges], torch.int64),
            distances_N=spread([challenge.distance for challenge in challenges], torch.float32),
        )

    def save(self, folder: Path) -> None:
        """The frozen generator, a PEFT adapter a prompt, and what the prompts are for."""
        names = [] if self.prompts is None else self.prompts.names
        save_json({"classes": self.classes, "dreamed": self.dreamed, "prompts": names}, folder / "dreamer.json")
        if self.prompts is not None:
            save_module(self.prompts.generator, folder / "generator.safetensors")
            self.prompts.save(folder / "prompts")

    def load(self, folder: Path) -> None:
        """Copy what `save` wrote."""
        state = load_json(folder / "dreamer.json")
        self.classes, self.dreamed, self.prompts = tuple(state["classes"]), state["dreamed"], None
        if state["prompts"]:
            strokes = StrokeDiffusion(self.settings, self.space, seed=0)
            load_module(strokes, folder / "generator.safetensors")
            self.prompts = SoftPrompts(strokes)
            self.prompts.load(folder / "prompts", state["prompts"])

    def metrics(self) -> Facts:
        """Classes, prompts, and bytes."""
        if self.prompts is None:
            return {"classes": 0, "prompts": 0, "bytes": 0, "memory": {"generator": 0, "adapters": 0}}
        weights = module_bytes(self.prompts.generator)
        adapters = sum(self.prompts.vectors(name).numel() * 4 for name in self.prompts.names)
        memory = {"generator": weights, "adapters": adapters}
        return {"classes": len(self.classes), "prompts": len(self.prompts.names), "bytes": weights + adapters, "memory": memory}


def class_prompt(name: int) -> str:
    """Name of a class's prompt; by id, since a name becomes a folder."""
    return f"class-{name}"


def pair_prompt(challenge: Challenge) -> str:
    """Name of the prompt of a class that leans towards another."""
    return f"class-{challenge.shape}-to-{challenge.lure}"
