"""Judging by votes of models that learned the same day from other seeds: their errors differ, where samples of one model share theirs.

Lee et al. (2025, arXiv 2502.01612) found the majority of independently trained models right where each alone was rarely. With a pretrained
learner these are differently seeded adapters on shared frozen weights; a model from scratch is trained whole.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from sleepwake.domains.language import judge_settings
from sleepwake.domains.language.families import Family
from sleepwake.domains.language.judges import Opinions, Rewards
from sleepwake.domains.language.learners import TextLearner
from sleepwake.domains.language.problems import Batch, Problem
from sleepwake.records import Facts, Task
from sleepwake.roles import Guard, Source
from sleepwake.seeds import seed as derive


class Votes(Opinions):
    """Peers of the learner that learn by day beside it, and do not move by night.

    Attributes:
        peers: learners like the one that they judge, each from a seed of its own.
    """

    def __init__(
        self, chosen: judge_settings.Votes, families: Mapping[str, Family], guard: Guard, fresh: Callable[[], TextLearner]
    ) -> None:
        super().__init__(families, chosen.threshold)
        self.peers = [fresh() for _ in range(chosen.peers)]
        for place, peer in enumerate(self.peers):
            peer.reseed(derive(peer.seed, "peer", place))

    def learn(self, task: Task, examples: Batch, replay: Source | None, seed: int) -> Facts:
        """Each peer learns the day as the learner does."""
        told = []
        for place, peer in enumerate(self.peers):
            peer.open(task, derive(seed, "open", place))
            told.append(peer.learn(task, examples, replay, derive(seed, "learn", place)))
        return {name: sum(facts[name] for facts in told) for name in ("steps", "samples", "tokens")}

    def rewards(self, attempts: Batch, seed: int) -> Rewards:
        """The share of peers that say the same; None where no peer says anything that is well formed."""
        problems = list(attempts.by_problem())
        said: dict[Problem, list[str]] = {problem: [] for problem in problems}
        for peer in self.peers:
            for problem, answer in zip(problems, peer.answer(problems), strict=True):
                family = self.families[problem.family]
                if family.answer_formed(answer):
                    said[problem].append(family.value(answer))
        rewards: Rewards = []
        for problem, attempt, _ in attempts.lines:
            value = self.families[problem.family].value(attempt or "")
            rewards.append(said[problem].count(value) / len(self.peers) if said[problem] else None)
        return rewards

    def save(self, folder: Path) -> None:
        """A folder for each peer."""
        for place, peer in enumerate(self.peers):
            (folder / f"peer{place}").mkdir()
            peer.save(folder / f"peer{place}")

    def load(self, folder: Path) -> None:
        """Copy each peer."""
        for place, peer in enumerate(self.peers):
            peer.load(folder / f"peer{place}")

    def metrics(self) -> Facts:
        """Bytes of all peers."""
        told = [peer.metrics() for peer in self.peers]
        return {"bytes": sum(facts["bytes"] for facts in told), "memory": {"adapters": sum(facts["memory"]["adapters"] for facts in told)}}
