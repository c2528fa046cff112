"""The dreamer by diffusion: a frozen generator, steered to each class and each dream by a small adapter that alone learns."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from torch import Tensor

from sleepwake.domains.tensors import generator, load_json, load_tensors, save_json, save_tensors, tensor_bytes
from sleepwake.domains.vision.adapters import adapters_of
from sleepwake.domains.vision.challengers import Challenge, dreamt
from sleepwake.domains.vision.dreamed_classes import told, untold
from sleepwake.domains.vision.dreamer_settings import DiffusionDreamer as Settings
from sleepwake.domains.vision.dreamer_settings import FixedStop, LearnedStop, Objective
from sleepwake.domains.vision.images import Batch, Space
from sleepwake.domains.vision.learned_stop import Hindsight, Learned
from sleepwake.domains.vision.networks import Classifier
from sleepwake.domains.vision.pipelines import open_generator, places
from sleepwake.domains.vision.stopping import Stopper, stopper_of
from sleepwake.domains.vision.training import Source
from sleepwake.domains.vision.tuning import Aim, Goal, Painter, Starts, invert, steer
from sleepwake.domains.weights import fingerprint
from sleepwake.errors import DataError
from sleepwake.records import Facts, Task
from sleepwake.roles import Judge
from sleepwake.seeds import seed as seed_at


@dataclass
class Painted:
    """A source over classes, in equal parts; their adapters must not learn meanwhile.

    Attributes:
        painter: draws.
        classes: ids to draw.
        pool: images a class, drawn once and then drawn from; 0: each draw is fresh.
    """

    painter: Painter
    classes: tuple[int, ...]
    pool: int = 0
    drawn: Tensor | None = field(default=None, init=False)

    @torch.no_grad()
    def draw(self, n: int, seed: int) -> Batch:
        """Draw n images with their intended classes, in random order."""
        device, count = self.painter.space.device, len(self.classes)
        chance = generator(seed_at(seed, "order"))
        place_N = (torch.randperm(n, generator=chance, device="cpu") % count).to(device)
        labels_P = torch.tensor(self.classes, dtype=torch.int64, device=device)
        names = [class_adapter(name) for name in self.classes]
        if self.pool == 0:
            images_PNCHW = self.painter.paint(names, -(-n // count), seed_at(seed, "images"))
            # the k-th item of a class is the k-th of its images
            rank_N = (place_N[:, None] == place_N).tril().sum(dim=1) - 1
        else:
            if self.drawn is None:
                self.drawn = self.painter.paint(names, self.pool, seed_at(seed, "pool"))
            images_PNCHW = self.drawn
            rank_N = torch.randint(self.pool, (n,), generator=chance, device="cpu").to(device)
        return Batch(images_PNCHW[place_N, rank_N], labels_P[place_N])


class DiffusionDreamer:
    """Draws a class by its adapter, and dreams of a class that leans towards another by an adapter made for that pair.

    The learner is the guide: an adapter is what makes the frozen generator draw what the learner takes for the class (DEXTER, arXiv
    2510.14741; Dream2Learn, arXiv 2603.01935). The embedded generator has never seen an image of any stream.
    """

    def __init__(self, settings: Settings, space: Space) -> None:
        self.settings, self.space = settings, space
        self.classes: tuple[int, ...] = ()
        """Ids of the classes that were learned; each has an adapter, unless `fit` says otherwise."""
        self.dreamed: dict[str, Facts] = {}
        """What the last round asked of the adapters that it made, and the steps that they took."""
        self.inventory: dict[int, Challenge] = {}
        """What was asked of each dreamed class that there is, by its id."""
        self.statistics_2F = torch.empty(0, device=space.device)
        """Mean and deviation of the learner's features on the day's images, where the objective asks for them."""
        self.hindsight = Hindsight()
        """Steps of earlier nights, where stopping is learned."""
        self.learned: Learned | None = None
        """Who watched this round's steps."""
        self.taken = 0.0
        """Steps that the adapters of this round's dreams took, on average."""
        self.memory: Any = None
        """Whose stored images dreams may begin at."""
        self.painter: Painter | None = None

    def _opened(self) -> Painter:
        if self.painter is None:
            opened = open_generator(self.settings, self.space.device)
            self.painter = Painter(adapters_of(self.settings.adapter, opened), self.space, self.settings)
        return self.painter

    def _fingerprint(self) -> str:
        return " ".join(fingerprint(place) for place in places(self.settings.generator))

    def _starts(self) -> Starts | None:
        if self.settings.begin == "noise":
            return None
        if self.settings.begin == "stored":
            stored: Starts = self.memory.some
            return stored
        painter = self._opened()
        return lambda name, n, seed: painter.paint([class_adapter(name)], n, seed)[0]

    def fit(self, task: Task, examples: Batch, replay: Any, learner: Any, seed: int) -> Facts:
        """Give each new class an adapter, and fit it to the class's images; or all of them to the learner as it is now; or neither."""
        painter, new = self._opened(), [name for name in self.space.ids(task.parts) if name not in self.classes]
        self.classes = (*self.classes, *new)
        if self.settings.objective.statistics:
            features_NF = learner.net.body.onward(examples.images_NCHW, "").detach()
            self.statistics_2F = torch.stack([features_NF.mean(dim=0), features_NF.std(dim=0)])
        if self.settings.fit == "none":
            return {"steps": 0, "samples": 0}
        for name in new:
            painter.adapters.add(class_adapter(name), seed_at(seed, "adapter", name))
        steps, at = self.settings.fit_steps, seed_at(seed, "fit")
        if self.settings.fit == "learner":
            aims = [Aim(class_adapter(name), name, name, 0.0) for name in self.classes]
            told = steer(painter, aims, learner.net, Goal(Objective(), stopper_of(FixedStop())), steps, at)  # plain: it is no dream
        elif new:
            images = [examples.take(examples.labels_N == name) for name in new]
            told = invert(painter, [class_adapter(name) for name in new], images, steps, at)
        else:
            return {"steps": 0, "samples": 0}
        painter.adapters.check([class_adapter(name) for name in self.classes], self.settings.prompt_lr)
        return told

    def source(self, classes: Sequence[int], namer: Classifier) -> Source:
        """A source of some classes; it can choose, so that nothing needs a name."""
        return self._source(classes, self.settings.pool)

    def draw(self, n: int, seed: int, classes: Sequence[int], namer: Classifier) -> Batch:
        """Draw n images in random order; by adapters, as many of each class as can be."""
        return self._source(classes, 0).draw(n, seed)

    def _source(self, classes: Sequence[int], pool: int) -> Source:
        """What adapters draw, or stored images where no adapter draws real classes."""
        if self.settings.fit == "none":
            stored: Source = self.memory.of(classes)
            return stored
        return Painted(self._opened(), tuple(classes), pool)

    def dream(self, challenges: Sequence[Challenge], learner: Any, seed: int) -> Batch:
        """Images of class a that lean towards b, for each challenge (a, b, distance).

        The pair's adapter starts from that of a and is optimised until the learner answers (1 - distance / 2) a + (distance / 2) b, or the
        stopper has seen enough.
        """
        painter, settings = self._opened(), self.settings
        aims = []
        for challenge in challenges:
            name = pair_adapter(challenge)
            if settings.first == "random":
                painter.adapters.renew(name, seed_at(seed, name))
            else:
                painter.adapters.copy(class_adapter(challenge.shape), name, seed_at(seed, name))
            aims.append(Aim(name, challenge.shape, challenge.lure, challenge.distance))
        starts, statistics_2F = self._starts(), self.statistics_2F if len(self.statistics_2F) else None
        stopper: Stopper
        if isinstance(settings.stop, LearnedStop):
            stopper = self.learned = Learned(settings.stop, self.hindsight, settings.prompt_steps)
        else:
            stopper = stopper_of(settings.stop)
        goal = Goal(settings.objective, stopper, statistics_2F, starts)
        steered = steer(painter, aims, learner.net, goal, settings.prompt_steps, seed_at(seed, "steer"))
        painter.adapters.check([aim.name for aim in aims], settings.prompt_lr)
        self.taken = round(fmean(steered["taken"].values()), 6)
        for name in set(self.dreamed) - {aim.name for aim in aims}:
            painter.adapters.drop(name)
        self.dreamed = {aim.name: {"distance": aim.distance, "steps": steered["taken"][aim.name]} for aim in aims}
        with torch.no_grad():
            images_PNCHW = painter.paint_aims(aims, settings.dreams, seed_at(seed, "images"), starts)
        return dreamt(challenges, images_PNCHW.unbind())

    def observe(self, judge: Judge, seed: int) -> Facts:
        """Learn when to stop, where that is learned, from the judge's verdicts on this round's ways."""
        facts = {"prompt_steps": self.taken}
        return facts if self.learned is None else {**facts, "stopper": self.learned.learn(judge, seed)}

    def adopt(self, name: int, challenge: Challenge) -> None:
        """Keep the adapter of a pair under the id of a dreamed class."""
        self._opened().adapters.copy(pair_adapter(challenge), dream_adapter(name), seed=0)
        self.inventory[name] = challenge

    def forget(self, names: Sequence[int]) -> None:
        """Drop the adapters of dreamed classes."""
        for name in names:
            self._opened().adapters.drop(dream_adapter(name))
            del self.inventory[name]

    def again(self, names: Sequence[int], each: int, seed: int) -> Tensor:
        """Draw so many images (P, each, C, H, W) of each dreamed class."""
        asked = [(dream_adapter(name), self.inventory[name]) for name in names]
        aims = [Aim(name, challenge.shape, challenge.lure, challenge.distance) for name, challenge in asked]
        return self._opened().paint_aims(aims, each, seed, self._starts())

    def save(self, folder: Path) -> None:
        """A PEFT adapter a class and a pair, what they are for, and the generator's hash; the generator itself never changes."""
        names = [] if self.painter is None else self.painter.adapters.names
        known = self._fingerprint() if names else ""
        state = {"classes": self.classes, "dreamed": self.dreamed, "inventory": told(self.inventory), "adapters": names, "generator": known}
        save_json(state, folder / "dreamer.json")
        save_tensors({"statistics_2F": self.statistics_2F}, folder / "statistics.safetensors")
        save_tensors(self.hindsight.tensors(), folder / "hindsight.safetensors")
        if self.painter is not None:
            self.painter.adapters.save(folder / "adapters")

    def load(self, folder: Path) -> None:
        """Copy what `save` wrote.

        Raises:
            DataError: the generator is another than the one that the adapters were made for.
        """
        state = load_json(folder / "dreamer.json")
        self.classes, self.dreamed, self.painter = tuple(state["classes"]), state["dreamed"], None
        self.inventory = untold(state["inventory"])
        self.statistics_2F = load_tensors(folder / "statistics.safetensors", self.space.device)["statistics_2F"]
        past = load_tensors(folder / "hindsight.safetensors", torch.device("cpu"))
        self.hindsight.seen_TF, self.hindsight.good_T = past["seen_TF"], past["good_T"]
        if not state["adapters"]:
            return
        if self._fingerprint() != state["generator"]:
            named = " with ".join(map(str, places(self.settings.generator)))
            raise DataError(
                f"the frozen generator in {named} is another than the one that this run's adapters were made for",
                "put the weights back with which the run began, or begin another run",
            )
        self._opened().adapters.load(folder / "adapters", state["adapters"])

    def metrics(self) -> Facts:
        """Classes, adapters, and bytes; the generator counts, though it is the same for all runs."""
        if self.painter is None:
            return {"classes": 0, "adapters": 0, "bytes": 0, "memory": {"generator": 0, "adapters": 0}}
        adapters = self.painter.adapters
        beside = {"statistics_2F": self.statistics_2F, **self.hindsight.tensors()}
        weights, size = adapters.generator.bytes, adapters.bytes + tensor_bytes(beside)
        memory = {"generator": weights, "adapters": size}
        return {"classes": len(self.classes), "adapters": len(adapters.names), "bytes": weights + size, "memory": memory}


def class_adapter(name: int) -> str:
    """Name of a class's adapter; by id, since a name becomes a folder."""
    return f"class-{name}"


def dream_adapter(name: int) -> str:
    """Name of a dreamed class's adapter, by its id."""
    return f"dream-{name}"


def pair_adapter(challenge: Challenge) -> str:
    """Name of the adapter of a class that leans so far, in parts of ten thousand, towards another."""
    return f"class-{challenge.shape}-to-{challenge.lure}-at-{round(10_000 * challenge.distance)}"
