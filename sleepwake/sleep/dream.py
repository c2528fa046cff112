"""Dream: the dreamer makes material for the challenges."""

from dataclasses import replace
from typing import Any, ClassVar

from sleepwake.phase import Phase
from sleepwake.records import Facts
from sleepwake.sleep.stage import Work


class Dream:
    """Calls the dreamer with the learner at hand; in language the learner's attempts come with the problems."""

    gives: ClassVar[tuple[str, ...]] = ("dreams",)

    def needs(self, sleep: Any) -> tuple[str, ...]:
        """Challenges to dream for."""
        return ("challenges",)

    def run(self, phase: Phase, work: Work) -> tuple[Work, Facts]:
        """Make one batch of dreams."""
        seed = phase.seed("dream", "dreamer")
        material = phase.call(phase.mind.dreamer.dream, work.challenges, phase.mind.learner, seed)
        return replace(work, material=material), {"dreams": len(material), "samples": len(material)}
