from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sleepwake.errors import RunFolderError
from sleepwake.policy import Plan, Pressure, Schedule, ask, decide
from sleepwake.records import Decision, Progress, RoundRecord


def phases(policy: Schedule | Pressure, plan: Plan, learned: float = 1.0, gain: float = 0.1, most: int = 200) -> list[str]:
    """What a run would do: progress moves as the phases would move it."""
    progress, done = Progress(), []
    for _ in range(most):
        decision = decide(policy, progress, plan)
        if decision.action == "stop":
            return done
        name = "morning" if decision.action == "close" else decision.action
        step = progress.step + 1
        if name == "wake":
            progress = replace(progress, day=progress.day + 1, night=0, learned=learned)
        elif name == "round":
            begins = not progress.asleep
            rounds = () if begins else progress.rounds
            night, count = (progress.night + 1, 1) if begins else (progress.night, progress.round + 1)
            progress = replace(progress, night=night, round=count, rounds=(*rounds, RoundRecord(step, 10, 5, False, gain)))
        else:
            progress = replace(progress, rounds=())
        progress = replace(progress, step=step, phase=name, pressure=decision.pressure)
        done.append(name)
    raise AssertionError("the policy never stops")


@given(st.integers(1, 4), st.integers(0, 3), st.integers(1, 4))
def test_a_schedule_makes_every_day_night_and_round(days: int, nights: int, rounds: int) -> None:
    night = ["round"] * rounds + ["morning"]
    assert phases(Schedule(nights=nights), Plan(days, rounds, {})) == (["wake"] + night * nights) * days


def test_a_budget_closes_the_night_and_stops() -> None:
    assert phases(Schedule(), Plan(3, 4, {"steps": 2})) == ["wake", "round", "morning"]


@pytest.mark.parametrize("policy", [Schedule(nights=2), Pressure(type="pressure", upper=0.3, hold=0.95)], ids=["schedule", "pressure"])
def test_a_night_with_nothing_left_to_learn_from_is_closed(policy: Schedule | Pressure) -> None:
    """The next one begins anew: the morning forgets what the last round said."""
    night = Progress(step=2, day=1, night=1, round=1, phase="round", pressure=1.0, rounds=(RoundRecord(2, 10, 5, False, 0.1),))
    assert decide(policy, night, Plan(1, 6, {})).action == "round"
    decision = decide(policy, replace(night, exhausted=True), Plan(1, 6, {}))
    assert (decision.action, decision.pressure > 0) == ("close", policy.type == "pressure"), decision
    assert "differ in reward" in decision.reason


def test_pressure_skips_a_night_that_is_not_needed() -> None:
    done = phases(Pressure(type="pressure", upper=0.6, lower=0.2, learned=0.4), Plan(4, 5, {}), learned=1.0)
    assert done[:2] == ["wake", "wake"], "one day's learning alone stays below the upper threshold"
    assert "round" in done


def test_pressure_ends_a_night_once_rounds_stop_paying() -> None:
    paying = phases(Pressure(type="pressure", upper=0.3, hold=0.95), Plan(1, 6, {}), gain=0.1)
    idle = phases(Pressure(type="pressure", upper=0.3, hold=0.95), Plan(1, 6, {}), gain=0.0)
    assert paying.count("round") == 6
    assert idle.count("round") == 1


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_pressure_rises_with_learning_and_with_decay(level: float, learned: float, lost: float) -> None:
    progress = Progress(step=1, day=1, phase="wake", pressure=level, learned=learned, decay=lost)
    calm = decide(Pressure(type="pressure"), replace(progress, learned=0.0, decay=0.0), Plan(3, 3, {}))
    moved = decide(Pressure(type="pressure"), progress, Plan(3, 3, {}))
    assert moved.pressure >= calm.pressure == level
    assert (moved.action == "round") == (moved.pressure >= Pressure(type="pressure").upper)


def test_steps_by_hand_must_be_possible() -> None:
    plan = Plan(1, 2, {})
    asleep = Progress(step=2, day=1, night=1, round=1, phase="round")
    with pytest.raises(RunFolderError, match="night is not over"):
        ask("wake", Decision("close", ""), asleep, plan)
    with pytest.raises(RunFolderError, match="nothing has been learned"):
        ask("sleep", Decision("wake", ""), Progress(), plan)
    with pytest.raises(RunFolderError, match="no task is left"):
        ask("wake", Decision("stop", ""), Progress(step=3, day=1, phase="morning"), plan)
    assert ask("sleep", Decision("wake", ""), Progress(step=1, day=1, phase="wake"), plan).action == "round"


def test_nights_without_new_data_need_a_level_that_rose() -> None:
    policy, plan = Schedule(nights=5, ungrounded=2), Plan(1, 3, {})
    morning = Progress(step=9, day=1, night=2, phase="morning", rose=0.0)
    assert decide(policy, replace(morning, night=1), plan).action == "round"
    capped = decide(policy, morning, plan)
    assert (capped.action, "without new data" in capped.reason) == ("stop", True)
    assert decide(policy, replace(morning, rose=None), plan).action == "stop", "rolled back"
    assert decide(policy, replace(morning, rose=0.5), plan).action == "round"
    assert decide(policy, replace(morning, day=1), Plan(2, 3, {})).action == "wake", "new data ends it"
    assert decide(Schedule(nights=5), morning, plan).action == "round"
