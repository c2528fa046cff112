"""Challenge: the challenger says what to practise, and how hard."""

from dataclasses import replace
from typing import Any, ClassVar

from sleepwake.phase import Phase
from sleepwake.records import Facts
from sleepwake.sleep.stage import Work


class Challenge:
    """Asks the challenger, which looks only at the mind itself."""

    gives: ClassVar[tuple[str, ...]] = ("challenges",)

    def needs(self, sleep: Any) -> tuple[str, ...]:
        """Nothing."""
        return ()

    def run(self, phase: Phase, work: Work) -> tuple[Work, Facts]:
        """Propose challenges at the current level."""
        challenger = phase.mind.challenger
        challenges = phase.call(challenger.propose, phase.mind, phase.seed("challenge", "challenger"))
        return replace(work, challenges=challenges), {"challenges": len(challenges), "level": dict(challenger.level())}
