"""The language domain: the stream of families, fresh minds, and audits."""

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from sleepwake.domains import chosen_class, load_class, tensors
from sleepwake.domains.language import monitors, settings
from sleepwake.domains.language.dreamers import problem_weight
from sleepwake.domains.language.families import Family, check_prefixes, families
from sleepwake.domains.language.pairs import IN_WORDS, InWords
from sleepwake.domains.language.pretrained import located
from sleepwake.domains.language.probes import accuracy
from sleepwake.domains.language.problems import Batch, Line, Problem
from sleepwake.domains.language.reach import reach
from sleepwake.domains.language.text_settings import Pretrained
from sleepwake.domains.language.tokenizer import ALPHABET
from sleepwake.errors import RecipeError, RunFolderError
from sleepwake.records import Facts, Task, Verdicts
from sleepwake.roles import Consolidation, Guard, Judge, Mind, Rehearsal
from sleepwake.seeds import seed as derive

FRONTIER = 0.9
"""Accuracy that counts as mastery of a level."""
SHOWN = 3
"""Dreamed problems a family in the journal."""


def made(kind: str, chosen: Any, *arguments: Any) -> Any:
    """The object of a settings class, by the domain's table."""
    return load_class(settings.CLASSES[kind][chosen.type])(chosen, *arguments)


def longest(stream: settings.Stream) -> int:
    """Most characters of a problem, where the recipe doesn't say: enough for the day's levels, and for a table or a question."""
    of_sets = max((chosen.longest for chosen in stream.sets.values()), default=0)
    return max(of_sets, 4 * stream.levels + (32 if any("lookup" in task for task in stream.tasks) else 8))


class Language:
    """Families of problems, learned day by day at low levels and practised by night at higher ones."""

    metric = "accuracy"
    labels = "free text"

    def __init__(self, recipe: Any, device: str, places: tuple[Path, ...] = ()) -> None:
        self.recipe, self.stream = recipe, recipe.stream
        self.guard = Guard()
        self.device = tensors.set_up(device, recipe.threads, recipe.matmul_precision)
        self.places = places
        names = tuple(name for task in self.stream.tasks for name in task)
        self.learner = located(recipe.learner, places)
        words: dict[str, Family] = {IN_WORDS: InWords()} if isinstance(recipe.learner, Pretrained) else {}
        self.families = {**families(self.guard, names, places, self.stream.sets), **words}
        if not isinstance(recipe.learner, Pretrained):
            check_prefixes(self.families, ALPHABET)
        self.judge = chosen_class(settings.CLASSES["judge"], recipe.judge, places, ("settings", "families", "guard", "fresh"), Judge)
        self.longest = recipe.dreamer.longest or longest(self.stream)
        self.tasks: Sequence[Task] = tuple(Task(i, "+".join(parts), tuple(parts)) for i, parts in enumerate(self.stream.tasks))
        self.tests: Sequence[str] = tuple(task.name for task in self.tasks)
        self.test_sizes: Sequence[int] = tuple(len(t.parts) * self.stream.levels * self.stream.tests for t in self.tasks)
        levels, weight = self.stream.levels, problem_weight(recipe.wake.problem_weight, recipe.dreamer, self.families, self.stream.levels)
        self.rehearsal: Rehearsal = made("rehearse", recipe.sleep.rehearse, levels, weight)
        self.consolidation: Consolidation = made("consolidate", recipe.sleep.consolidate, levels, weight)
        self._check_sets(name for name in names if name in self.stream.sets)

    def mind(self) -> Mind:
        """A fresh mind, the same at every call."""
        recipe, levels = self.recipe, self.stream.levels
        seed = derive(recipe.seed, "learner")
        fresh = partial(made, "learner", self.learner, recipe.wake, self.families, seed, self.device)
        probes = load_class(settings.CLASSES["probes"][recipe.morning.probes])
        return Mind(
            learner=fresh(),
            dreamer=made("dreamer", recipe.dreamer, self.families, self.longest),
            challenger=made("challenger", recipe.challenger, self.families, levels + 1),
            judge=self.judge(recipe.judge, self.families, self.guard, fresh),
            memory=made("memory", recipe.wake.replay, self.longest),
            probes=probes(self.families, self.stream.kept),
        )

    def _lines(self, family: str, level: int, n: int, seed: int) -> list[Line]:
        draws, known = Random(seed), self.families[family]
        texts = [known.sample(level, draws) for _ in range(n)]
        return [Line(Problem(family, text), known.solve(text)) for text in texts]

    def examples(self, task: Task) -> Batch:
        """The day's lines: the task's families, levels 1 to n, as many of each."""
        self.guard.check("a task's examples")
        each = self.stream.examples // self.stream.levels
        return Batch(
            tuple(
                line
                for family in task.parts
                for level in range(1, self.stream.levels + 1)
                for line in self._of_the_day(family, level, each)
            )
        )

    def _check_sets(self, names: Iterable[str]) -> None:
        """Refuse a set that the gate's probes would hold back as a whole."""
        for name in names:
            if (n := len(self._of_the_day(name, 1, self.stream.examples))) <= self.stream.kept:
                raise RecipeError(
                    f"stream.kept: {self.stream.kept} of the {n} questions of {name} are held back for the gate, and no other is left",
                    f"stream.kept = {max(4, n // 4)}, or a set with more questions",
                )

    def _of_the_day(self, family: str, level: int, n: int) -> list[Line]:
        """Lines of a level; of a set each question once, so that what probes hold back is nowhere else."""
        lines = self._lines(family, level, n, derive(self.recipe.seed, "examples", family, level))
        return list({line.problem: line for line in lines}.values()) if family in self.stream.sets else lines

    def _score(self, mind: Mind, task: Task) -> float:
        places = [(family, level) for family in task.parts for level in range(1, self.stream.levels + 1)]
        with self.guard.audit():
            lines = [
                line
                for family, level in places
                for line in self._lines(family, level, self.stream.tests, derive(self.recipe.seed, "tests", family, level))
            ]
        return accuracy(mind.learner, lines)

    def evaluate(self, mind: Mind, seen: int, scope: str) -> list[float | None]:
        """Mean accuracy over the day's levels, task by task."""
        return [self._score(mind, task) if task.index < seen or scope == "all" else None for task in self.tasks]

    def ahead(self, mind: Mind, task: Task) -> dict[str, float | None]:
        """Accuracy on a task that was opened but not learned (`gem`); the others have no meaning without output rows
        for classes.
        """
        return {"gem": self._score(mind, task), "masked": None, "remap": None, "probe": None, "speed": None}

    def _right(self, line: Line) -> bool | None:
        family, (_, text) = self.families[line.problem.family], line.problem
        return family.well_formed(text) and (line.answer is None or family.verify(text, line.answer))

    def audit(self, mind: Mind, material: Batch, verdicts: Verdicts) -> Facts:
        """Of the accepted attempts, the share that is right; of the problems with a right attempt, the share with it
        accepted. What nobody knows the answer to is left out.
        """
        with self.guard.audit():
            truth = [self._right(line) for line in material.lines]
        seen, abstained = monitors.of_round(material, self.families), verdicts.counts()["abstained"]
        told = [known is not None for known in truth]
        unknown = len(truth) - sum(told)
        right = [bool(known) for known in truth if known is not None]
        material, verdicts = material.select(told), verdicts.select(told)
        accepted = verdicts.accepted
        hits = sum(a and r for a, r in zip(accepted, right, strict=True))
        by_family = {}
        for name in mind.learner.known:
            mine = [at for at, line in enumerate(material.lines) if line.problem.family == name]
            by_family[name] = monitors.ratio(sum(accepted[at] and right[at] for at in mine), sum(accepted[at] for at in mine))
        return {
            "judge": self.recipe.judge.type,
            "judged": len(material),
            **({"unknown": unknown} if unknown else {}),
            "accepted": sum(accepted),
            "right": hits,
            "precision": monitors.ratio(hits, sum(accepted)),
            "recall": monitors.ratio(hits, len({line.problem for line, good in zip(material.lines, right, strict=True) if good})),
            "abstained": abstained,
            "precision_by_family": by_family,
            "goodhart": monitors.goodhart(material, verdicts, right),
            **monitors.of_judge(mind.judge.metrics()),
            "monitors": seen,
        }

    def frontier(self, mind: Mind) -> Facts:
        """The highest level of each opened family up to which, counted from 1, audited accuracy is at least 0.9."""
        found: dict[str, int] = {}
        searched = list(mind.learner.known)
        for level in range(1, self.stream.frontier_cap + 1):
            for family in list(searched):
                seed = derive(self.recipe.seed, "frontier", family, level)
                with self.guard.audit():
                    lines = self._lines(family, level, self.stream.frontier_tests, seed)
                there = self.families[family].level(lines[0].problem.text) == level
                if not there or accuracy(mind.learner, lines) < FRONTIER:
                    searched.remove(family)
                else:
                    found[family] = level
        return {family: found.get(family, 0) for family in mind.learner.known}

    def fidelity(self, mind: Mind, n: int) -> Facts:
        """Nothing: dreamed problems are audited each night."""
        return {}

    def picture(self, folder: Path, step: int, mind: Mind, material: Batch, verdicts: Verdicts) -> list[dict[str, str]]:
        """No pictures: dreams are text, see `describe`."""
        return []

    def monitors(self, mind: Mind, seed: int) -> dict[str, float]:
        """Of a few problems that the mind writes now, how they differ; of an answer to each, the share of every format."""
        return monitors.of_mind(mind, self.longest, seed)

    def reach(self, dusks: Sequence[Mind], now: Mind, problems: int, samples: int, to: int | None) -> Facts:
        """The boundary of every family on levels that no day taught; see `reach.reach`."""
        seed = derive(self.recipe.seed, "boundary")
        if to is not None and to <= self.stream.levels:
            raise RunFolderError(f"--to {to}: days taught levels 1 to {self.stream.levels}", f"write --to {self.stream.levels + 1} or more")
        return reach(dusks, now, self.families, self.stream.levels + 1, to, problems, samples, self.guard, seed)

    def _shown(self, problem: Problem) -> str:
        return problem.text if problem.family in (*self.stream.sets, IN_WORDS) else f"{self.families[problem.family].prefix}{problem.text}="

    def describe(self, material: Batch, verdicts: Verdicts) -> list[dict[str, Any]]:
        """A few problems of each family, with every distinct attempt."""
        shown: dict[str, int] = {}
        lines: list[dict[str, Any]] = []
        for problem, positions in material.by_problem().items():
            shown[problem.family] = shown.get(problem.family, 0) + 1
            if shown[problem.family] <= SHOWN:
                lines += [
                    {
                        "problem": self._shown(problem),
                        "answer": material.lines[at].answer,
                        "votes": material.lines[at].votes,
                        "reward": verdicts.rewards[at],
                        "accepted": verdicts.accepted[at],
                        "reason": verdicts.reasons[at],
                    }
                    for at in positions
                ]
        return lines


def build(recipe: Any, device: str, places: tuple[Path, ...]) -> Language:
    """The domain of a recipe; needs no data."""
    return Language(recipe, device, places)
