"""Consolidate: once a night, after its rounds, the result is folded into the learner's lasting weights."""

from typing import Any, ClassVar

from sleepwake.phase import Phase
from sleepwake.records import Facts
from sleepwake.sleep.stage import Work


class Consolidate:
    """Calls the recipe's consolidation method with the mind as it was at dusk as teacher."""

    gives: ClassVar[tuple[str, ...]] = ()

    def needs(self, sleep: Any) -> tuple[str, ...]:
        """What the method named in `[sleep.consolidate]` needs."""
        needs: tuple[str, ...] = sleep.consolidate.needs
        return needs

    def run(self, phase: Phase, work: Work) -> tuple[Work, Facts]:
        """Distil, merge or reset, as the method does."""
        with phase.watch():
            dusk = phase.dusk()
        consolidate, seed = phase.domain.consolidation.consolidate, phase.seed("consolidate", "learner")
        return work, phase.call(consolidate, phase.mind, dusk, seed)
