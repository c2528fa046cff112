"""Judging by rubrics: questions about an answer, to all of which a frozen snapshot must say Yes (Ctx2Skill, arXiv 2604.27660)."""

from collections.abc import Callable, Mapping

from sleepwake.domains.language import judge_settings
from sleepwake.domains.language.asking import yes
from sleepwake.domains.language.families import Family
from sleepwake.domains.language.judges import Asked, Rewards
from sleepwake.domains.language.learners import TextLearner
from sleepwake.domains.language.problems import Batch
from sleepwake.roles import Guard

ASK = "{rubric} Say Yes or No.\n\nProblem: {problem}\nAnswer: {answer}"


class Rubrics(Asked):
    """The least sure Yes counts: an answer is as good as its worst rubric."""

    def __init__(
        self, chosen: judge_settings.Rubrics, families: Mapping[str, Family], guard: Guard, fresh: Callable[[], TextLearner]
    ) -> None:
        super().__init__(families, chosen.threshold, fresh)
        self.rubrics = chosen.rubrics

    def rewards(self, attempts: Batch, seed: int) -> Rewards:
        """The least probability of Yes over the rubrics."""
        texts = [
            ASK.format(rubric=rubric, problem=line.problem.text, answer=line.answer) for line in attempts.lines for rubric in self.rubrics
        ]
        sure, n = yes(self.asked(), texts), len(self.rubrics)
        return [min(sure[at * n : (at + 1) * n]) for at in range(len(attempts))]
