"""What repeated sampling can reach, before and after: did the nights make something possible, or only likelier?

Problems are sampled n times each; `right` counts the right answers, problem by problem, in the same order before and after.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from statistics import fmean

import numpy as np

DRAWS = 2000
"""How often the base is parted in two for the null band."""


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
        band: the 97.5th percentile of `newly` between the base and itself: k of its samples against k others.
    """

    newly: float
    lost: float
    band: float

    @property
    def outside(self) -> bool:
        """Whether more is newly in reach than sampling the base twice would show."""
        return self.newly > self.band


def ledger(n: int, before: Sequence[int], after: Sequence[int], k: int, seed: int) -> Ledger:
    """Compare what k samples reach.

    Args:
        n: samples a problem, at least 2k.
        before: right answers by the base, problem by problem.
        after: by what came of it.
        k: samples that a problem may take.
        seed: of the null band.
    """
    assert n >= 2 * k, "the base is compared with itself"
    was, now = ([pass_at_k(n, right, k) for right in counts] for counts in (before, after))
    newly = sum((1 - then) * chance for then, chance in zip(was, now, strict=True))
    lost = sum(then * (1 - chance) for then, chance in zip(was, now, strict=True))
    chance, right_I = np.random.default_rng(seed), np.asarray(before, dtype=np.int64)
    first_DI = chance.hypergeometric(right_I, n - right_I, k, size=(DRAWS, len(right_I)))
    second_DI = chance.hypergeometric(right_I - first_DI, n - k - (right_I - first_DI), k)
    null_D = ((first_DI == 0) & (second_DI > 0)).sum(axis=1)
    return Ledger(newly, lost, float(np.quantile(null_D, 0.975)))


def guessed(k: int, choices: float) -> float:
    """pass@k of whoever guesses, each of so many values as likely: 1 - (1 - 1 / choices)^k. What is in reach counts above it alone."""
    return float(1 - (1 - 1 / choices) ** k)


def mcnemar(before: Sequence[int], after: Sequence[int]) -> float:
    """Exact two-sided p of McNemar's test: problems solved by some sample after and by none before, against the other way round."""
    won = sum(not was and bool(now) for was, now in zip(before, after, strict=True))
    lost = sum(bool(was) and not now for was, now in zip(before, after, strict=True))
    tail = sum(comb(won + lost, fewer) for fewer in range(min(won, lost) + 1))
    return float(min(1.0, 2 * tail / 2 ** (won + lost)))


def crossover(n: int, before: Sequence[int], after: Sequence[int]) -> int | None:
    """The smallest k of 1, 2, 4 and so on up to n at which the base solves as much (Yue et al. 2025); None where it never does."""
    k = 1
    while k <= n:
        if mean_pass(n, before, k) >= mean_pass(n, after, k):
            return k
        k *= 2
    return None
