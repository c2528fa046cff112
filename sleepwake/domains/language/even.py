"""The challenger of families without levels: as many problems of each, round after round."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from sleepwake.domains import tensors
from sleepwake.domains.language import night_settings
from sleepwake.domains.language.families import Family
from sleepwake.domains.language.practice import Practice
from sleepwake.domains.language.problems import Batch, Challenge
from sleepwake.records import Facts, Verdicts
from sleepwake.roles import Mind


class Even:
    """Sets the same practice each round; what is harder is the dreamer's doing.

    Attributes:
        levels: one for each family: nothing of it counts as mastered at dusk, so the night teaches it.
        shares: of its last round's problems, the share with an accepted attempt, by family and level.
        practice: accepted lines.
    """

    def __init__(self, chosen: night_settings.Even, families: Mapping[str, Family], first: int) -> None:
        self.settings, self.families, self.first = chosen, families, 1
        self.levels = dict.fromkeys(families, 1)
        self.shares: dict[str, dict[str, float]] = {}
        self.practice = Practice(chosen.practice)

    def propose(self, mind: Mind, seed: int) -> tuple[Challenge, ...]:
        """Problems of every family that the learner has opened."""
        return tuple(Challenge(family, 1, self.settings.problems) for family in mind.learner.known)

    def observe(self, challenges: Sequence[Challenge], material: Batch, verdicts: Verdicts) -> Facts:
        """Note shares; accepted lines become practice."""
        accepted = material.select(verdicts.accepted)
        for family in {challenge.family: None for challenge in challenges}:
            tried, solved = (batch.select([line.problem.family == family for line in batch.lines]) for batch in (material, accepted))
            share = len(solved.by_problem()) / len(tried.by_problem()) if len(tried) else 0.0
            self.shares[family] = {"1": round(share, 6)}
            self.practice.add(family, 1, solved.lines)
        return {"shares": self.shares, "level": dict(self.levels)}

    def level(self) -> Mapping[str, float]:
        """One."""
        return dict(self.levels)

    def save(self, folder: Path) -> None:
        """Levels, shares and practice."""
        tensors.save_json({"levels": self.levels, "shares": self.shares}, folder / "even.json")
        self.practice.save(folder / "practice.json")

    def load(self, folder: Path) -> None:
        """Levels, shares and practice."""
        state = tensors.load_json(folder / "even.json")
        self.levels, self.shares = state["levels"], state["shares"]
        self.practice.load(folder / "practice.json")

    def metrics(self) -> Facts:
        """What practice stores (text of the mind's own making)."""
        return {"bytes": self.practice.bytes(), "practice": len(self.practice.all()), "level": dict(self.levels)}
