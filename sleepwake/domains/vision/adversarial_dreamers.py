"""The dreamer of Shin et al. 2017: one generative adversarial network for all classes, trained on its own replay."""

from pathlib import Path
from typing import Any

from torch import Tensor

from sleepwake.domains.tensors import load_json, load_module, module_bytes, save_json, save_module
from sleepwake.domains.vision.adversarial import Generator, Mixed, Wgan, fit
from sleepwake.domains.vision.dreamer_settings import WganDreamer as WganSettings
from sleepwake.domains.vision.dreamers import Dreamer
from sleepwake.domains.vision.images import Batch, Space
from sleepwake.domains.vision.training import day_share
from sleepwake.records import Facts, Task


class WganDreamer(Dreamer):
    """A WGAN-GP that learns each day's images mixed with its own draws; a classifier names what it draws."""

    settings: WganSettings

    def __init__(self, settings: WganSettings, space: Space) -> None:
        self.settings, self.space = settings, space
        self.learned: list[int] = []
        self.wgan: Wgan | None = None
        """Learns again; its critic is kept, and goes on where `restart` is false."""
        self.generator: Generator | None = None

    @property
    def classes(self) -> tuple[int, ...]:
        """Ids of the classes that were learned."""
        return tuple(self.learned)

    def fit(self, task: Task, examples: Batch, replay: Any, learner: Any, seed: int) -> Facts:
        """Learn a task's images. `replay` is the learner's; a dreamer draws its own."""
        images = Mixed(examples)
        if self.generator is not None:
            images = Mixed(examples, self.generator.copy(), day_share(self.settings.ratio, task))
        if self.wgan is None or self.settings.restart:
            self.wgan = Wgan(self.settings, self.space, seed)
        facts = fit(self.wgan, images, seed)
        self.generator, self.learned = self.wgan.generator, list(dict.fromkeys([*self.learned, *self.space.ids(task.parts)]))
        return facts

    def copy(self) -> "WganDreamer":
        """An equal dreamer for drawing; it shares nothing with this one and can't learn."""
        assert self.generator is not None, "nothing was learned yet"
        twin = WganDreamer(self.settings, self.space)
        twin.generator, twin.learned = self.generator.copy(), list(self.learned)
        return twin

    def of_any(self, n: int, seed: int) -> Tensor:
        """Draw n images of whatever class (n, D)."""
        assert self.generator is not None, "nothing was learned yet"
        return self.generator.draw(n, seed).flatten(start_dim=1)

    def save(self, folder: Path) -> None:
        """Generator, critic, and the classes that were learned."""
        save_json({"classes": self.learned}, folder / "dreamer.json")
        if self.wgan is not None:
            save_module(self.wgan, folder / "generator.safetensors")

    def load(self, folder: Path) -> None:
        """Copy what `save` wrote."""
        self.learned = load_json(folder / "dreamer.json")["classes"]
        self.wgan = self.generator = None
        if self.learned:
            self.wgan = Wgan(self.settings, self.space, seed=0)
            load_module(self.wgan, folder / "generator.safetensors")
            self.generator = self.wgan.generator

    def metrics(self) -> Facts:
        """Classes and bytes."""
        size = 0 if self.wgan is None else module_bytes(self.wgan)
        return {"classes": len(self.learned), "bytes": size, "memory": {"generator": size, "adapters": 0}}
