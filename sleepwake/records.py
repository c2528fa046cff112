"""What phases hand to each other: small frozen records without tensors."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

Phase = Literal["wake", "round", "consolidate", "morning"]
Facts = Mapping[str, Any]
"""What a call changed: JSON values only, journaled as they are. `samples` and `tokens` count towards the budget."""
Look = Callable[[int], None]
"""Called after each optimizer step of a day with its number, from 1; may look at the weights, and changes nothing."""


@dataclass(frozen=True)
class Task:
    """One task of a stream.

    Attributes:
        index: its place in the stream, from 0.
        name: short, for matrices and reports.
        parts: its classes (vision) or its families (language).
    """

    index: int
    name: str
    parts: tuple[str, ...]


@dataclass(frozen=True)
class Verdicts:
    """A judge's word on a batch, item by item.

    Attributes:
        rewards: in [0, 1]; None where the judge abstained.
        reasons: why it was rejected or why the judge abstained; "" where accepted.
        threshold: accepted where the reward is at least this.
    """

    rewards: tuple[float | None, ...]
    reasons: tuple[str, ...]
    threshold: float = 0.5

    def __post_init__(self) -> None:
        assert len(self.rewards) == len(self.reasons)
        assert all(reward is None or 0.0 <= reward <= 1.0 for reward in self.rewards)

    def __len__(self) -> int:
        return len(self.rewards)

    @property
    def accepted(self) -> tuple[bool, ...]:
        """True where the reward reaches the threshold."""
        return tuple(reward is not None and reward >= self.threshold for reward in self.rewards)

    @property
    def rejected(self) -> tuple[bool, ...]:
        """True where the reward doesn't: neither accepted nor abstained from."""
        return tuple(reward is not None and reward < self.threshold for reward in self.rewards)

    def select(self, mask: Sequence[bool]) -> "Verdicts":
        """Those where the mask is true, in order."""
        chosen = [place for place, wanted in enumerate(mask) if wanted]
        return Verdicts(tuple(self.rewards[place] for place in chosen), tuple(self.reasons[place] for place in chosen), self.threshold)

    def counts(self) -> dict[str, int]:
        """How many were judged, accepted, rejected and abstained from."""
        abstained = sum(reward is None for reward in self.rewards)
        return {"judged": len(self), "accepted": sum(self.accepted), "rejected": sum(self.rejected), "abstained": abstained}

    def why(self) -> dict[str, int]:
        """How many were not accepted for each kind of reason: what a reason says before a colon."""
        refused = [reason for reason, taken in zip(self.reasons, self.accepted, strict=True) if not taken]
        return dict(sorted(Counter(reason.split(":")[0] for reason in refused).items()))


@dataclass(frozen=True)
class Probe:
    """What the gate saw on one task: the share of n probes that were answered right."""

    task: str
    score: float
    n: int


@dataclass(frozen=True)
class RoundRecord:
    """What a policy may know of a finished round."""

    step: int
    judged: int
    accepted: int
    undone: bool
    gain: float
    """What the round paid: the largest of the changes of mean probe score, mean level, and share of accepted material learned."""


@dataclass(frozen=True)
class Progress:
    """Where a run stands: all that crosses a phase besides the mind. Saved as JSON with every commit.

    Attributes:
        step: commits so far.
        day: days begun; day i learned task i - 1.
        night: nights begun since the last wake.
        phase: the last committed phase; "" before the first.
        round: rounds of the current night so far.
        dusk: step whose commit the current night started from.
        before: probes at dusk.
        monitors: how diverse the mind was at dusk, by name, where the recipe sets floors.
        latest: probes after the last round that stood.
        rounds: the current night's rounds.
        learned: share of the last day's examples answered right after it and not before.
        decay: by how much probes fell during the last day, mean over earlier tasks.
        rose: by how much the challenger's levels rose in the last night's rounds that stood, mean over their names; None after a rollback.
        learned_by_night: share of the last round's accepted material that rehearsal taught.
        exhausted: whether the last round's rehearsal says that hardly anything was left to learn from.
        pressure: the pressure policy's level after its last decision.
        rollbacks: nights rolled back so far; the rate of rehearsal is halved for each.
        used: budget used so far (steps, samples, tokens).
    """

    step: int = 0
    day: int = 0
    night: int = 0
    phase: str = ""
    round: int = 0
    dusk: int = 0
    before: tuple[Probe, ...] = ()
    monitors: Mapping[str, float] = field(default_factory=dict)
    latest: tuple[Probe, ...] = ()
    rounds: tuple[RoundRecord, ...] = ()
    learned: float = 0.0
    decay: float = 0.0
    rose: float | None = None
    learned_by_night: float = 0.0
    exhausted: bool = False
    pressure: float = 0.0
    rollbacks: int = 0
    used: Mapping[str, int] = field(default_factory=dict)

    @property
    def asleep(self) -> bool:
        """True between a night's first round and its morning."""
        return self.phase in ("round", "consolidate")

    @property
    def rate(self) -> float:
        """Factor on rehearsal's learning rate."""
        return 0.5**self.rollbacks

    def plain(self) -> dict[str, Any]:
        """As JSON values; `parse` is its inverse."""
        return asdict(self)

    @classmethod
    def parse(cls, plain: Mapping[str, Any]) -> "Progress":
        """From what `plain` gave."""
        probes = {key: tuple(Probe(**probe) for probe in plain[key]) for key in ("before", "latest")}
        return cls(**{**plain, **probes, "rounds": tuple(RoundRecord(**record) for record in plain["rounds"])})

    def place(self, phase: str) -> dict[str, Any]:
        """Where the coming phase stands: the commit that it will make, and day, night and round from 0."""
        begins = phase == "round" and not self.asleep
        day = self.day if phase == "wake" else self.day - 1
        night = None if phase == "wake" else self.night if begins else self.night - 1
        counted = (0 if begins else self.round) if phase == "round" else None
        return {"step": self.step + 1, "day": day, "night": night, "round": counted, "phase": phase}

    def spend(self, facts: Facts) -> "Progress":
        """Count what a call used towards the budget."""
        used = {key: self.used.get(key, 0) + int(facts.get(key, 0)) for key in ("steps", "samples", "tokens")}
        return replace(self, used=used)


@dataclass(frozen=True)
class Decision:
    """A policy's next action with its reason and the numbers behind it."""

    action: Literal["wake", "round", "close", "stop"]
    reason: str
    numbers: Facts = field(default_factory=dict)
    pressure: float = 0.0

    def plain(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)
