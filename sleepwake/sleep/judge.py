"""Judge: the judge, frozen at the last commit, gives verdicts on the dreams without ground truth."""

from dataclasses import replace
from typing import Any, ClassVar

from sleepwake.errors import RecipeError
from sleepwake.phase import Phase
from sleepwake.records import Facts, Verdicts
from sleepwake.sleep.stage import Work


class Judge:
    """Asks the judge; pictures and examples of what it saw go into the commit and the journal."""

    gives: ClassVar[tuple[str, ...]] = ("verdicts",)

    def needs(self, sleep: Any) -> tuple[str, ...]:
        """Dreams to judge."""
        return ("dreams",)

    def run(self, phase: Phase, work: Work) -> tuple[Work, Facts]:
        """Judge the material. A judge that crashes stops the run; a malformed dream earns 0."""
        verdicts = phase.call(phase.mind.judge.verdicts, work.material, phase.seed("judge", "judge"))
        if not isinstance(verdicts, Verdicts) or len(verdicts) != len(work.material):  # it may be the user's own
            raise RecipeError("the judge's verdicts are not one for each item", "return Verdicts(rewards, reasons) of all the material")
        return replace(work, verdicts=verdicts), {**verdicts.counts(), "why": verdicts.why()}
