"""Rehearse: the learner trains on what was accepted; methods that sample attempts themselves ask the judge for rewards."""

from dataclasses import replace
from typing import Any, ClassVar

from sleepwake.phase import Phase
from sleepwake.records import Facts
from sleepwake.sleep.stage import Work


class Rehearse:
    """Calls the recipe's rehearsal method, then lets the challenger see the verdicts."""

    gives: ClassVar[tuple[str, ...]] = ("verdicts",)

    def needs(self, sleep: Any) -> tuple[str, ...]:
        """What the method named in `[sleep.rehearse]` needs."""
        needs: tuple[str, ...] = sleep.rehearse.needs
        return needs

    def run(self, phase: Phase, work: Work) -> tuple[Work, Facts]:
        """Train at the run's rate, which is halved after each rollback."""
        mind, rate, seed = phase.mind, phase.progress.rate, phase.seed("rehearse", "learner")
        rehearse = phase.domain.rehearsal.rehearse
        material, verdicts, facts = phase.call(rehearse, mind, phase.dusk, work.material, work.verdicts, rate, seed)
        moved = phase.call(mind.challenger.observe, work.challenges, material, verdicts)
        facts = {"rate": rate, **facts, "challenger": moved, "level": dict(mind.challenger.level())}
        return replace(work, material=material, verdicts=verdicts), facts
