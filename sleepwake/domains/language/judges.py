"""Judges: which attempt at a problem is right, without ground truth.

A judge gives each attempt a reward; of a problem's attempts the best one alone can be accepted (by reward, then by
votes), so that no problem is rehearsed with two answers. Empty and malformed attempts earn 0. Problems without attempts
are judged for validity: well formed, and not a repetition within the batch.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random as Draws
from typing import Any

from sleepwake.domains.language import judge_settings
from sleepwake.domains.language.families import Family
from sleepwake.domains.language.learners import TextLearner
from sleepwake.domains.language.problems import Batch, Problem, voted
from sleepwake.records import Facts, Task, Verdicts
from sleepwake.roles import Guard, Source

Rewards = list[float | None]
"""In [0, 1] a line; None where the judge can't tell."""


class Opinions:
    """What all judges share: malformed attempts, validity of problems, and one accepted attempt a problem."""

    def __init__(self, families: Mapping[str, Family], threshold: float) -> None:
        self.families, self.threshold = families, threshold

    def learn(self, task: Task, examples: Batch, replay: Source | None, seed: int) -> Facts:
        """Nothing by day: the judge is a snapshot of the learner, or none."""
        return {}

    def freeze(self, commit: Path) -> None:
        """No snapshot, unless a judge asks one."""

    def ask(self, learner: TextLearner) -> None:
        """Nobody is asked, unless a judge has a snapshot."""

    def can_tell(self, problem: Problem) -> bool:
        """Whether this problem's attempts can be judged at all."""
        return True

    def rewards(self, attempts: Batch, seed: int) -> Rewards:
        """A reward for each well-formed attempt."""
        raise NotImplementedError

    def judgements(self, material: Batch) -> list[Problem]:
        """What a trainer may ask the learner so that it judges better; nothing, unless judging is a skill of its own."""
        return []

    def scores(self, material: Batch, seed: int) -> Rewards:
        """A reward for each attempt, 0 for malformed ones; what a trainer of reinforcement learning is given."""
        formed = [self._formed(line.problem, line.answer) for line in material.lines]
        given = iter(self.rewards(material.select(formed), seed))
        return [next(given) if good else 0.0 for good in formed]

    def verdicts(self, material: Batch, seed: int) -> Verdicts:
        """The best attempt of each problem with its reward, the others with 0; validity where nothing was attempted."""
        if all(line.answer is None for line in material.lines):
            return self._validity(material)
        rewards = self.scores(material, seed)
        reasons = [""] * len(material)
        for positions in material.by_problem().values():
            best = max(positions, key=lambda at: (rewards[at] or 0.0, material.lines[at].votes))
            for at in positions:
                reward = rewards[at]
                if reward is None:
                    reasons[at] = "the judge has no sound answers to the parts"
                elif not self._formed(material.lines[at].problem, material.lines[at].answer):
                    reasons[at] = "malformed"
                elif at != best:
                    rewards[at], reasons[at] = 0.0, "another attempt was better"
                elif reward < self.threshold:
                    reasons[at] = "too little agreement" if reward else "no agreement"
        return Verdicts(tuple(rewards), tuple(reasons), self.threshold)

    def _formed(self, problem: Problem, answer: str | None) -> bool:
        family = self.families[problem.family]
        return answer is not None and family.well_formed(problem.text) and family.answer_formed(answer)

    def _validity(self, material: Batch) -> Verdicts:
        first = {positions[0] for positions in material.by_problem().values()}
        reasons = tuple(
            "malformed problem"
            if not self.families[line.problem.family].well_formed(line.problem.text)
            else ("" if at in first else "a repetition")
            for at, line in enumerate(material.lines)
        )
        return Verdicts(tuple(float(not reason) for reason in reasons), reasons, self.threshold)

    def save(self, folder: Path) -> None:
        """No state: a snapshot is taken anew from the commit of each round."""

    def load(self, folder: Path) -> None:
        """No state."""

    def metrics(self) -> Facts:
        """No bytes of its own."""
        return {"bytes": 0}


def agreements(families: Mapping[str, Family], attempts: Batch, answer: Callable[[Sequence[Problem]], Sequence[str]]) -> Rewards:
    """Share of the relations that hold, for each attempt.

    Args:
        families: whose relations.
        attempts: well-formed attempts.
        answer: the judge's answers to problems; asked once with all parts of all problems.

    Returns:
        A share each; a relation whose parts the judge answers with malformed text doesn't hold. None where that is so
        for half of the relations, or where none applies.
    """
    parts = {
        problem: [
            [Problem(problem.family, part) for part in relation.parts(problem.text)] for relation in families[problem.family].relations
        ]
        for problem in attempts.by_problem()
    }
    asked = list(dict.fromkeys(part for lists in parts.values() for pieces in lists for part in pieces))
    answers = dict(zip(asked, answer(asked), strict=True))
    rewards: Rewards = []
    for problem, attempt, _ in attempts.lines:
        assert attempt is not None
        family = families[problem.family]
        agreed, mute, applied = 0.0, 0, 0
        for relation, pieces in zip(family.relations, parts[problem], strict=True):
            given = [answers[piece] for piece in pieces]
            applied += bool(pieces)
            if not all(map(family.answer_formed, given)):
                mute += 1
            elif pieces:
                agreed += relation.agreement(problem.text, family.value(attempt), [family.value(said) for said in given])
        rewards.append(None if not applied or 2 * mute >= applied else agreed / applied)
    return rewards


class Asked(Opinions):
    """Judges by what a snapshot of the learner says."""

    def __init__(self, families: Mapping[str, Family], threshold: float, fresh: Callable[[], TextLearner]) -> None:
        super().__init__(families, threshold)
        self.fresh = fresh
        self.snapshot: TextLearner | None = None

    def freeze(self, commit: Path) -> None:
        """Load the learner of the last commit. It doesn't move within a round: judges that did learned to agree with
        nonsense.
        """
        self.snapshot = self.fresh()
        self.snapshot.load(commit / "learner")

    def ask(self, learner: TextLearner) -> None:
        """Judge by this learner from now on."""
        self.snapshot = learner

    def asked(self) -> TextLearner:
        """The snapshot."""
        assert self.snapshot is not None, "freeze comes before verdicts"
        return self.snapshot


class Metamorphic(Asked):
    """An attempt must agree with a frozen snapshot's own answers to easier parts of the problem (see `relations`).

    A trainer that samples asks about the same problems again and again, so answers are kept as long as the snapshot is.
    """

    def __init__(
        self, chosen: judge_settings.Metamorphic, families: Mapping[str, Family], guard: Guard, fresh: Callable[[], TextLearner]
    ) -> None:
        super().__init__(families, chosen.threshold, fresh)
        self.answered: tuple[TextLearner | None, dict[Problem, str]] = (None, {})

    def can_tell(self, problem: Problem) -> bool:
        """Whether it has easier parts."""
        return any(relation.parts(problem.text) for relation in self.families[problem.family].relations)

    def rewards(self, attempts: Batch, seed: int) -> Rewards:
        """Share of the problem's relations that hold."""
        return agreements(self.families, attempts, self._answer)

    def _answer(self, problems: Sequence[Problem]) -> list[str]:
        """The snapshot's answers; each problem is asked once."""
        snapshot = self.asked()
        if self.answered[0] is not snapshot:
            self.answered = (snapshot, {})
        answers = self.answered[1]
        new = [problem for problem in problems if problem not in answers]
        answers.update(zip(new, snapshot.answer(new), strict=True))
        return [answers[problem] for problem in problems]


class Majority(Opinions):
    """The learner's most frequent attempt is right (TTRL, arXiv 2504.16084). A negative control: it rewards confident
    errors.
    """

    def __init__(self, chosen: judge_settings.Majority, families: Mapping[str, Family], guard: Guard, fresh: Any) -> None:
        super().__init__(families, chosen.threshold)

    def rewards(self, attempts: Batch, seed: int) -> Rewards:
        """The share of votes, 0 for all but the most frequent; attempts that say the same are counted together."""
        rewards: Rewards = [0.0] * len(attempts)
        for problem, positions in attempts.by_problem().items():
            value, lines = self.families[problem.family].value, [attempts.lines[at] for at in positions]
            votes = voted(lines, value)
            ((most, count),) = votes.most_common(1)
            for at, line in zip(positions, lines, strict=True):
                rewards[at] = count / votes.total() if value(line.answer or "") == most else 0.0
        return rewards


class Random(Opinions):
    """Rewards by chance. A negative control: whatever it brings is not the judge's doing."""

    def __init__(self, chosen: judge_settings.Random, families: Mapping[str, Family], guard: Guard, fresh: Any) -> None:
        super().__init__(families, chosen.threshold)

    def rewards(self, attempts: Batch, seed: int) -> Rewards:
        """A uniform number each."""
        draws = Draws(seed)
        return [draws.random() for _ in attempts.lines]


class Oracle(Opinions):
    """Ground truth. A control, the only judge that reads it, and therefore inside an audit: its runs are no evidence
    for a loop.
    """

    def __init__(self, chosen: judge_settings.Oracle, families: Mapping[str, Family], guard: Guard, fresh: Any) -> None:
        super().__init__(families, 0.5)
        self.guard = guard

    def rewards(self, attempts: Batch, seed: int) -> Rewards:
        """1 for a right answer; None where nobody knows it."""
        with self.guard.audit():
            truth = [self.families[p.family].verify(p.text, answer or "") for p, answer, _ in attempts.lines]
        return [None if right is None else float(right) for right in truth]
