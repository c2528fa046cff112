"""Dreamers without a generator: mixtures of stored images, which say what a generator adds; and real images of other classes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sleepwake.domains.tensors import generator, load_json, save_json
from sleepwake.domains.vision.challengers import Challenge, dreamt
from sleepwake.domains.vision.data_sets import Images, npz
from sleepwake.domains.vision.dreamed_classes import told, untold
from sleepwake.domains.vision.dreamer_settings import MixDreamer as Settings
from sleepwake.domains.vision.dreamer_settings import PicturesDreamer as PicturesSettings
from sleepwake.domains.vision.images import Batch, Space, fitted
from sleepwake.domains.vision.networks import Classifier
from sleepwake.domains.vision.stream_settings import NpzStream
from sleepwake.domains.vision.training import Shuffled
from sleepwake.records import Facts, Task
from sleepwake.roles import Judge
from sleepwake.seeds import seed as seed_at


class MixDreamer:
    """A dream of a that leans to b is (1 - distance / 2) of a stored a and distance / 2 of a stored b."""

    def __init__(self, settings: Settings | PicturesSettings, space: Space) -> None:
        self.settings, self.space = settings, space
        self.memory: Any = None
        """Whose stored images are mixed."""
        self.classes: tuple[int, ...] = ()
        """Ids of the classes that were learned."""
        self.inventory: dict[int, Challenge] = {}
        """What was asked of each dreamed class that there is, by its id."""

    def fit(self, task: Task, examples: Batch, replay: Any, learner: Any, seed: int) -> Facts:
        """Learns nothing."""
        self.classes = (*self.classes, *(name for name in self.space.ids(task.parts) if name not in self.classes))
        return {"steps": 0, "samples": 0}

    def source(self, classes: Sequence[int], namer: Classifier) -> Shuffled:
        """What is stored of some classes."""
        stored: Shuffled = self.memory.of(classes)
        return stored

    def draw(self, n: int, seed: int, classes: Sequence[int], namer: Classifier) -> Batch:
        """N of them."""
        return self.source(classes, namer).draw(n, seed)

    def dream(self, challenges: Sequence[Challenge], learner: Any, seed: int) -> Batch:
        """Images for each challenge (a, b, distance)."""
        each = self.settings.dreams
        return dreamt(challenges, [self._mixed(challenge, each, seed_at(seed, place)) for place, challenge in enumerate(challenges)])

    def _mixed(self, challenge: Challenge, n: int, seed: int) -> Tensor:
        one_NCHW, other_NCHW = (
            self.memory.some(name, n, seed_at(seed, place)) for place, name in enumerate((challenge.shape, challenge.lure))
        )
        return torch.lerp(one_NCHW, other_NCHW, challenge.distance / 2)

    def observe(self, judge: Judge, seed: int) -> Facts:
        """Learns nothing of it."""
        return {}

    def adopt(self, name: int, challenge: Challenge) -> None:
        """Remember what was mixed, under the id of a dreamed class."""
        self.inventory[name] = challenge

    def forget(self, names: Sequence[int]) -> None:
        """Remember it no longer."""
        for name in names:
            del self.inventory[name]

    def again(self, names: Sequence[int], each: int, seed: int) -> Tensor:
        """Mix so many images (P, each, C, H, W) of each dreamed class."""
        return torch.stack([self._mixed(self.inventory[name], each, seed_at(seed, name)) for name in names])

    def save(self, folder: Path) -> None:
        """Classes, and what was mixed."""
        save_json({"classes": self.classes, "inventory": told(self.inventory)}, folder / "dreamer.json")

    def load(self, folder: Path) -> None:
        """Copy what `save` wrote."""
        state = load_json(folder / "dreamer.json")
        self.classes, self.inventory = tuple(state["classes"]), untold(state["inventory"])

    def metrics(self) -> Facts:
        """Classes; it holds no byte of its own."""
        return {"classes": len(self.classes), "bytes": 0}


class PicturesDreamer(MixDreamer):
    """Gives each pair of classes that is ever asked for the next class of another data set, round and round."""

    settings: PicturesSettings

    def __init__(self, settings: PicturesSettings, space: Space) -> None:
        super().__init__(settings, space)
        self.pairs: list[str] = []
        """Pairs in the order in which they were first asked for."""
        self.others: Images | None = None

    def _mixed(self, challenge: Challenge, n: int, seed: int) -> Tensor:
        if self.others is None:
            (self.others,) = npz(NpzStream(type="npz", data=self.settings.data), ())
        pair = f"{challenge.shape}-{challenge.lure}"
        if pair not in self.pairs:
            self.pairs.append(pair)
        classes = list(self.others.classes.values())
        places_N = torch.from_numpy(self.others.train_labels_N == classes[self.pairs.index(pair) % len(classes)]).nonzero()[:, 0]
        chosen_N = places_N[torch.randint(len(places_N), (n,), generator=generator(seed), device="cpu")]
        return pictured(self.others, chosen_N, self.space)

    def save(self, folder: Path) -> None:
        """As the other, and the pairs."""
        super().save(folder)
        save_json(self.pairs, folder / "pairs.json")

    def load(self, folder: Path) -> None:
        """Copy what `save` wrote."""
        super().load(folder)
        self.pairs = load_json(folder / "pairs.json")


def pictured(others: Images, places_N: Tensor, space: Space) -> Tensor:
    """Training images (N, C, H, W) of another data set, in the shape of a stream's."""
    images_NHWC = torch.from_numpy(others.train_NHWC[places_N.numpy()]).to(space.device)
    return fitted(images_NHWC.permute(0, 3, 1, 2).float() / others.white, space.shape)
