"""What a sweep says of several seeds: mean, Student's t interval, paired differences between arms."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf, sqrt
from statistics import fmean, stdev
from typing import Any

Line = Mapping[str, Any]
"""A ledger's line: arm, seed, summary."""


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds with half of its 95 % interval (Student's t; infinite for one seed)."""

    mean: float
    half: float
    values: tuple[float, ...]

    @property
    def outside_zero(self) -> bool:
        """Whether the interval leaves zero out."""
        return abs(self.mean) > self.half


def estimate(values: Sequence[float]) -> Estimate:
    """Mean and interval of one value or more."""
    from scipy.stats import t

    half = float(t.ppf(0.975, len(values) - 1)) * stdev(values) / sqrt(len(values)) if len(values) > 1 else inf
    return Estimate(fmean(values), half, tuple(values))


@dataclass(frozen=True)
class ArmResult:
    """One arm over its seeds.

    Attributes:
        name: the recipe with its overrides.
        acc: final mean score.
        behind: difference to the first arm over the seeds that both have; None for the first arm, or without a common seed.
        seconds: mean wall clock.
        averages: mean score over the tests learned by each day, averaged over seeds; None where a day was not scored.
    """

    name: str
    seeds: tuple[int, ...]
    acc: Estimate
    behind: Estimate | None
    seconds: float
    averages: tuple[float | None, ...]


def results(lines: Sequence[Line]) -> list[ArmResult]:
    """Every arm of a ledger's lines, in their order; differences are paired by seed with the first."""
    arms = list(dict.fromkeys(line["arm"] for line in lines))
    by_seed = {arm: {line["seed"]: line["summary"] for line in lines if line["arm"] == arm} for arm in arms}
    told = []
    for arm in arms:
        mine, first = by_seed[arm], by_seed[arms[0]]
        common = sorted({*mine} & {*first}) if arm != arms[0] else []
        told.append(ArmResult(
            arm, tuple(sorted(mine)), estimate([mine[seed]["acc"] for seed in sorted(mine)]),
            estimate([mine[seed]["acc"] - first[seed]["acc"] for seed in common]) if common else None,
            fmean(summary["wall_s"] for summary in mine.values()), _averages(list(mine.values())),
        ))  # fmt: skip
    return told


def _averages(summaries: Sequence[Line]) -> tuple[float | None, ...]:
    rows = [[[score for score in row if score is not None] for row in summary["matrix"]] for summary in summaries]
    days = min(len(matrix) for matrix in rows)
    return tuple(fmean(fmean(matrix[day]) for matrix in rows) if all(matrix[day] for matrix in rows) else None for day in range(days))
