"""What a day put before the prompt is taken into the weights: the learner with its context teaches itself without it.

Context distillation (Askell et al. 2021, arXiv 2112.00861; Snell et al. 2022, arXiv 2209.15189), here on questions that the learner
dreams with its context at hand. Families that it knows without a context are rehearsed beside, on its own word of dusk.
"""

from collections.abc import Sequence
from random import Random

from sleepwake.domains.language import consolidation_settings
from sleepwake.domains.language.distillation import word
from sleepwake.domains.language.learners import TextLearner
from sleepwake.domains.language.problems import Challenge, Line, ProblemWeight
from sleepwake.records import Facts
from sleepwake.roles import Mind
from sleepwake.seeds import seed as derive


class Absorb:
    """Folds all contexts of a day into the weights, and takes them away."""

    def __init__(self, chosen: consolidation_settings.Absorb, levels: int, problem_weight: ProblemWeight) -> None:
        self.settings, self.levels, self.problem_weight = chosen, levels, problem_weight

    def consolidate(self, mind: Mind, dusk: Mind, seed: int) -> Facts:
        """Teach; reports the first and last loss, and how many lines were taught with and without a context."""
        chosen, learner = self.settings, mind.learner
        fresh = [family for family in learner.known if family in learner.contexts]
        if not fresh:
            return {"skipped": "no day stands in the context"}
        teacher = learner.copy()
        new, old = (
            self._lines(mind, teacher, names, derive(seed, kind))
            for kind, names in (("new", fresh), ("old", [name for name in learner.known if name not in fresh]))
        )
        if not new:
            return {"skipped": "nothing was written"}
        learner.contexts = {}
        learner.train_only(fast=False)
        turns = [lines for lines in (new, old) if lines]

        def draw(step: int) -> Sequence[Line]:
            draws = Random(derive(seed, "batch", step))
            return [line for lines in turns for line in draws.choices(lines, k=chosen.batch // len(turns))]

        facts = learner.practise(
            draw, chosen.steps, chosen.rate, max(1, chosen.steps // 6), self.problem_weight, word(learner, teacher, chosen.hard)
        )
        learner.train_only(fast=True)
        return {**facts, "new": len(new), "old": len(old), "absorbed": fresh}

    def _lines(self, mind: Mind, teacher: TextLearner, families: Sequence[str], seed: int) -> list[Line]:
        """The teacher's own problems at the day's levels, with its own answers."""
        challenges = [Challenge(family, level, self.settings.each) for family in families for level in range(1, self.levels + 1)]
        found: list[Line] = mind.dreamer.answered(challenges, teacher, seed)
        return found
