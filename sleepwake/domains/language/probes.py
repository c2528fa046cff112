"""What the gate looks at: lines held back from the day's data, problems dreamed at dusk, or both.

Kept probes are the default here: a few lines of text are cheap, and right. Dreamed probes cover what was mastered by
night as well, but their labels come from the model that they are to test, so they see what a night forgets and not what
was wrong at dusk.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

from sleepwake.domains import tensors
from sleepwake.domains.language.families import Family
from sleepwake.domains.language.judges import agreements
from sleepwake.domains.language.learners import TextLearner
from sleepwake.domains.language.problems import Batch, Challenge, Line, Problem, from_json, size, stored, to_json
from sleepwake.records import Facts, Probe, Task
from sleepwake.roles import Mind
from sleepwake.seeds import seed as derive


class Kept:
    """Lines held back from each task's data, as many of every family and level."""

    def __init__(self, families: Mapping[str, Family], per_level: int) -> None:
        self.families, self.per_level = families, per_level
        self.lines: dict[str, tuple[Line, ...]] = {}

    def keep(self, task: Task, examples: Batch, seed: int) -> Batch:
        """Hold lines back; returns the others. At the lowest levels, which have few problems, equal lines stay among
        the others.
        """
        order = list(range(len(examples)))
        Random(seed).shuffle(order)
        counts: dict[tuple[str, int], int] = defaultdict(int)
        held: set[int] = set()
        for at in order:
            family, text = examples.lines[at].problem
            place = family, self.families[family].level(text)
            if counts[place] < self.per_level:
                counts[place] += 1
                held.add(at)
        self.lines[task.name] = examples.select([at in held for at in range(len(examples))]).lines
        return examples.select([at not in held for at in range(len(examples))])

    def draw(self, mind: Mind, seed: int) -> None:
        """Nothing to draw."""

    def score(self, learner: TextLearner, seed: int) -> tuple[Probe, ...]:
        """Share of the lines that the learner answers as they were, a probe for each family of a task: a mean over families would hide
        that one of them was lost.
        """
        probes = []
        for task, lines in self.lines.items():
            families = list(dict.fromkeys(line.problem.family for line in lines))
            for family in families:
                mine = [line for line in lines if line.problem.family == family]
                probes.append(Probe(task if len(families) == 1 else f"{task}: {family}", accuracy(learner, mine), len(mine)))
        return tuple(probes)

    def save(self, folder: Path) -> None:
        """The lines, tasks in order."""
        tensors.save_json([[name, to_json(lines)] for name, lines in self.lines.items()], folder / "probes.json")

    def load(self, folder: Path) -> None:
        """The lines."""
        self.lines = {name: from_json(rows) for name, rows in tensors.load_json(folder / "probes.json")}

    def metrics(self) -> Facts:
        """Characters stored, and lines."""
        return stored([line for lines in self.lines.values() for line in lines])


class Dreamed(Kept):
    """Problems dreamed at dusk, with the learner's answer where two independently seeded judges agree with it.

    Each judge asks dusk's learner for the parts' answers, sampled with a seed of its own, and wants every relation to
    hold.
    """

    def __init__(self, families: Mapping[str, Family], per_level: int) -> None:
        super().__init__(families, per_level)
        self.tasks: dict[str, tuple[str, ...]] = {}

    def keep(self, task: Task, examples: Batch, seed: int) -> Batch:
        """Hold nothing back; take note of the task's families."""
        self.tasks[task.name] = task.parts
        self.lines[task.name] = ()
        return examples

    def draw(self, mind: Mind, seed: int) -> None:
        """Dream problems of all levels below the challenger's, and label them."""
        learner = mind.learner
        for name, parts in self.tasks.items():
            challenges = [
                Challenge(family, level, self.per_level)
                for family in parts
                for level in range(2, int(mind.challenger.levels.get(family, mind.challenger.first)))
            ]
            lines = Batch(tuple(mind.dreamer.answered(challenges, learner, derive(seed, name))))
            judges = [agreements(self.families, lines, sampled(learner, derive(seed, name, judge))) for judge in range(2)]
            self.lines[name] = lines.select([a == b == 1.0 for a, b in zip(*judges, strict=True)]).lines

    def save(self, folder: Path) -> None:
        """The lines, and which families each task has."""
        super().save(folder)
        tensors.save_json(list(self.tasks.items()), folder / "tasks.json")

    def load(self, folder: Path) -> None:
        """The lines, and which families each task has."""
        super().load(folder)
        self.tasks = {name: tuple(parts) for name, parts in tensors.load_json(folder / "tasks.json")}

    def metrics(self) -> Facts:
        """Characters and lines; nothing of a day is stored."""
        lines = [line for lines in self.lines.values() for line in lines]
        return {"bytes": size(lines), "lines": len(lines)}


class Both:
    """Lines held back from the day's data, and beside them problems dreamed at dusk: what days taught and what nights won are guarded each
    by probes of its own.
    """

    def __init__(self, families: Mapping[str, Family], per_level: int) -> None:
        self.kept, self.dreamed = Kept(families, per_level), Dreamed(families, per_level)

    def keep(self, task: Task, examples: Batch, seed: int) -> Batch:
        """Hold lines back; returns the others."""
        return self.kept.keep(task, self.dreamed.keep(task, examples, seed), seed)

    def draw(self, mind: Mind, seed: int) -> None:
        """Dream problems of all levels below the challenger's, and label them."""
        self.dreamed.draw(mind, seed)

    def score(self, learner: TextLearner, seed: int) -> tuple[Probe, ...]:
        """The probes of both."""
        dreamed = (replace(probe, task=f"{probe.task}, dreamed") for probe in self.dreamed.score(learner, seed))
        return (*self.kept.score(learner, seed), *dreamed)

    def save(self, folder: Path) -> None:
        """A folder each."""
        for name, probes in (("kept", self.kept), ("dreamed", self.dreamed)):
            (folder / name).mkdir()
            probes.save(folder / name)

    def load(self, folder: Path) -> None:
        """A folder each."""
        self.kept.load(folder / "kept")
        self.dreamed.load(folder / "dreamed")

    def metrics(self) -> Facts:
        """What is stored of days, and lines dreamed."""
        return {**self.kept.metrics(), "dreamed": self.dreamed.metrics()["lines"]}


def sampled(learner: TextLearner, seed: int) -> Callable[[Sequence[Problem]], list[str]]:
    """A judge's voice: one answer to each problem, drawn at temperature 1."""
    return lambda problems: [answer for (answer,) in learner.attempt(problems, (1.0,), seed)]


def accuracy(learner: TextLearner, lines: Sequence[Line]) -> float:
    """Share of the lines whose answer the learner gives greedily."""
    return sum(learner.right(lines)) / len(lines)
