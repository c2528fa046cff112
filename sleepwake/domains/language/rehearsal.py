"""Supervised rehearsal: train on what the judge accepted, mixed with practice and with easy lines of every family so
far.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from random import Random

from sleepwake.domains.language import importance, rehearsal_settings
from sleepwake.domains.language.improvement import improving
from sleepwake.domains.language.problems import Batch, Challenge, Line, ProblemWeight
from sleepwake.records import Facts, Verdicts
from sleepwake.roles import Mind
from sleepwake.seeds import seed as derive

EASY = 48
"""Easy problems a family and level that the learner labels for itself each round."""


def easy_lines(mind: Mind, levels: int, seed: int) -> list[Line]:
    """The mind's own problems at the day's levels with its own greedy answers: what it knows best, kept in mind.

    Args:
        mind: its dreamer writes, its learner answers.
        levels: the day's highest level.
        seed: of the problems.
    """
    challenges = [Challenge(family, level, EASY) for family in mind.learner.known for level in range(1, levels + 1)]
    found: list[Line] = mind.dreamer.answered(challenges, mind.learner, seed)
    return found


def chances(lines: Sequence[Line], balance: float) -> list[float]:
    """A weight for each line: its family's number of lines to the power of -balance, so 0 favours no line and 1 no family."""
    counts = Counter(line.problem.family for line in lines)
    return [counts[line.problem.family] ** -balance for line in lines]


class Supervised:
    """Cross-entropy on accepted answers (as STaR, arXiv 2203.14465, and ReST-EM, arXiv 2312.06585, with a judge in
    place of the truth).
    """

    def __init__(self, chosen: rehearsal_settings.Supervised, levels: int, problem_weight: ProblemWeight) -> None:
        self.settings, self.levels, self.problem_weight = chosen, levels, problem_weight

    def rehearse(
        self, mind: Mind, dusk: Callable[[], Mind], material: Batch, verdicts: Verdicts | None, rate: float, seed: int
    ) -> tuple[Batch, Verdicts, Facts]:
        """Train; the material and its verdicts come back as they were."""
        assert verdicts is not None
        chosen = self.settings
        accepted = material.select(verdicts.accepted).lines
        if len(accepted) < chosen.least:  # what rounds before had too few of waits in practice
            waiting = mind.challenger.practice.above(mind.challenger.level())
            accepted = tuple({line.problem: line for line in (*waiting, *accepted)}.values())
        if len(accepted) < chosen.least:
            return material, verdicts, {"skipped": f"{len(accepted)} accepted, fewer than {chosen.least}"}
        if chosen.keep < 1:
            accepted = tuple(importance.chosen(mind.learner, accepted, chosen.keep, chosen.chance, derive(seed, "keep")))
        easy, practice = easy_lines(mind, self.levels, derive(seed, "easy")), mind.challenger.practice.all()
        familiar = easy or list(accepted)
        tried: Facts = {}
        if chosen.tried.groups:
            kept, tried = improving(mind.learner, accepted, familiar, chosen.tried, chosen.rate * rate, derive(seed, "tried"))
            accepted = tuple(kept)
            if not accepted:
                return material, verdicts, {"skipped": "training on no group of dreams improved anything", **tried}
        fresh_n, easy_n = round(chosen.batch * chosen.fresh), round(chosen.batch * chosen.easy)

        pools = ((accepted, fresh_n), (familiar, easy_n), (practice or familiar, chosen.batch - fresh_n - easy_n))
        weighed = [(lines, chances(lines, chosen.balance), n) for lines, n in pools]

        def draw(step: int) -> Sequence[Line]:
            draws = Random(derive(seed, "batch", step))
            return [line for lines, weights, n in weighed for line in draws.choices(lines, weights, k=n)]

        facts = mind.learner.practise(draw, chosen.steps, chosen.rate * rate, max(1, chosen.steps // 6), self.problem_weight)
        used = {unit: facts[unit] + tried.get(unit, 0) for unit in ("samples", "tokens")}
        return material, verdicts, {**facts, **tried, **used, "accepted": len(accepted), "easy": len(easy), "practice": len(practice)}
