"""Where lines of earlier families come from by day: nowhere, from a copy of the learner as it was, or from stored
text.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random

from sleepwake.domains import tensors
from sleepwake.domains.language import settings
from sleepwake.domains.language.learners import TextLearner
from sleepwake.domains.language.problems import Batch, Line, Problem, from_json, stored, to_json
from sleepwake.errors import RecipeError
from sleepwake.records import Facts, Task
from sleepwake.roles import Mind, Source
from sleepwake.seeds import seed as derive

TRIES = 100
"""Times that a learner writes before it is given up."""


class NoMemory:
    """Nothing is replayed."""

    def __init__(self, chosen: settings.NoReplay, limit: int) -> None:
        pass

    def source(self, mind: Mind, task: Task, examples: Batch, seed: int) -> Source | None:
        """None."""
        return None

    def store(self, mind: Mind, task: Task, examples: Batch, seed: int) -> Facts:
        """Nothing is stored."""
        return {}

    def save(self, folder: Path) -> None:
        """No state."""

    def load(self, folder: Path) -> None:
        """No state."""

    def metrics(self) -> Facts:
        """No bytes."""
        return {"bytes": 0}


class Rewritten:
    """Lines that a frozen learner writes and answers (generative replay, arXiv 1705.08690, with one model as both
    generator and solver).
    """

    def __init__(self, learner: TextLearner, families: Sequence[str], limit: int) -> None:
        self.learner, self.families, self.limit = learner, families, limit

    def draw(self, n: int, seed: int) -> Batch:
        """N lines, the families in turn; malformed ones are left out and others written in their place."""
        known = self.learner.families
        by_family: list[list[Line]] = []
        for family in self.families:
            lines: list[Line] = []
            want, tries = -(-n // len(self.families)), 0
            while len(lines) < want:
                if tries == TRIES:
                    raise RecipeError(
                        f"wake.replay: the learner writes no well-formed problems of {family} any more", 'wake.replay = { type = "exact" }'
                    )
                written = self.learner.write(family, want, self.limit, derive(seed, family, tries))
                problems = [Problem(family, text) for text in written if known[family].well_formed(text)]
                answers = self.learner.answer(problems)
                lines += [Line(p, a) for p, a in zip(problems, answers, strict=True) if known[family].answer_formed(a)]
                tries += 1
            by_family.append(lines[:want])
        return Batch(tuple(line for turn in zip(*by_family, strict=True) for line in turn)[:n])


class GeneratedMemory(NoMemory):
    """Replay without stored text."""

    def __init__(self, chosen: settings.GeneratedReplay, limit: int) -> None:
        self.limit = limit

    def source(self, mind: Mind, task: Task, examples: Batch, seed: int) -> Source | None:
        """A copy of the learner before the day, writing the families before this task's."""
        earlier = [name for name in mind.learner.known if name not in task.parts]
        return Rewritten(mind.learner.copy(), earlier, self.limit) if earlier else None


class Stored:
    """Stored lines, the families in turn."""

    def __init__(self, by_family: Mapping[str, Sequence[Line]]) -> None:
        self.by_family = by_family

    def draw(self, n: int, seed: int) -> Batch:
        """N lines with replacement, as many of each family."""
        draws, pools = Random(seed), list(self.by_family.values())
        return Batch(tuple(draws.choice(pools[at % len(pools)]) for at in range(n)))


class ExactMemory(NoMemory):
    """Keeps lines of each day; with a budget, as many of each family."""

    def __init__(self, chosen: settings.ExactReplay, limit: int) -> None:
        self.budget = chosen.budget
        self.by_family: dict[str, tuple[Line, ...]] = {}

    def source(self, mind: Mind, task: Task, examples: Batch, seed: int) -> Source | None:
        """The stored lines."""
        return Stored(dict(self.by_family)) if self.by_family else None

    def store(self, mind: Mind, task: Task, examples: Batch, seed: int) -> Facts:
        """Keep lines of the day in random order, and fewer of each earlier family."""
        for family in task.parts:
            lines = [line for line in examples.lines if line.problem.family == family]
            Random(derive(seed, family)).shuffle(lines)
            self.by_family[family] = tuple(lines)
        if self.budget is not None:
            share = self.budget // len(self.by_family)
            self.by_family = {name: lines[:share] for name, lines in self.by_family.items()}
        return {"stored": sum(map(len, self.by_family.values()))}

    def lines(self) -> list[Line]:
        """All of them, family by family."""
        return [line for lines in self.by_family.values() for line in lines]

    def save(self, folder: Path) -> None:
        """The lines."""
        tensors.save_json([[name, to_json(lines)] for name, lines in self.by_family.items()], folder / "lines.json")

    def load(self, folder: Path) -> None:
        """The lines."""
        self.by_family = {name: from_json(rows) for name, rows in tensors.load_json(folder / "lines.json")}

    def metrics(self) -> Facts:
        """Characters stored, and lines."""
        return stored(self.lines())
