"""Policies: observe, decide. A policy is a pure function of the run's progress; its settings are the recipe's `[policy]`.

`schedule` sleeps after every day; `pressure` is a two-process model. A policy never sees the clock or ground truth.
To add one: its settings class with `decide`, and its name in the union at the end.
"""

from dataclasses import dataclass, replace
from typing import Annotated, Literal

from pydantic import Field, model_validator

from sleepwake.errors import RunFolderError
from sleepwake.records import Decision, Progress
from sleepwake.settings import Settings


@dataclass(frozen=True)
class Plan:
    """What a recipe allows a policy: days in the stream, rounds in a night (0: no nights), budget by unit (0: no limit)."""

    days: int
    rounds: int
    budget: dict[str, int]


def overspent(progress: Progress, plan: Plan) -> str:
    """The unit of the budget that is used up, or ""."""
    used = {**progress.used, "steps": progress.step}
    return next((unit for unit, most in plan.budget.items() if most and used.get(unit, 0) >= most), "")


class Schedule(Settings):
    """So many nights after each day, each with all its rounds."""

    type: Literal["schedule"] = "schedule"
    """By the count of days, nights and rounds."""
    nights: int = Field(1, ge=0)
    """Nights after each day; 0 never sleeps."""
    ungrounded: int = Field(0, ge=0)
    """Nights after a day that need no reason; each further one, with no new data behind it, only while the last raised the challenger's
    level. 0: none needs one."""

    @property
    def most_nights(self) -> int:
        """The most nights after a day."""
        return self.nights

    def decide(self, progress: Progress, plan: Plan) -> Decision:
        """The next action by the count of days, nights and rounds."""
        p, numbers = progress, {"day": progress.day, "night": progress.night, "round": progress.round}
        if p.phase == "round" and p.round < plan.rounds:
            return Decision("round", f"round {p.round + 1} of {plan.rounds}", numbers)
        if p.asleep:
            return Decision("close", "all rounds of the night are done", numbers)
        stuck = 0 < self.ungrounded <= p.night and not (p.rose and p.rose > 0)
        if p.phase and p.night < self.nights and plan.rounds and not stuck:
            return Decision("round", f"night {p.night + 1} of {self.nights} after day {p.day}", numbers)
        if p.day < plan.days:
            return Decision("wake", f"day {p.day + 1} of {plan.days}", numbers)
        why = f"no level rose, and {p.night} nights without new data are enough" if stuck and p.night < self.nights else ""
        return Decision("stop", why or "every day and night is done", numbers)


class Pressure(Settings):
    """Two processes: pressure to sleep builds up by day and is worked off by night.

    By day it rises with what was learned (new traces to fold in) and with measured decay on probes of older tasks. By night every
    round leaves a part of it: `hold` after a round that paid, `fade` after one that didn't. The form follows the two-process model
    of sleep regulation (Borbely 1982): saturating rise awake, exponential fall asleep, two thresholds.
    """

    type: Literal["pressure"]
    """By what was learned, what was lost, and what rounds pay."""
    upper: float = Field(0.6, gt=0)
    """Awake: sleep once pressure is at least this."""
    lower: float = Field(0.2, ge=0)
    """Asleep: the night ends once pressure is below this."""
    learned: float = Field(0.4, ge=0)
    """Rise per unit of what a day taught (share of the day's examples answered right after it and not before)."""
    decay: float = Field(4.0, ge=0)
    """Rise per unit of probe score that older tasks lost during the day."""
    pays: float = Field(0.02, ge=0)
    """A round pays if it gained at least this (share of accepted material learned, probe score or level)."""
    hold: float = Field(0.7, gt=0, lt=1)
    """Share of the pressure left by a round that paid."""
    fade: float = Field(0.4, gt=0, lt=1)
    """Share of the pressure left by a round that didn't pay."""

    @model_validator(mode="after")
    def _ordered(self) -> "Pressure":
        if self.lower >= self.upper:
            raise ValueError(f"lower ({self.lower}) must be below upper ({self.upper}); write lower = {self.upper / 3:.2g}")
        return self

    @property
    def most_nights(self) -> int:
        """The most nights after a day."""
        return 1

    def decide(self, progress: Progress, plan: Plan) -> Decision:
        """Sleep above the upper threshold, another round while rounds pay, wake below the lower threshold."""
        p, level = progress, progress.pressure
        if p.phase == "wake":
            level += self.learned * p.learned + self.decay * p.decay
        paid = bool(p.rounds) and p.rounds[-1].gain >= self.pays and not p.rounds[-1].undone
        if p.phase == "round":
            level *= self.hold if paid else self.fade
        numbers = {"pressure": round(level, 6), "upper": self.upper, "lower": self.lower, "learned": round(p.learned, 6),
                   "decay": round(p.decay, 6), "gain": round(p.rounds[-1].gain, 6) if p.rounds else None}  # fmt: skip
        if p.phase == "round" and p.round < plan.rounds and paid and level >= self.lower:
            return Decision("round", "the last round paid and pressure is not below the lower threshold", numbers, level)
        if p.asleep:
            why = "pressure fell below the lower threshold" if level < self.lower else "rounds stopped paying"
            why = "all rounds of the night are done" if p.round >= plan.rounds else why
            return Decision("close", why, numbers, level)
        if p.phase == "wake" and plan.rounds and level >= self.upper:
            return Decision("round", "pressure reached the upper threshold", numbers, level)
        if p.day < plan.days:
            why = "a new day" if p.phase in ("", "morning") else "pressure is below the upper threshold: this night is skipped"
            return Decision("wake", why, numbers, level)
        why = "the stream ends, and pressure is below the upper threshold" if p.phase == "wake" else "the stream ends"
        return Decision("stop", why, numbers, level)


Policy = Annotated[Schedule | Pressure, Field(discriminator="type")]


def decide(policy: Schedule | Pressure, progress: Progress, plan: Plan) -> Decision:
    """The policy's decision, but for a night that has nothing left to learn from, which is closed, and within the budget: a night under
    way is closed first, then the run stops.
    """
    decision = policy.decide(progress, plan)
    if decision.action == "round" and progress.asleep and progress.exhausted:
        decision = replace(decision, action="close", reason="too few prompts of the last round had attempts that differ in reward")
    unit = overspent(progress, plan)
    if not unit or decision.action in ("close", "stop"):
        return decision
    action: Literal["close", "stop"] = "close" if progress.asleep else "stop"
    return Decision(action, f"the budget of {unit} is used up", decision.numbers, decision.pressure)


def ask(only: str, decision: Decision, progress: Progress, plan: Plan) -> Decision:
    """The decision that `sleepwake wake` or `sleepwake sleep` asks for, where it is possible.

    Raises:
        RunFolderError: the stream or the night is not where that step can be made.
    """
    if only == "wake" and decision.action != "wake":
        if progress.asleep:
            raise RunFolderError("the night is not over", "go on with it: sleepwake sleep DIR")
        if progress.day >= plan.days:
            raise RunFolderError("no task is left to learn", "see where the run stands: sleepwake status DIR")
        return Decision("wake", "asked for by hand", decision.numbers, decision.pressure)
    if only == "sleep" and decision.action not in ("round", "close"):
        if not progress.phase:
            raise RunFolderError("nothing has been learned yet", "learn a task first: sleepwake wake DIR")
        return Decision("round", "asked for by hand", decision.numbers, decision.pressure)
    return decision
