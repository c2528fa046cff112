"""What a rolled-back night leaves: nothing but its count, which halves the rate of the next."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from sleepwake import morning, recipebook, session
from sleepwake.domains.language.characters import Characters
from sleepwake.morning import Gate
from sleepwake.records import Progress


@pytest.mark.parametrize(("rollbacks", "rate"), [(0, 1.0), (1, 0.5), (3, 0.125)])
def test_each_rollback_halves_the_rate(rollbacks: int, rate: float) -> None:
    assert Progress(rollbacks=rollbacks).rate == rate


def test_the_night_after_a_rollback_rehearses_at_half_the_rate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rates = []
    practise = Characters.practise

    def noted(learner: Characters, draw: Any, steps: int, rate: float, *more: Any, **named: Any) -> Any:
        rates.append(rate)
        return practise(learner, draw, steps, rate, *more, **named)

    def refuse(before: Sequence[Any], after: Sequence[Any], tolerance: float) -> Gate:
        return Gate(False, "lost: everything")

    monkeypatch.setattr(Characters, "practise", noted)
    monkeypatch.setattr(morning, "gate", refuse)
    changes = ["policy.nights=3", "sleep.rounds=1", 'sleep.stages=["challenge", "dream", "judge", "rehearse"]', 'judge={type="random"}',
               "wake.rate=1e-3", "sleep.rehearse.rate=4e-4", "sleep.rehearse.steps=1"]  # fmt: skip
    opened = session.start(recipebook.find("language/tiny"), changes, 100, tmp_path / "run", False, "cpu", None, 0.0)
    assert opened.go_on(lambda _: None)
    events = session.committed(tmp_path / "run")
    told = [event["facts"]["rate"] for event in events if event["event"] == "staged" and event["stage"] == "rehearse"]
    assert told == [1.0, 0.5, 0.25]
    assert rates == pytest.approx([1e-3, 4e-4, 2e-4, 1e-4])
    assert all(event["accepted"] is False for event in events if event["event"] == "gated" and event["kind"] == "morning")
