"""Continual-learning metrics on score matrices: pure arithmetic, one function a definition, named by author.

Several definitions go by one name, and tools differ in which one they print; so none here is called plain "forgetting".

`R[i][j]` is the score on test j after day i, in [0, 1]; T rows (days so far). None stands where a score was not taken.
`home[j]` is the day on which what test j asks was first learned. It is j unless told: one test a task, a square matrix.
Equations count tasks from 1, as their papers do; code counts from 0.

A mean needs all of its terms. Where there is no term, or one of them was not evaluated, the result is None: a mean over
what happens to be there would be another metric under the same name.
"""

from collections.abc import Iterable, Sequence
from math import fsum

Row = Sequence[float | None]
Matrix = Sequence[Row]
Home = Sequence[int] | None


def _mean(terms: Iterable[float | None]) -> float | None:
    """Mean of all terms; None where there is none or one is missing."""
    values = list(terms)
    present = [value for value in values if value is not None]
    return fsum(present) / len(present) if present and len(present) == len(values) else None


def _minus(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else a - b


def _homes(R: Matrix, home: Home) -> Sequence[int]:
    assert len({len(row) for row in R}) <= 1, "rows of different lengths"
    columns = len(R[0]) if R else 0
    assert home is None or not R or len(home) == columns, "one home a column"
    return range(columns) if home is None else home


def average_accuracies(R: Matrix, home: Home = None) -> list[float | None]:
    """A_k = (1/k) sum_{j<=k} R[k,j], the mean over the tests learned by day k (iCaRL, Rebuffi et al. 2017)."""
    homes = _homes(R, home)
    return [average_seen(row, k, homes) for k, row in enumerate(R)]


def average_seen(row: Row, day: int, home: Home = None) -> float | None:
    """A_t of one evaluation that was taken on a day: the mean over the tests of that day and of earlier ones."""
    homes = range(len(row)) if home is None else home
    return _mean(score for score, learned in zip(row, homes, strict=True) if learned <= day)


def acc(R: Matrix, home: Home = None) -> float | None:
    """ACC = (1/T) sum_j R[T,j] (GEM, Lopez-Paz & Ranzato 2017, eq. 2). In an unfinished run T is the days so far."""
    return average_accuracies(R, home)[-1] if R else None


def aia(R: Matrix, home: Home = None) -> float | None:
    """AIA = (1/T) sum_k A_k, the average incremental accuracy (iCaRL, Rebuffi et al. 2017)."""
    return _mean(average_accuracies(R, home))


def acc_diaz(R: Matrix, home: Home = None) -> float | None:
    """A = sum_{i>=j} R[i,j] / (T(T+1)/2), the mean of the lower triangle (Diaz-Rodriguez & Lomonaco 2018)."""
    homes = _homes(R, home)
    return _mean(score for i, row in enumerate(R) for score, day in zip(row, homes, strict=True) if day <= i)


def pooled(R: Matrix, sizes: Sequence[int], home: Home = None) -> float | None:
    """sum_j n_j R[T,j] / sum_j n_j: the share of all test items answered right, where test j has n_j items.

    This is what papers with one test set of all classes call accuracy; it equals `acc` where tests are equally large.
    """
    homes = _homes(R, home)
    if not R:
        return None
    seen = [(n, score) for n, score, day in zip(sizes, R[-1], homes, strict=True) if day < len(R)]
    items = sum(n for n, _ in seen)
    if not items or any(score is None for _, score in seen):
        return None
    return fsum(n * score for n, score in seen if score is not None) / items


def bwt_gem(R: Matrix, home: Home = None) -> float | None:
    """BWT = (1/(T-1)) sum_{j<T} (R[T,j] - R[j,j]) in [-1, 1] (GEM, Lopez-Paz & Ranzato 2017, eq. 3).

    The paper's T-1; GEM's own code divides by T.
    """
    return _mean(_minus(R[-1][j], R[day][j]) for j, day in enumerate(_homes(R, home)) if day < len(R) - 1)


def bwt_diaz(R: Matrix, home: Home = None) -> float | None:
    """BWT = sum_{i>=2} sum_{j<i} (R[i,j] - R[j,j]) / (T(T-1)/2) in [-1, 1] (Diaz-Rodriguez & Lomonaco 2018)."""
    homes = _homes(R, home)
    return _mean(_minus(R[i][j], R[day][j]) for i in range(len(R)) for j, day in enumerate(homes) if day < i)


def rem_diaz(R: Matrix, home: Home = None) -> float | None:
    """REM = 1 - |min(BWT, 0)|, remembering in [0, 1], of `bwt_diaz` (Diaz-Rodriguez & Lomonaco 2018)."""
    bwt = bwt_diaz(R, home)
    return None if bwt is None else 1 - abs(min(bwt, 0.0))


def bwt_plus_diaz(R: Matrix, home: Home = None) -> float | None:
    """BWT+ = max(BWT, 0), of `bwt_diaz` (Diaz-Rodriguez & Lomonaco 2018)."""
    bwt = bwt_diaz(R, home)
    return None if bwt is None else max(bwt, 0.0)


def forgetting_rwalk(R: Matrix, home: Home = None) -> float | None:
    """F_k = (1/(k-1)) sum_{j<k} (max_{l<k} R[l,j] - R[k,j]) at the last day k (RWalk, Chaudhry et al. 2018).

    In [-1, 1] and not clipped: the last row is not in the maximum, so a task that got better counts below zero.
    The maximum is over the earlier rows in which test j was evaluated.
    """
    return _mean(_minus(_best(R[:-1], j), R[-1][j]) for j, day in enumerate(_homes(R, home)) if day < len(R) - 1)


def forgetting_first(R: Matrix, home: Home = None) -> float | None:
    """(1/(T-1)) sum_{j<T} (R[j,j] - R[T,j]): right after learning, minus the end; equals -`bwt_gem` (Avalanche)."""
    bwt = bwt_gem(R, home)
    return None if bwt is None else 0.0 - bwt


def forgetting_clipped(R: Matrix, home: Home = None) -> float | None:
    """(1/(T-1)) sum_{j<T} (max_l R[l,j] - R[T,j]), last row in the maximum, hence never negative (Mammoth, PyCIL)."""
    return _mean(_minus(_best(R, j), R[-1][j]) for j, day in enumerate(_homes(R, home)) if day < len(R) - 1)


def _best(rows: Matrix, j: int) -> float | None:
    return max((score for score in (row[j] for row in rows) if score is not None), default=None)


def fwt_gem(R: Matrix, b: Row, home: Home = None) -> float | None:
    """FWT = (1/(T-1)) sum_{j>=2} (R[j-1,j] - b_j), b_j at initialisation (GEM, Lopez-Paz & Ranzato 2017, eq. 4).

    Needs tests of tasks not yet learned. Degenerate with a single head over the classes seen so far: R[j-1,j] is 0 for
    every method, so FWT = -mean(b_j). `ahead` in summary.json holds the variants that do tell methods apart.
    """
    homes = _homes(R, home)
    return _mean(_minus(R[day - 1][j], b[j]) for j, day in enumerate(homes) if 0 < day < len(R))


def fwt_continuum(R: Matrix, home: Home = None) -> float | None:
    """(1/(T-1)) sum_{j>=2} R[j-1,j]: `fwt_gem` without its baseline (Continuum)."""
    return fwt_gem(R, [0.0] * (len(R[0]) if R else 0), home)


def fwt_ahead(ahead: Row, untrained: Row) -> float | None:
    """FWT = (1/(T-1)) sum_{j>=2} (a_j - u_j): any measure of task j before its day, of the learner and of an untrained one.

    With accuracy among all rows this is `fwt_gem` on equal label sets; the others (masked to the task's classes, after dreamed
    classes were mapped, a probe on the features, the first steps) tell methods apart where that one can't.

    Args:
        ahead: a measure a task, taken before the task was learned.
        untrained: the same of a network that has learned nothing.
    """
    return _mean(_minus(a, u) for a, u in zip(ahead[1:], untrained[1:], strict=True))


def intransigence_rwalk(R: Matrix, joint: Row) -> float | None:
    """I = (1/T) sum_k (a*_k - R[k,k]), a*_k of a reference trained on tasks 1..k jointly (RWalk, Chaudhry et al. 2018).

    The paper reports I_k for one k; this is the mean over days, as in van de Ven's comparisons. Needs one test a task.
    """
    return _mean(_minus(joint[k], row[k]) for k, row in enumerate(R))


def aaa(averages: Row) -> float | None:
    """AAA = (1/n) sum_t A_t over all evaluations t, also within a day (Caccia et al. 2022).

    Args:
        averages: mean score over the tests learned so far, an evaluation each.
    """
    return _mean(averages)


def min_acc(R: Matrix, home: Home = None) -> float | None:
    """min-ACC = (1/(T-1)) sum_{j<T} min_{j<i<=T} R[i,j]: the worst since each was learned (De Lange et al. 2023).

    The paper takes the minimum over all iterations; a matrix knows only the ends of days, so this is an upper bound.
    Of `worst_of_days` it is the paper's, as far as evaluations were taken.
    """
    earlier = [(j, day) for j, day in enumerate(_homes(R, home)) if day < len(R) - 1]
    return _mean(_worst([row[j] for row in R[day + 1 :]]) for j, day in earlier)


def worst_of_days(R: Matrix, evaluations: Iterable[tuple[int, Row]], home: Home = None) -> list[list[float | None]]:
    """R, with the score of each test learned on an earlier day replaced by its lowest of that row's day.

    Args:
        R: scores at the ends of days.
        evaluations: the day and the scores of each further evaluation; those of days without a row are left out.
        home: as everywhere.
    """
    worst, homes = [list(row) for row in R], _homes(R, home)
    for day, row in evaluations:
        for j, learned in enumerate(homes):
            if learned < day < len(worst):
                worst[day][j] = _worst([worst[day][j], row[j]])
    return worst


def _worst(scores: Row) -> float | None:
    present = [score for score in scores if score is not None]
    return min(present) if len(present) == len(scores) else None


def wc_acc(R: Matrix, home: Home = None) -> float | None:
    """WC-ACC = (1/T) R[T,T] + (1 - 1/T) min-ACC, a worst case after T tasks (De Lange et al. 2023)."""
    if not R:
        return None
    newest = _mean(R[-1][j] for j, day in enumerate(_homes(R, home)) if day == len(R) - 1)
    if len(R) == 1 or newest is None:
        return newest
    worst, share = min_acc(R, home), 1 / len(R)
    return None if worst is None else share * newest + (1 - share) * worst
