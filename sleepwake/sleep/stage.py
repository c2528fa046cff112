"""What a stage of a night is, and what it hands to the next one."""

from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from sleepwake.phase import Phase
from sleepwake.records import Facts, Verdicts


@dataclass(frozen=True)
class Work:
    """What a round has made so far; batches are the domain's own and are never opened here."""

    challenges: Any = None
    material: Any = None
    verdicts: Verdicts | None = None


class Stage(Protocol):
    """One step of a night. Its domain part is `[sleep.<name>]` in the recipe."""

    gives: ClassVar[tuple[str, ...]]
    """Which of challenges, dreams, verdicts there are after it."""

    def needs(self, sleep: Any) -> tuple[str, ...]:
        """What there must be before it, by the recipe's `[sleep]` section."""
        ...

    def run(self, phase: Phase, work: Work) -> tuple[Work, Facts]:
        """Do it; the facts say what it changed."""
        ...
