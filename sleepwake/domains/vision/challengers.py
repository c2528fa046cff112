"""The challenger: which pairs of classes to practise, and how far a dream of one leans towards the other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from sleepwake.domains.tensors import generator, load_json, save_json
from sleepwake.domains.vision.images import Batch, Space
from sleepwake.domains.vision.night_settings import ConfusionChallenger, RandomChallenger
from sleepwake.records import Facts, Verdicts
from sleepwake.roles import Mind
from sleepwake.seeds import seed as seed_at


@dataclass(frozen=True)
class Challenge:
    """Dream of a class, leaning towards another.

    Attributes:
        shape: id of the class that the dream is of.
        lure: id of the class that it leans towards.
        distance: how far it leans, in (0, 1].
    """

    shape: int
    lure: int
    distance: float


def dreamt(challenges: Sequence[Challenge], images: Sequence[Tensor]) -> Batch:
    """Dreams as a batch, from the images (n, C, H, W) made for each challenge: of its shape, leaning towards its lure at its distance."""
    asked = [challenge for challenge, mine_NCHW in zip(challenges, images, strict=True) for _ in range(len(mine_NCHW))]
    images_NCHW = torch.cat(list(images))

    def told(values: Sequence[float], kind: torch.dtype) -> Tensor:
        return torch.tensor(values, dtype=kind, device=images_NCHW.device)

    return Batch(
        images_NCHW,
        told([challenge.shape for challenge in asked], torch.int64),
        lures_N=told([challenge.lure for challenge in asked], torch.int64),
        distances_N=told([challenge.distance for challenge in asked], torch.float32),
    )


class Confusion:
    """Pairs (a, b) where the learner, shown dreams of a, says b the most."""

    def __init__(self, settings: ConfusionChallenger, space: Space) -> None:
        self.settings, self.space = settings, space
        self.distances: dict[str, float] = {}
        """Distance of each pair that was ever practised, by name."""
        self.current: list[str] = []
        """The pairs of the last proposal."""

    def name(self, shape: int, lure: int) -> str:
        """A pair as reports show it."""
        return f"{self.space.classes[shape]}-{self.space.classes[lure]}"

    def propose(self, mind: Mind, seed: int) -> list[Challenge]:
        """The most confused pairs, each at its own distance."""
        net, dreamer = mind.learner.net, mind.dreamer
        batch = dreamer.draw(self.settings.draws * len(dreamer.classes), seed, dreamer.classes, net)
        response_NK = net.response(batch.images_NCHW)
        confusion = {
            (shape, lure): response_NK[batch.labels_N == shape, lure].mean().item()
            for shape in dreamer.classes
            for lure in dreamer.classes
            if shape != lure and bool((batch.labels_N == shape).any())
        }
        worst = sorted(confusion, key=lambda pair: (-confusion[pair], pair))[: self.settings.pairs]
        self.current = [self.name(*pair) for pair in worst]
        for name in self.current:
            self.distances.setdefault(name, self.settings.start)
        return [Challenge(shape, lure, self.distances[self.name(shape, lure)]) for shape, lure in worst]

    def observe(self, challenges: Sequence[Challenge], material: Batch, verdicts: Verdicts | None) -> Facts:
        """Raise the distance of pairs whose dreams were accepted, lower it where they were not."""
        raised = lowered = 0
        if verdicts is None:
            return {"raised": 0, "lowered": 0}
        accepted_N = torch.tensor(verdicts.accepted, dtype=torch.float32, device=self.space.device)
        for challenge in challenges:
            mine_N = (material.labels_N == challenge.shape) & (material.lures_N == challenge.lure)
            if not bool(mine_N.any()):
                continue
            share, name = accepted_N[mine_N].mean().item(), self.name(challenge.shape, challenge.lure)
            change = (share >= self.settings.easy) - (share < self.settings.hard)
            raised, lowered = raised + (change > 0), lowered + (change < 0)
            moved = self.distances[name] + change * self.settings.step
            self.distances[name] = round(min(1.0, max(0.01, moved)), 6)
        return {"raised": raised, "lowered": lowered}

    def level(self) -> Mapping[str, float]:
        """Distance of the pairs of the last proposal."""
        return {name: self.distances[name] for name in self.current}

    def save(self, folder: Path) -> None:
        """Distances, and the pairs of the last proposal."""
        save_json({"distances": self.distances, "current": self.current}, folder / "challenger.json")

    def load(self, folder: Path) -> None:
        """Copy what `save` wrote."""
        state = load_json(folder / "challenger.json")
        self.distances, self.current = state["distances"], state["current"]

    def metrics(self) -> Facts:
        """How many pairs were ever practised."""
        return {"pairs": len(self.distances), "bytes": 0}


class Random:
    """Control: pairs at random; verdicts don't change their distance."""

    def __init__(self, settings: RandomChallenger, space: Space) -> None:
        self.settings, self.space = settings, space

    def propose(self, mind: Mind, seed: int) -> list[Challenge]:
        """Distinct pairs of learned classes, each as likely; the same ones nearer, where there are too few and the recipe says so."""
        classes = mind.dreamer.classes
        pairs = [(shape, lure) for shape in classes for lure in classes if shape != lure]
        order = torch.randperm(len(pairs), generator=generator(seed_at(seed, "pairs")), device="cpu").tolist()
        chosen, found, distance = [pairs[place] for place in order], list[Challenge](), self.settings.distance
        while chosen and distance > 0 and len(found) < self.settings.pairs:
            found += [Challenge(shape, lure, distance) for shape, lure in chosen[: self.settings.pairs - len(found)]]
            distance = round(distance - self.settings.nearer, 6) if self.settings.nearer else 0.0
        return found

    def observe(self, challenges: Sequence[Challenge], material: Batch, verdicts: Verdicts | None) -> Facts:
        """Takes nothing in."""
        return {}

    def level(self) -> Mapping[str, float]:
        """The distance, which doesn't change."""
        return {"distance": self.settings.distance}

    def save(self, folder: Path) -> None:
        """Nothing to save."""

    def load(self, folder: Path) -> None:
        """Nothing to load."""

    def metrics(self) -> Facts:
        """No bytes."""
        return {"bytes": 0}
