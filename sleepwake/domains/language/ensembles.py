"""A judge made of judges: what all of them say counts, and where they differ it abstains."""

from collections.abc import Callable, Mapping
from pathlib import Path

from sleepwake.domains import load_class
from sleepwake.domains.language import judge_settings, settings
from sleepwake.domains.language.families import Family
from sleepwake.domains.language.judges import Opinions, Rewards
from sleepwake.domains.language.learners import TextLearner
from sleepwake.domains.language.problems import Batch, Problem
from sleepwake.records import Facts, Task
from sleepwake.roles import Guard, Source
from sleepwake.seeds import seed as derive


class Ensemble(Opinions):
    """Judges with errors of their own kinds: an attempt earns something where all that can tell accept it.

    A judge that moves rewards in its own direction is held by the others (disagreement as doubt: Lakshminarayanan et al. 2017, arXiv
    1612.01474); the price is abstention.
    """

    def __init__(
        self, chosen: judge_settings.Ensemble, families: Mapping[str, Family], guard: Guard, fresh: Callable[[], TextLearner]
    ) -> None:
        super().__init__(families, 0.5)
        table = settings.CLASSES["judge"]
        self.members: list[Opinions] = [load_class(table[one.type])(one, families, guard, fresh) for one in chosen.of]

    def learn(self, task: Task, examples: Batch, replay: Source | None, seed: int) -> Facts:
        """Every member learns what it learns by day."""
        told = [member.learn(task, examples, replay, derive(seed, place)) for place, member in enumerate(self.members)]
        return {name: sum(facts.get(name, 0) for facts in told) for name in ("steps", "samples", "tokens")}

    def save(self, folder: Path) -> None:
        """A folder for each member."""
        for place, member in enumerate(self.members):
            (folder / f"{place}").mkdir()
            member.save(folder / f"{place}")

    def load(self, folder: Path) -> None:
        """Each member's state."""
        for place, member in enumerate(self.members):
            member.load(folder / f"{place}")

    def metrics(self) -> Facts:
        """Bytes of all members, and what each tells."""
        told = [member.metrics() for member in self.members]
        return {"bytes": sum(facts["bytes"] for facts in told), "members": told}

    def ask(self, learner: TextLearner) -> None:
        """Every member judges by this learner."""
        for member in self.members:
            member.ask(learner)

    def judgements(self, material: Batch) -> list[Problem]:
        """What any member has to ask."""
        return [problem for member in self.members for problem in member.judgements(material)]

    def freeze(self, commit: Path) -> None:
        """Every member takes its snapshot."""
        for member in self.members:
            member.freeze(commit)

    def can_tell(self, problem: Problem) -> bool:
        """Whether any member can."""
        return any(member.can_tell(problem) for member in self.members)

    def rewards(self, attempts: Batch, seed: int) -> Rewards:
        """1 where all members that can tell accept, 0 where all refuse, None where they differ or nobody can tell."""
        opinions = [
            [None if reward is None else reward >= member.threshold for reward in member.rewards(attempts, derive(seed, place))]
            for place, member in enumerate(self.members)
        ]
        told = [{opinion for opinion in row if opinion is not None} for row in zip(*opinions, strict=True)]
        return [float(said.pop()) if len(said) == 1 else None for said in told]
