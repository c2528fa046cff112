from math import sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sleepwake.morning import allowance, gate
from sleepwake.records import Probe
from sleepwake.wake import decay

shares = st.integers(0, 50).map(lambda right: right / 50)


def test_hand_worked() -> None:
    # p = 0.8 of n = 64: two standard errors are 2 sqrt(0.16 / 64) = 0.1, more than the tolerance
    assert allowance(Probe("a", 0.8, 64), 0.02) == pytest.approx(0.1)
    assert gate([Probe("a", 0.8, 64)], [Probe("a", 0.7, 64)], 0.02).accepted
    assert not gate([Probe("a", 0.8, 64)], [Probe("a", 0.69, 64)], 0.02).accepted
    assert gate([Probe("a", 0.8, 64)], [Probe("a", 0.8, 64)], 0.02).reason == "no probe fell"
    both = gate([Probe("a", 0.8, 64), Probe("b", 0.5, 64)], [Probe("a", 0.7, 64), Probe("b", 0.9, 64)], 0.02)
    assert both.reason == "no probe fell further than it may: a 0.800 -> 0.700 (may lose 0.100)"
    # a perfect score may fall by the tolerance only
    assert gate([Probe("a", 1.0, 50)], [Probe("a", 0.98, 50)], 0.02).accepted
    refused = gate([Probe("a", 1.0, 50), Probe("b", 1.0, 50)], [Probe("a", 0.96, 50), Probe("b", 1.0, 50)], 0.02)
    assert not refused.accepted
    assert "a 1.000 -> 0.960" in refused.reason
    assert "b" not in refused.reason.replace("lost", "")


@given(st.lists(shares, min_size=1, max_size=5), st.floats(0, 0.5), st.integers(1, 500))
def test_nothing_lost_is_accepted_and_one_loss_is_enough(scores: list[float], tolerance: float, n: int) -> None:
    before = [Probe(str(i), score, n) for i, score in enumerate(scores)]
    assert gate(before, before, tolerance).accepted
    allowed = max(tolerance, 2 * sqrt(scores[0] * (1 - scores[0]) / n))
    after = [Probe("0", scores[0] - allowed - 0.01, n), *before[1:]]
    assert not gate(before, after, tolerance).accepted


def test_decay_counts_falls_only() -> None:
    dawn = (Probe("a", 1.0, 10), Probe("b", 0.5, 10))
    assert decay(dawn, (Probe("a", 0.8, 10), Probe("b", 0.9, 10), Probe("new", 1.0, 10))) == pytest.approx(0.1)
    assert decay((), ()) == 0
