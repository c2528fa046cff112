"""The challenger that sets nothing harder: as many problems of each family at one level, round after round."""

from collections.abc import Mapping, Sequence

from sleepwake.domains.language import challenger_settings
from sleepwake.domains.language.challengers import Ladder, of_level, practised
from sleepwake.domains.language.families import Family
from sleepwake.domains.language.problems import Batch, Challenge
from sleepwake.records import Facts, Verdicts
from sleepwake.roles import Mind


class Even(Ladder):
    """A ladder of one level: the same practice each round; what is harder is the dreamer's doing.

    Attributes:
        levels: the same for each family: nothing of it counts as mastered at dusk, so the night teaches it.
        shares: of its last round's problems, the share with an accepted attempt, by family and level.
        practice: accepted lines.
    """

    def __init__(self, chosen: challenger_settings.Even, families: Mapping[str, Family], first: int) -> None:
        super().__init__(chosen, families, chosen.level)
        self.levels = dict.fromkeys(families, chosen.level)

    def propose(self, mind: Mind, seed: int) -> tuple[Challenge, ...]:
        """Problems of every family that the learner has opened."""
        return tuple(Challenge(family, self.first, self.settings.problems) for family in practised(self.families, mind))

    def observe(self, challenges: Sequence[Challenge], material: Batch, verdicts: Verdicts) -> Facts:
        """Note shares; accepted lines become practice."""
        accepted = material.select(verdicts.accepted)
        for family in {challenge.family: None for challenge in challenges}:
            tried, solved = (of_level(batch, self.families[family], family, self.first) for batch in (material, accepted))
            share = len(solved.by_problem()) / len(tried.by_problem()) if len(tried) else 0.0
            self.shares[family] = {str(self.first): round(share, 6)}
            self.practice.add(family, self.first, solved.lines)
        return {"shares": self.shares, "level": dict(self.levels)}
