"""What a sweep says of several seeds: mean, Student's t interval, paired differences."""

from collections.abc import Mapping, Sequence
from math import sqrt
from statistics import fmean, stdev

T975 = (
    12.706,
    4.303,
    3.182,
    2.776,
    2.571,
    2.447,
    2.365,
    2.306,
    2.262,
    2.228,
    2.201,
    2.179,
    2.160,
    2.145,
    2.131,
    2.120,
    2.110,
    2.101,
    2.093,
)
"""Student's t, 97.5 %, for 1 to 19 degrees of freedom."""


def half_width(values: Sequence[float]) -> float:
    """Half of the 95 % interval of the mean, by Student's t; needs 2 values or more. Beyond 20 values the quantile of 20 is used."""
    assert len(values) > 1, "one value has no spread"
    return T975[min(len(values) - 1, len(T975)) - 1] * stdev(values) / sqrt(len(values))


def paired(one: Mapping[int, float], other: Mapping[int, float]) -> tuple[float, float, int]:
    """Mean difference one - other over the seeds that both have, half of its 95 % interval (infinite for one seed), and their number."""
    seeds = sorted({*one} & {*other})
    differences = [one[seed] - other[seed] for seed in seeds]
    return fmean(differences), half_width(differences) if len(differences) > 1 else float("inf"), len(differences)
