"""The domain's batch: lines, each a problem of a family with an answer or still without one."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self


class Problem(NamedTuple):
    """What is asked: a family's name and the text between its prefix and the "=" sign."""

    family: str
    text: str


class Line(NamedTuple):
    """A problem with an answer: from the day's data, or an attempt of the learner.

    Attributes:
        problem: what is asked.
        answer: what is said; None for a problem that nobody has attempted yet.
        votes: how many of the learner's attempts said this.
    """

    problem: Problem
    answer: str | None = None
    votes: int = 1


ProblemWeight = float | Callable[[Line], float]
"""Weight in the loss of a problem's tokens, where an answer's weigh 1: of all lines, or by the line."""


@dataclass(frozen=True)
class Batch:
    """Lines in order. Attempts at one problem are several lines with that problem, one for each distinct answer."""

    lines: tuple[Line, ...] = ()

    def __len__(self) -> int:
        return len(self.lines)

    def select(self, mask: Sequence[bool]) -> Self:
        """The lines where the mask is true, in order."""
        return type(self)(tuple(line for line, chosen in zip(self.lines, mask, strict=True) if chosen))

    def concat(self, other: Self) -> Self:
        """These lines, then the others."""
        return type(self)(self.lines + other.lines)

    def by_problem(self) -> Mapping[Problem, list[int]]:
        """Positions of each problem's lines, problems in order of first appearance."""
        positions: dict[Problem, list[int]] = {}
        for at, line in enumerate(self.lines):
            positions.setdefault(line.problem, []).append(at)
        return positions


class Challenge(NamedTuple):
    """Practise this many problems of a family at a level; where the challenger wrote them itself, these."""

    family: str
    level: int
    problems: int
    texts: tuple[str, ...] = ()


def gathered(problems: Sequence[Problem], answers: Sequence[Sequence[str]]) -> Batch:
    """A line for each distinct answer to each problem, most frequent first, with its votes."""
    return Batch(
        tuple(
            Line(problem, answer, votes)
            for problem, given in zip(problems, answers, strict=True)
            for answer, votes in Counter(given).most_common()
        )
    )


def voted(lines: Iterable[Line], value: Callable[[str], str]) -> Counter[str]:
    """How many attempts said each value; what is written in several ways but says the same is counted together."""
    votes: Counter[str] = Counter()
    for line in lines:
        votes[value(line.answer or "")] += line.votes
    return votes


def unsure(share: float) -> float:
    """1 - 2 |p - 1/2| of a share p: 1 where it is half, 0 where it is none or all (R-Zero, arXiv 2508.05004)."""
    return 1 - 2 * abs(share - 0.5)


def to_json(lines: Sequence[Line]) -> list[list[str | int | None]]:
    """Lines as JSON rows."""
    return [[*line.problem, line.answer, line.votes] for line in lines]


def from_json(rows: Sequence[Sequence[str]]) -> tuple[Line, ...]:
    """What `to_json` gave."""
    return tuple(Line(Problem(family, text), answer, int(votes)) for family, text, answer, votes in rows)


def size(lines: Sequence[Line]) -> int:
    """Characters of problems and answers, one byte each."""
    return sum(len(line.problem.text) + len(line.answer or "") for line in lines)


def stored(lines: Sequence[Line]) -> dict[str, Any]:
    """What a role that keeps a day's data reports of it; `images` is the domain-free name of stored examples."""
    return {"bytes": size(lines), "lines": len(lines), "memory": {"images": size(lines)}}
