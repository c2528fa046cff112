"""The challenger: a ladder of levels for each family, and the practice that was gathered on the way up."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sleepwake.domains import tensors
from sleepwake.domains.language import challenger_settings
from sleepwake.domains.language.families import Family
from sleepwake.domains.language.practice import Practice
from sleepwake.domains.language.problems import Batch, Challenge
from sleepwake.records import Facts, Verdicts
from sleepwake.roles import Mind


class Ladder:
    """One level a family: raised when most of a round's problems got an accepted answer, lowered when almost none did.

    The level says what is practised, not what is mastered: with a bad judge it climbs while accuracy falls.

    Attributes:
        levels: the current level of each family opened so far.
        shares: what share of the problems in its last round had an accepted attempt (or of the attempts), by family and level.
        practice: accepted lines.
    """

    def __init__(self, chosen: challenger_settings.Rungs | challenger_settings.Even, families: Mapping[str, Family], first: int) -> None:
        self.settings: Any = chosen
        self.families, self.first = families, first
        self.levels: dict[str, int] = {}
        self.shares: dict[str, dict[str, float]] = {}
        self.practice = Practice(chosen.practice)

    def propose(self, mind: Mind, seed: int) -> tuple[Challenge, ...]:
        """For each family that the learner has opened, problems of its level, and of levels ahead as far as there is
        hope.

        A family that is far ahead of the slowest one waits for it.
        """
        known = practised(self.families, mind)
        for family in known:
            self.levels.setdefault(family, self.first)
        slowest = min(self.levels.values())
        challenges = []
        for family in known:
            level, shares = self.levels[family], self.shares.get(family, {})
            if level > slowest + self.settings.lead:
                continue
            width = 1
            while width <= self.settings.ahead and shares.get(str(level + width - 1), 0.0) >= self.settings.hope:
                width += 1
            stuck = str(level) in shares and shares[str(level)] < self.settings.hope
            problems = self.settings.problems * (self.settings.push if stuck else 1) // width
            challenges += [Challenge(family, level + step, problems) for step in range(width)]
        return tuple(challenges)

    def observe(self, challenges: Sequence[Challenge], material: Batch, verdicts: Verdicts) -> Facts:
        """Raise a level as far as it was passed, or lower it; accepted lines become practice.

        Lines of other levels than the challenged ones (easier prompts of a trainer, say) are left out of account.
        """
        accepted = material.select(verdicts.accepted)
        self.shares.update({challenge.family: {} for challenge in challenges})
        for family, level, *_ in challenges:
            tried = of_level(material, self.families[family], family, level)
            solved = of_level(accepted, self.families[family], family, level)
            share = self._share(tried, solved)
            self.shares[family][str(level)] = round(share, 6)
            self.practice.add(family, level, solved.lines)
            if level != self.levels[family]:
                continue  # ahead of a level that was not passed
            if share >= self.settings.raise_at:
                self.levels[family] = level + 1
            elif share < self.settings.lower_at:
                self.levels[family] = max(self.first, level - 1)
        return {"shares": self.shares, "level": dict(self.levels)}

    def _share(self, tried: Batch, solved: Batch) -> float:
        if self.settings.by == "problems":
            return len(solved.by_problem()) / len(tried.by_problem()) if len(tried) else 0.0
        of = self.families
        said = {line.problem: of[line.problem.family].value(line.answer or "") for line in solved.lines}
        alike = [line for line in tried.lines if line.answer and of[line.problem.family].value(line.answer) == said.get(line.problem)]
        return sum(line.votes for line in alike) / sum(line.votes for line in tried.lines) if len(tried) else 0.0

    def level(self) -> Mapping[str, float]:
        """Current level of each family."""
        return dict(self.levels)

    def save(self, folder: Path) -> None:
        """Levels, shares and practice."""
        tensors.save_json({"levels": self.levels, "shares": self.shares}, folder / "ladder.json")
        self.practice.save(folder / "practice.json")

    def load(self, folder: Path) -> None:
        """Levels, shares and practice."""
        state = tensors.load_json(folder / "ladder.json")
        self.levels, self.shares = state["levels"], state["shares"]
        self.practice.load(folder / "practice.json")

    def metrics(self) -> Facts:
        """Levels, and what practice stores (text of the mind's own making)."""
        return {"bytes": self.practice.bytes(), "practice": len(self.practice.all()), "level": dict(self.levels)}


def practised(families: Mapping[str, Family], mind: Mind) -> list[str]:
    """The families that the learner has opened and that are practised by night."""
    return [name for name in mind.learner.known if families[name].practised]


def of_level(material: Batch, family: Family, name: str, level: int) -> Batch:
    """The lines of one family and level."""
    return material.select([line.problem.family == name and family.level(line.problem.text) == level for line in material.lines])
