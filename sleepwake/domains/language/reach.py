"""The boundary: what many samples of a problem reach, before the nights and after them, by level. Only for the report; inside an audit."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from random import Random
from typing import Any

from sleepwake.boundary import cover, crossover, gain, guessed, ledger, mcnemar, mean_pass
from sleepwake.domains.language.families import Family
from sleepwake.domains.language.learners import TextLearner
from sleepwake.domains.language.problems import Problem
from sleepwake.records import Facts
from sleepwake.roles import Guard, Mind
from sleepwake.seeds import seed as derive

ABOVE = 2
"""Levels measured above the highest that was ever dreamed."""
ROWS = 4096
"""Samples that are drawn together."""
TAUS = (0.1, 0.25, 0.5, 0.8)


def dreamed_to(mind: Mind, family: str) -> int:
    """The highest level that was practised or proposed, as far as the mind remembers."""
    of = mind.learner.families[family].level
    practised: list[int] = [of(line.problem.text) for line in mind.challenger.practice.all() if line.problem.family == family]
    proposed = [int(level) for level in mind.challenger.shares.get(family, {})]
    highest: int = max([int(mind.challenger.levels.get(family, 1)), *practised, *proposed])
    return highest


def right(learner: TextLearner, family: Family, problems: Sequence[Problem], samples: int, seed: int, guard: Guard) -> list[int]:
    """Right answers among so many samples at temperature 1, problem by problem."""
    counts: list[int] = []
    together = max(1, ROWS // samples)
    for first in range(0, len(problems), together):
        asked = problems[first : first + together]
        attempts = learner.attempt(asked, (1.0,) * samples, derive(seed, first))
        with guard.audit():
            counts += [
                sum(bool(family.verify(problem.text, answer)) for answer in answers)
                for problem, answers in zip(asked, attempts, strict=True)
            ]
    return counts


def reach(
    dusks: Sequence[Mind], now: Mind, families: Mapping[str, Family], first: int, to: int | None, problems: int, samples: int,
    guard: Guard, seed: int,
) -> Facts:  # fmt: skip
    """Sample problems of every level from one to two above the highest that was dreamed.

    Args:
        dusks: minds before the nights, oldest first; a family is compared with the first that knows it.
        now: the mind after them.
        families: of the stream.
        first: lowest level; of families that have none so high, their highest.
        to: highest level at most.
        problems: a level; at low levels there may be fewer that differ.
        samples: n, a problem; k is half of it.
        guard: lets ground truth be read.
        seed: of problems and samples.

    Returns:
        k, n, problems; `levels`: by family and level the mean pass@k and pass@1 before and after, pass@k of guesses, and whether it was
        dreamed; `families`: of all levels how many problems were asked, the ledger (above guesses) with its null band, McNemar's p, the
        gain's two parts, the crossover, Cover@tau.
    """
    k, levels, told = samples // 2, dict[str, dict[str, Any]](), dict[str, dict[str, Any]]()
    for name in now.learner.known:
        before = next(dusk for dusk in dusks if name in dusk.learner.known)
        highest = max(dreamed_to(now, name), first - 1)  # after a rollback nothing was dreamed
        was, is_, floors = list[int](), list[int](), list[float]()
        levels[name] = {}
        for level in range(first, min(highest + ABOVE, to or highest + ABOVE) + 1):
            draws = Random(derive(seed, name, level))
            with guard.audit():
                asked = [Problem(name, text) for text in dict.fromkeys(families[name].sample(level, draws) for _ in range(problems))]
            level = families[name].level(asked[0].text)
            if str(level) in levels[name]:
                break  # a family of questions has one level
            counts = [
                right(mind.learner, families[name], asked, samples, derive(seed, name, level, place), guard)
                for place, mind in enumerate((before, now))
            ]
            passes = {f"{when}{also}": round(mean_pass(samples, mine, at), 6)
                      for also, at in (("", k), ("_1", 1)) for when, mine in zip(("before", "after"), counts, strict=True)}  # fmt: skip
            floor = round(guessed(k, families[name].choices(level)), 6)
            levels[name][str(level)] = {**passes, "guessed": floor, "dreamed": level <= highest}
            was, is_, floors = was + counts[0], is_ + counts[1], floors + [floor] * len(asked)
        found = ledger(samples, was, is_, k, derive(seed, name, "null"), floors)
        covers = {str(tau): [round(cover(samples, mine, tau), 6) for mine in (was, is_)] for tau in (1 / samples, *TAUS)}
        parts = {key: round(value, 6) for key, value in {**asdict(found), **asdict(gain(samples, was, is_))}.items()}
        told[name] = {
            **parts,
            "asked": len(was),
            "outside": found.outside,
            "mcnemar": mcnemar(was, is_),
            "crossover": crossover(samples, was, is_),
            "cover": covers,
        }
    return {"k": k, "n": samples, "problems": problems, "levels": levels, "families": told}
