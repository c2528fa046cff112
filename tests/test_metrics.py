"""Metrics against matrices worked by hand, and laws that hold for every matrix."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sleepwake import metrics

# Two later days cost test 1 a lot and test 2 a little; test 1 recovers some on the third day.
SQUARE = [[0.9, 0.1, 0.2], [0.5, 0.8, 0.3], [0.6, 0.7, 1.0]]
# Test 1 gets better at the end than it ever was: forgetting is negative, where it isn't clipped.
BETTER = [[0.6, None, None], [0.4, 0.8, None], [0.9, 0.8, 0.7]]
B = [0.1, 0.2, 0.1]

GOLDEN = [
    # acc = (0.6 + 0.7 + 1.0) / 3
    (metrics.acc, SQUARE, 2.3 / 3),
    (metrics.acc, BETTER, 0.8),
    # A_1 = 0.9, A_2 = (0.5 + 0.8) / 2 = 0.65, A_3 = 2.3 / 3
    (metrics.aia, SQUARE, (0.9 + 0.65 + 2.3 / 3) / 3),
    (metrics.aia, BETTER, (0.6 + 0.6 + 0.8) / 3),
    # lower triangle: 0.9 + 0.5 + 0.8 + 0.6 + 0.7 + 1.0 = 4.5 over 6
    (metrics.acc_diaz, SQUARE, 0.75),
    # (0.6 - 0.9) + (0.7 - 0.8) = -0.4 over 2
    (metrics.bwt_gem, SQUARE, -0.2),
    # (0.9 - 0.6) + (0.8 - 0.8) = 0.3 over 2
    (metrics.bwt_gem, BETTER, 0.15),
    # (0.5 - 0.9) + (0.6 - 0.9) + (0.7 - 0.8) = -0.8 over 3
    (metrics.bwt_diaz, SQUARE, -0.8 / 3),
    (metrics.rem_diaz, SQUARE, 1 - 0.8 / 3),
    (metrics.rem_diaz, BETTER, 1.0),
    (metrics.bwt_plus_diaz, SQUARE, 0.0),
    # (0.4 - 0.6) + (0.9 - 0.6) + (0.8 - 0.8) = 0.1 over 3
    (metrics.bwt_plus_diaz, BETTER, 0.1 / 3),
    # (max(0.9, 0.5) - 0.6) + (max(0.1, 0.8) - 0.7) = 0.4 over 2
    (metrics.forgetting_rwalk, SQUARE, 0.2),
    # (max(0.6, 0.4) - 0.9) + (0.8 - 0.8) = -0.3 over 2: below zero, not clipped
    (metrics.forgetting_rwalk, BETTER, -0.15),
    (metrics.forgetting_first, SQUARE, 0.2),
    (metrics.forgetting_first, BETTER, -0.15),
    (metrics.forgetting_clipped, SQUARE, 0.2),
    (metrics.forgetting_clipped, BETTER, 0.0),
    # R[1,2] + R[2,3] = 0.1 + 0.3 over 2
    (metrics.fwt_continuum, SQUARE, 0.2),
    # worst since: test 1 min(0.5, 0.6), test 2 0.7; over 2
    (metrics.min_acc, SQUARE, 0.6),
    # 1/3 * 1.0 + 2/3 * 0.6
    (metrics.wc_acc, SQUARE, 1 / 3 + 0.4),
]


@pytest.mark.parametrize(("metric", "R", "expected"), GOLDEN, ids=lambda value: getattr(value, "__name__", ""))
def test_golden(metric, R, expected):
    assert metric(R) == pytest.approx(expected, abs=1e-12)


def test_golden_with_more_arguments():
    # (10 * 0.6 + 10 * 0.7 + 80 * 1.0) / 100
    assert metrics.pooled(SQUARE, [10, 10, 80]) == pytest.approx(0.93)
    # (0.1 - 0.2) + (0.3 - 0.1) = 0.1 over 2
    assert metrics.fwt_gem(SQUARE, B) == pytest.approx(0.05)
    # (0.95 - 0.9) + (0.9 - 0.8) + (0.9 - 1.0) = 0.05 over 3
    assert metrics.intransigence_rwalk(SQUARE, [0.95, 0.9, 0.9]) == pytest.approx(0.05 / 3)
    assert metrics.aaa([0.5, 0.7]) == pytest.approx(0.6)
    # (0.6 - 0.5) + (0.2 - 0.5) = -0.2 over 2; the first task, before which nothing was learned, has no transfer
    assert metrics.fwt_ahead([0.9, 0.6, 0.2], [0.5, 0.5, 0.5]) == pytest.approx(-0.1)
    assert metrics.average_seen([0.9, 0.5, 0.1], 1) == pytest.approx(0.7)
    assert metrics.average_seen([0.9, 0.5, 0.1], 0, home=(1, 0, 0)) == pytest.approx(0.3)
    assert metrics.average_accuracies(SQUARE) == pytest.approx([0.9, 0.65, 2.3 / 3])


def test_rwalk_looks_at_every_earlier_day():
    # Test 1 peaks on day 2, not on its own: (0.9 - 0.5) + (0.7 - 0.7) = 0.4 over 2; backward transfer sees 0.1 only.
    R = [[0.6, None, None], [0.9, 0.7, None], [0.5, 0.7, 0.8]]
    assert metrics.forgetting_rwalk(R) == pytest.approx(0.2)
    assert metrics.bwt_gem(R) == pytest.approx(-0.05)


def test_the_worst_of_days_is_what_minima_look_at():
    # Within day 2 test 1 fell to 0.2; within day 3 test 2 to 0.4, which counts, and test 3, that day's own, to 0.1, which doesn't.
    within = [(1, [0.2, 0.0, None]), (2, [0.9, 0.4, 0.1]), (3, [0.0, 0.0, 0.0])]
    worst = metrics.worst_of_days(SQUARE, within)
    assert worst == [SQUARE[0], [0.2, 0.8, 0.3], [0.6, 0.4, 1.0]]
    # test 1 min(0.2, 0.6), test 2 0.4; over 2
    assert metrics.min_acc(worst) == pytest.approx(0.3)
    assert metrics.wc_acc(worst) == pytest.approx(1 / 3 + 2 / 3 * 0.3)
    assert metrics.worst_of_days(SQUARE, []) == SQUARE
    assert metrics.min_acc(metrics.worst_of_days(SQUARE, [(1, [None, None, None])])) is None, "a missing score leaves no minimum"


def test_several_tests_a_task():
    # Day 1 learned tests 1 and 2, day 2 test 3.
    R, home = [[0.8, 0.6, 0.1], [0.7, 0.7, 0.9]], (0, 0, 1)
    assert metrics.average_accuracies(R, home) == pytest.approx([0.7, 2.3 / 3])
    assert metrics.bwt_gem(R, home) == pytest.approx(0.0)
    assert metrics.forgetting_rwalk(R, home) == pytest.approx(0.0)
    assert metrics.fwt_gem(R, [0.0, 0.0, 0.3], home) == pytest.approx(-0.2)
    assert metrics.pooled(R, [1, 1, 2], home) == pytest.approx(0.8)


def test_unfinished_run_counts_what_was_learned():
    R = [[0.9, 0.0, 0.0], [0.7, 0.5, 0.0]]
    assert metrics.acc(R) == pytest.approx(0.6)
    assert metrics.pooled(R, [1, 3, 5]) == pytest.approx((0.7 + 1.5) / 4)


@pytest.mark.parametrize("R", [[], [[0.5]], [[None, None], [None, None]], [[0.5, None], [None, 0.5]]])
def test_undefined_is_none_and_never_a_number(R):
    between_days = (
        metrics.bwt_gem,
        metrics.bwt_diaz,
        metrics.forgetting_rwalk,
        metrics.forgetting_first,
        metrics.min_acc,
    )
    assert [metric(R) for metric in between_days] == [None] * len(between_days)
    assert metrics.fwt_continuum(R) is None


def test_missing_score_makes_a_mean_undefined():
    assert metrics.acc([[0.5, None], [None, 0.5]]) is None
    assert metrics.pooled([[0.5, None], [None, 0.5]], [1, 1]) is None
    assert metrics.aia([[None, None], [0.5, 0.5]]) is None
    assert metrics.fwt_gem([[0.5, None], [0.5, 0.5]], [0.1, 0.1]) is None
    assert metrics.fwt_ahead([0.5, 0.5, None], [0.1, 0.1, 0.1]) is metrics.fwt_ahead([0.5], [0.1]) is metrics.fwt_ahead([], []) is None
    assert metrics.acc([]) is metrics.pooled([], []) is metrics.wc_acc([]) is None
    assert metrics.wc_acc([[0.5]]) == 0.5


scores = st.floats(0, 1, width=32)
squares = st.integers(2, 6).flatmap(lambda n: st.lists(st.lists(scores, min_size=n, max_size=n), min_size=n, max_size=n))


def close(value):
    return pytest.approx(value, abs=1e-9)


@given(squares)
def test_equals_exact_arithmetic(R):
    T = len(R)
    exact = [[Fraction(score) for score in row] for row in R]
    bwt = sum(exact[-1][j] - exact[j][j] for j in range(T - 1)) / (T - 1)
    rwalk = sum(max(exact[i][j] for i in range(T - 1)) - exact[-1][j] for j in range(T - 1)) / (T - 1)
    incremental = sum(sum(exact[k][: k + 1]) / (k + 1) for k in range(T)) / T
    assert metrics.bwt_gem(R) == close(float(bwt))
    assert metrics.forgetting_rwalk(R) == close(float(rwalk))
    assert metrics.aia(R) == close(float(incremental))


@given(squares)
def test_laws(R):
    T = len(R)
    assert metrics.forgetting_first(R) == close(-metrics.bwt_gem(R))
    assert metrics.forgetting_rwalk(R) >= metrics.forgetting_first(R) - 1e-9  # the maximum includes the diagonal
    assert metrics.forgetting_clipped(R) >= max(0.0, metrics.forgetting_rwalk(R)) - 1e-9
    assert metrics.pooled(R, [7] * T) == close(metrics.acc(R))
    assert metrics.min_acc(R) <= sum(R[-1][:-1]) / (T - 1) + 1e-9
    assert metrics.wc_acc(R) <= metrics.acc(R) + 1e-9
    for metric in (metrics.acc, metrics.aia, metrics.acc_diaz, metrics.rem_diaz, metrics.min_acc, metrics.wc_acc):
        assert -1e-9 <= metric(R) <= 1 + 1e-9
    for metric in (metrics.bwt_gem, metrics.bwt_diaz, metrics.forgetting_rwalk):
        assert -1 - 1e-9 <= metric(R) <= 1 + 1e-9


@given(squares)
def test_the_future_is_read_by_forward_transfer_only(R):
    seen = [[score if j <= i else None for j, score in enumerate(row)] for i, row in enumerate(R)]
    for metric in (metrics.acc, metrics.aia, metrics.acc_diaz, metrics.bwt_gem, metrics.bwt_diaz, metrics.min_acc):
        assert metric(seen) == metric(R)
    assert metrics.fwt_continuum(seen) is None


@given(squares, scores)
def test_nothing_changes_nothing_is_forgotten(R, constant):
    still = [[constant] * len(R)] * len(R)
    assert metrics.acc(still) == metrics.aia(still) == close(constant)
    assert metrics.bwt_gem(still) == metrics.forgetting_rwalk(still) == metrics.bwt_diaz(still) == 0
    assert metrics.fwt_gem(still, [constant] * len(R)) == 0


@given(squares, st.randoms(use_true_random=False))
def test_order_of_columns_does_not_matter(R, random):
    order = list(range(len(R)))
    random.shuffle(order)
    shuffled = [[row[j] for j in order] for row in R]
    for metric in (
        metrics.acc,
        metrics.aia,
        metrics.bwt_gem,
        metrics.bwt_diaz,
        metrics.forgetting_rwalk,
        metrics.wc_acc,
    ):
        assert metric(shuffled, order) == close(metric(R))
