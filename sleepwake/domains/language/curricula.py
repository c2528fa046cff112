"""Challengers that draw levels by what their last rounds paid, in place of one step at a time."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random

from sleepwake.domains import tensors
from sleepwake.domains.language import challenger_settings
from sleepwake.domains.language.challengers import of_level, practised
from sleepwake.domains.language.families import Family
from sleepwake.domains.language.novelty import copies
from sleepwake.domains.language.practice import Practice
from sleepwake.domains.language.problems import Batch, Challenge, unsure
from sleepwake.errors import DataError
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
    """How far from all and from none were solved."""
    return unsure(tried.share)


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

    def __init__(self, chosen: challenger_settings.Curriculum, families: Mapping[str, Family], first: int) -> None:
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
            draws, weights = Random(derive(seed, family)), self._weights(family, open_)
            chosen: list[int] = []
            while len(chosen) < min(self.settings.width, len(open_)):
                (level,) = draws.choices(open_, [0.0 if level in chosen else weights[level] for level in open_])
                chosen.append(level)
            challenges += [Challenge(family, level, self.settings.problems // len(chosen)) for level in sorted(chosen)]
        return tuple(challenges)

    def score(self, family: str, level: int) -> float:
        """What a level that was tried is worth, in [0, 1]."""
        return SCORES[self.settings.type](self.tried[family][level])

    def _weights(self, family: str, levels: Sequence[int]) -> dict[int, float]:
        tried = self.tried[family]
        scores = {level: self.score(family, level) if level in tried else 1.0 for level in levels}
        if not isinstance(self.settings, challenger_settings.Prioritised):
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


class Uncertainty(Curriculum):
    """Levels that are solved half of the time, and whose problems are new (R-Zero, arXiv 2508.05004).

    R-Zero takes the share of a batch that is alike off a question's reward; here levels are chosen, and all that was ever set counts.

    Attributes:
        archive: every problem set, by family.
        close: by family and level, the share of its last round's problems that were near-copies of earlier ones.
    """

    settings: challenger_settings.Uncertainty

    def __init__(self, chosen: challenger_settings.Uncertainty, families: Mapping[str, Family], first: int) -> None:
        super().__init__(chosen, families, first)
        self.archive: dict[str, list[str]] = {}
        self.close: dict[str, dict[str, float]] = {}

    def score(self, family: str, level: int) -> float:
        """Uncertainty less the penalty, at least 0."""
        return max(0.0, super().score(family, level) - self.settings.copies * self.close[family][str(level)])

    def observe(self, challenges: Sequence[Challenge], material: Batch, verdicts: Verdicts) -> Facts:
        """As all; with the shares of near-copies, whose problems are then in the archive."""
        told = super().observe(challenges, material, verdicts)
        for family, level, *_ in challenges:
            texts = [problem.text for problem in of_level(material, self.families[family], family, level).by_problem()]
            known = self.archive.setdefault(family, [])
            self.close.setdefault(family, {})[str(level)] = round(copies(texts, known), 6)
            known += texts
        return {**told, "copies": {family: dict(shares) for family, shares in self.close.items()}}

    def save(self, folder: Path) -> None:
        """As all; with the archive."""
        super().save(folder)
        tensors.save_json({"archive": self.archive, "close": self.close}, folder / "archive.json")

    def load(self, folder: Path) -> None:
        """Copy what `save` wrote."""
        super().load(folder)
        if not (folder / "archive.json").exists():
            raise DataError(f"{folder} was written before this challenger kept an archive", "begin the run again")
        state = tensors.load_json(folder / "archive.json")
        self.archive, self.close = state["archive"], state["close"]

    def metrics(self) -> Facts:
        """As all; with the archive's characters."""
        told = super().metrics()
        return {**told, "bytes": told["bytes"] + sum(len(text) for texts in self.archive.values() for text in texts)}
