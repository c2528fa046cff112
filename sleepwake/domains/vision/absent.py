"""Roles that a recipe leaves out: a dreamer, a challenger or probes of type "none". They do nothing and keep nothing."""

from pathlib import Path
from typing import Any

from sleepwake.domains.vision.images import Batch
from sleepwake.records import Facts, Probe, Task
from sleepwake.roles import Mind


class Absent:
    """What all absent roles have in common."""

    def __init__(self, *_: Any) -> None: ...

    def save(self, folder: Path) -> None:
        """Nothing to save."""

    def load(self, folder: Path) -> None:
        """Nothing to load."""

    def metrics(self) -> Facts:
        """No bytes."""
        return {"bytes": 0}


class NoDreamer(Absent):
    """Learns to draw nothing."""

    classes: tuple[int, ...] = ()

    def fit(self, task: Task, examples: Batch, replay: Any, learner: Any, seed: int) -> Facts:
        """Learns nothing."""
        return {}


class NoChallenger(Absent):
    """Sets no practice."""

    def level(self) -> dict[str, float]:
        """No difficulty."""
        return {}


class NoProbes(Absent):
    """The gate has nothing to look at; only for recipes without nights."""

    def keep(self, task: Task, examples: Batch, seed: int) -> Batch:
        """Holds nothing back."""
        return examples

    def draw(self, mind: Mind, seed: int) -> None:
        """Draws nothing."""

    def score(self, learner: Any, seed: int) -> tuple[Probe, ...]:
        """No probes."""
        return ()
