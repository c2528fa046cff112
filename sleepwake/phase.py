"""What a phase works with: a fresh mind loaded from the last commit, the place in the run, and a way to note what happens."""

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from sleepwake import seeds
from sleepwake.journal import Note
from sleepwake.records import Progress
from sleepwake.roles import Domain, Mind


@dataclass
class Stopwatch:
    """Seconds spent in calls into roles; measured and reported, never decided upon."""

    total: float = 0.0
    last: float = 0.0

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Time one call into a role."""
        start = time.perf_counter()
        yield
        self.last = time.perf_counter() - start
        self.total += self.last


@dataclass
class Phase:
    """One phase under way.

    Attributes:
        name: wake, round, consolidate or morning.
        recipe: the checked recipe.
        domain: stream, methods, audits.
        progress: where the run stood after the last commit.
        commits: folder of a kept commit by its step.
        aside: where the next commit is prepared; pictures go into its `pictures` folder.
        note: writes a journal line.
        watch: times calls into roles.
    """

    name: str
    recipe: Any
    domain: Domain
    progress: Progress
    commits: dict[int, Path]
    aside: Path
    note: Note
    watch: Stopwatch = field(default_factory=Stopwatch)

    @cached_property
    def mind(self) -> Mind:
        """The mind of this phase: fresh, and then loaded from the last commit."""
        mind: Mind = self.call(self.domain.mind)
        return mind

    @property
    def step(self) -> int:
        """The number of the commit that this phase will make."""
        return self.progress.step + 1

    @property
    def commit(self) -> Path:
        """The last commit."""
        return self.commits[self.progress.step]

    def seed(self, stage: str, role: str) -> int:
        """The seed of one call in this phase."""
        return seeds.seed(self.recipe.seed, self.step, self.name, stage, role)

    def dusk(self) -> Mind:
        """The mind as it was when this night began; in a night's first round, the last commit."""
        mind = self.domain.mind()
        mind.load(self.commits[self.progress.dusk] if self.progress.asleep else self.commit)
        return mind

    def save(self, progress: Progress) -> None:
        """Write what crosses phases into the folder aside: the mind, the progress, and all pictures so far."""
        self.call(self.mind.save, self.aside)
        (self.aside / "progress.json").write_text(json.dumps(progress.plain(), indent=1) + "\n")
        pictures = sorted(self.commit.glob("pictures/*.png")) if self.progress.step else []
        for picture in pictures:
            (self.aside / "pictures").mkdir(exist_ok=True)
            os.link(picture, self.aside / "pictures" / picture.name)

    def call(self, role: Callable[..., Any], *args: Any) -> Any:
        """Call into a role on the stopwatch."""
        with self.watch():
            return role(*args)
