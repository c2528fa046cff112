"""What repeated sampling can reach, before and after: did the nights make something possible, or only likelier?

Problems are sampled n times each; `right` counts the right answers, problem by problem, in the same order before and after.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]
Chances = NDArray[np.float64]
DRAWS = 2000
"""How often the samples of both are dealt anew for the null band."""


def pass_at_k(n: int, right: int, k: int) -> float:
    """1 - C(n - c, k) / C(n, k): the chance that k of n samples hold a right one (Chen et al. 2021, arXiv 2107.03374, equation 1)."""
    assert 0 <= right <= n
    assert 1 <= k <= n
    return 1.0 - comb(n - right, k) / comb(n, k)


def mean_pass(n: int, right: Sequence[int], k: int) -> float:
    """Mean pass@k over problems."""
    return fmean(pass_at_k(n, mine, k) for mine in right)


def cover(n: int, right: Sequence[int], tau: float) -> float:
    """Cover@tau: the share of problems with a chance of success of at least tau (Dragoi et al. 2025, arXiv 2510.08325)."""
    return fmean(mine >= tau * n for mine in right)


@dataclass(frozen=True)
class Gain:
    """How the mean chance of success changed, in two parts that add up to it.

    Attributes:
        acquired: from problems that were never solved before.
        sharpened: from all others; it is negative where they were lost.
    """

    acquired: float
    sharpened: float


def gain(n: int, before: Sequence[int], after: Sequence[int]) -> Gain:
    """The change of pass@1, parted by what was solved before."""
    changes = [(after_ - before_) / n for before_, after_ in zip(before, after, strict=True)]
    new = sum(change for change, before_ in zip(changes, before, strict=True) if before_ == 0)
    return Gain(new / len(changes), (sum(changes) - new) / len(changes))


@dataclass(frozen=True)
class Ledger:
    """How many problems k samples reach after and not before, and the other way round, in expectation.

    Attributes:
        newly: out of reach before, in reach after.
        lost: in reach before, out of reach after.
        band: the 97.5th percentile of `newly` between the base and itself.
    """

    newly: float
    lost: float
    band: float

    @property
    def outside(self) -> bool:
        """Whether more is newly in reach than sampling one model twice would show, but for one time in forty."""
        return self.newly > self.band


def ledger(n: int, before: Sequence[int], after: Sequence[int], k: int, seed: int, floors: Sequence[float] = ()) -> Ledger:
    """Compare what k samples reach.

    The null band is that of a permutation test: were both the base, a problem's 2n samples could as well have been dealt to `before`
    and `after` in any other way. That holds however rare right answers are; to part the base's own n samples in two is to forget that
    they are a sample themselves, and finds a gain in up to a quarter of all pairs without one.

    Args:
        n: samples a problem, at least 2k.
        before: right answers by the base, problem by problem.
        after: by what came of it.
        k: samples that a problem may take.
        seed: of the null band.
        floors: pass@k of guesses, problem by problem, in [0, 1]; only what is above counts, as a part of what could be. None: zeros.
    """
    assert n >= 2 * k, "pass@k of hardly more than k samples is mostly noise"
    pass_C = np.array([pass_at_k(n, right, k) for right in range(n + 1)])
    was_I, now_I = (np.asarray(counts, dtype=np.int64) for counts in (before, after))
    both_I = was_I + now_I
    dealt_DI = np.random.default_rng(seed).hypergeometric(both_I, 2 * n - both_I, n, size=(DRAWS, len(both_I)))
    left_I = 1 - np.asarray(floors or [0.0] * len(before))

    def reached(counts_I: Counts) -> Chances:
        """How much of what guesses leave is reached, in [0, 1]; nothing where they leave nothing."""
        over_I = np.clip(pass_C[counts_I] - (1 - left_I), 0, 1)
        reached_I: Chances = np.divide(over_I, left_I, out=np.zeros_like(over_I), where=left_I > 0)
        return reached_I

    def newly(first: Counts, then: Counts) -> Chances:
        """Problems (the last axis) that are missed first and reached then."""
        expected: Chances = np.sum((1 - reached(first)) * reached(then), axis=-1).round(9)  # sums differ in their last bits
        return expected

    band = np.quantile(newly(dealt_DI, both_I - dealt_DI), 0.975, method="higher")
    return Ledger(float(newly(was_I, now_I)), float(newly(now_I, was_I)), float(band))


def guessed(k: int, choices: float) -> float:
    """pass@k of whoever guesses, each of so many values as likely: 1 - (1 - 1 / choices)^k."""
    return float(1 - (1 - 1 / choices) ** k)


def mcnemar(before: Sequence[int], after: Sequence[int]) -> float:
    """Exact two-sided p of McNemar's test: problems solved by some sample after and by none before, against the other way round."""
    won = sum(not was and bool(now) for was, now in zip(before, after, strict=True))
    lost = sum(bool(was) and not now for was, now in zip(before, after, strict=True))
    tail = sum(comb(won + lost, fewer) for fewer in range(min(won, lost) + 1))
    return float(min(1.0, 2 * tail / 2 ** (won + lost)))


def crossover(n: int, before: Sequence[int], after: Sequence[int]) -> int | None:
    """The least of k = 1, 2, 4 and so on up to n at which the base solves as much (Yue et al. 2025); None where it never does."""
    k = 1
    while k <= n:
        if mean_pass(n, before, k) >= mean_pass(n, after, k):
            return k
        k *= 2
    return None
