"""Challengers that draw levels by what their last rounds paid, in place of one step at a time."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random

from sleepwake.domains import tensors
from sleepwake.domains.language import night_settings
from sleepwake.domains.language.challengers import of_level, practised
from sleepwake.domains.language.families import Family
from sleepwake.domains.language.practice import Practice
from sleepwake.domains.language.problems import Batch, Challenge
from sleepwake.records import Facts, Verdicts
from sleepwake.roles import Mind
from sleepwake.seeds import seed as derive

LEAST = 0.02
"""Weight that every level keeps, so that none is given up for good."""


@dataclass
class Tried:
    """What is known of a level that was challenged.

    Attributes:
        share: of its problems that had an accepted attempt, in its last round.
        before: the same in the round before that; `share` itself where there was none.
        round: its last round.
    """

    share: float
    before: float
    round: int


def uncertainty(tried: Tried) -> float:
    """1 - 2 |p - 1/2| (R-Zero, arXiv 2508.05004)."""
    return 1 - 2 * abs(tried.share - 0.5)


def learnability(tried: Tried) -> float:
    """1 - p where anything was solved, 0 where nothing was (Absolute Zero, arXiv 2505.03335)."""
    return 1 - tried.share if tried.share > 0 else 0.0


def progress(tried: Tried) -> float:
    """|p - p before|: absolute learning progress (Matiisen et al. 2017, arXiv 1707.00183; ALP-GMM, arXiv 1910.07224)."""
    return abs(tried.share - tried.before)


SCORES: dict[str, Callable[[Tried], float]] = {
    "uncertainty": uncertainty,
    "learnability": learnability,
    "progress": progress,
    "prioritised": learnability,
}


class Curriculum:
    """Draws a few levels a family and round, the likelier the higher their score; levels that were never tried score 1.

    `prioritised` draws by the score's rank and by how long ago a level was tried (PLR, arXiv 2010.03934). What is dreamed is new each
    round, so it is levels that are replayed, not problems.

    Attributes:
        tried: what is known of each level, by family and level.
        levels: by family the lowest level above all that were passed.
        shares: of the last round, by family and level.
        practice: accepted lines.
    """

    def __init__(self, chosen: night_settings.Curriculum, families: Mapping[str, Family], first: int) -> None:
        self.settings, self.families, self.first = chosen, families, first
        self.tried: dict[str, dict[int, Tried]] = {}
        self.levels: dict[str, int] = {}
        self.shares: dict[str, dict[str, float]] = {}
        self.rounds = 0
        self.practice = Practice(chosen.practice)

    def propose(self, mind: Mind, seed: int) -> tuple[Challenge, ...]:
        """Levels from the first to `ahead` above the highest that gave hope, drawn by their weights."""
        self.rounds += 1
        challenges = []
        for family in practised(self.families, mind):
            self.levels.setdefault(family, self.first)
            tried = self.tried.setdefault(family, {})
            hopeful = [level for level, known in tried.items() if known.share >= self.settings.hope]
            open_ = list(range(self.first, max(hopeful, default=self.first - 1) + self.settings.ahead + 1))
            draws, weights = Random(derive(seed, family)), self._weights(tried, open_)
            chosen: list[int] = []
            while len(chosen) < min(self.settings.width, len(open_)):
                (level,) = draws.choices(open_, [0.0 if level in chosen else weights[level] for level in open_])
                chosen.append(level)
            challenges += [Challenge(family, level, self.settings.problems // len(chosen)) for level in sorted(chosen)]
        return tuple(challenges)

    def _weights(self, tried: Mapping[int, Tried], levels: Sequence[int]) -> dict[int, float]:
        score = SCORES[self.settings.type]
        scores = {level: score(tried[level]) if level in tried else 1.0 for level in levels}
        if not isinstance(self.settings, night_settings.Prioritised):
            return {level: LEAST + value for level, value in scores.items()}
        ranked = sorted(levels, key=lambda level: -scores[level])
        by_rank = {level: (place + 1) ** (-1 / self.settings.temperature) for place, level in enumerate(ranked)}
        ages = {level: self.rounds - tried[level].round if level in tried else self.rounds for level in levels}
        stale, ranks, ages_all = self.settings.stale, sum(by_rank.values()), sum(ages.values())
        return {level: (1 - stale) * by_rank[level] / ranks + stale * ages[level] / ages_all for level in levels}

    def observe(self, challenges: Sequence[Challenge], material: Batch, verdicts: Verdicts) -> Facts:
        """Note each challenged level's share; accepted lines become practice."""
        accepted = material.select(verdicts.accepted)
        self.shares.update({challenge.family: {} for challenge in challenges})
        for family, level, *_ in challenges:
            asked, solved = (of_level(batch, self.families[family], family, level) for batch in (material, accepted))
            problems = len(asked.by_problem())
            share = round(len(solved.by_problem()) / problems, 6) if problems else 0.0
            last = self.tried[family].get(level)
            self.tried[family][level] = Tried(share, last.share if last else share, self.rounds)
            self.shares[family][str(level)] = share
            self.practice.add(family, level, solved.lines)
            while (known := self.tried[family].get(self.levels[family])) and known.share >= self.settings.raise_at:
                self.levels[family] += 1
        return {"shares": self.shares, "level": dict(self.levels)}

    def level(self) -> Mapping[str, float]:
        """The lowest level of each family above all that were passed."""
        return dict(self.levels)

    def save(self, folder: Path) -> None:
        """What is known of each level, levels, shares and practice."""
        tried = {family: {str(level): asdict(known) for level, known in levels.items()} for family, levels in self.tried.items()}
        state = {"tried": tried, "levels": self.levels, "shares": self.shares, "rounds": self.rounds}
        tensors.save_json(state, folder / "curriculum.json")
        self.practice.save(folder / "practice.json")

    def load(self, folder: Path) -> None:
        """Copy what `save` wrote."""
        state = tensors.load_json(folder / "curriculum.json")
        told = state["tried"]
        self.tried = {family: {int(level): Tried(**known) for level, known in levels.items()} for family, levels in told.items()}
        self.levels, self.shares, self.rounds = state["levels"], state["shares"], state["rounds"]
        self.practice.load(folder / "practice.json")

    def metrics(self) -> Facts:
        """Levels, and what practice stores (text of the mind's own making)."""
        return {"bytes": self.practice.bytes(), "practice": len(self.practice.all()), "level": dict(self.levels)}
