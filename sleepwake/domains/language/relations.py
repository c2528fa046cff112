"""Metamorphic relations: what an answer must have in common with answers to easier parts of the problem.

A relation sees the problem and a judge's answers to at most three sub-problems, asks nothing further, and may only cut,
join, permute and shift: it must not be a solver in disguise. Each docstring says what the relation gives away;
`docs/methods.md` collects them. (Metamorphic testing: Chen, Cheung and Yiu 1998, arXiv 2002.12543.)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


class Relation(Protocol):
    """One relation of one family."""

    def parts(self, problem: str) -> list[str]:
        """At most three sub-problems to ask the judge; none where the relation says nothing of this problem."""
        ...

    def agreement(self, problem: str, answer: str, part_answers: Sequence[str]) -> float:
        """How far the answer agrees with the answers to the parts, in [0, 1].

        Args:
            problem: what was asked.
            answer: the attempt; non-empty, of the family's answer characters.
            part_answers: the judge's answers to `parts(problem)`, in the same order, of the same characters.
        """
        ...


def shift(digits: str, by: int, modulus: int) -> str:
    """Each digit raised by a number, modulo."""
    return "".join(str((int(digit) + by) % modulus) for digit in digits)


@dataclass(frozen=True)
class Cut:
    """Where a string is cut in two: after `numerator / denominator` of its length plus `offset` characters."""

    numerator: int
    denominator: int
    offset: int = 0

    def halves(self, problem: str) -> list[str]:
        """Both pieces, or nothing where one would be empty."""
        at = len(problem) * self.numerator // self.denominator + self.offset
        return [problem[:at], problem[at:]] if 0 < at < len(problem) else []


@dataclass(frozen=True)
class Joined:
    """The answer is the pieces' answers joined, in order (copy) or swapped (reverse).

    Gives away: that the task can be done piecewise and in which order the pieces' answers are joined; not what happens
    within a piece.
    """

    cut: Cut
    swapped: bool

    def parts(self, problem: str) -> list[str]:
        """The two pieces."""
        return self.cut.halves(problem)

    def agreement(self, problem: str, answer: str, part_answers: Sequence[str]) -> float:
        """1 where the answer is exactly the joined answers."""
        first, second = part_answers
        return float(answer == (second + first if self.swapped else first + second))


@dataclass(frozen=True)
class Carried:
    """The answer is the first piece's answer, then the second's shifted by the first's last digit (running sum, parity
    of one digit).

    Gives away: that what came before enters a later piece only as a constant shift, and that the constant is the last
    digit of the judge's own answer to the first piece; not how a digit of the problem enters the sum.
    """

    cut: Cut
    modulus: int
    last_only: bool = False

    def parts(self, problem: str) -> list[str]:
        """The two pieces."""
        return self.cut.halves(problem)

    def agreement(self, problem: str, answer: str, part_answers: Sequence[str]) -> float:
        """1 where the answer is exactly the carried answers (only their last digit for parity)."""
        first, second = part_answers
        later = shift(second, int(first[-1]), self.modulus)
        return float(answer == (later if self.last_only else first + later))


@dataclass(frozen=True)
class Interleaved:
    """The answer is some interleaving of the pieces' answers (sort): no digits are compared, any merge passes.

    Gives away: that order within a piece's answer is kept in the whole. One relation alone passes most wrong merges
    (the plain concatenation, for one); three cuts by differing patterns leave few.
    """

    pattern: str
    """Which characters go to the first piece, repeated over the problem: "10" takes every other one."""

    def parts(self, problem: str) -> list[str]:
        """The characters at the pattern's ones, then those at its zeros."""
        marks = [self.pattern[at % len(self.pattern)] for at in range(len(problem))]
        pieces = ["".join(char for char, mark in zip(problem, marks, strict=True) if mark == side) for side in "10"]
        return pieces if all(pieces) else []

    def agreement(self, problem: str, answer: str, part_answers: Sequence[str]) -> float:
        """1 where the answer can be split into both pieces' answers, each in order."""
        first, second = part_answers
        if len(answer) != len(first) + len(second):
            return 0.0
        reachable = {0}  # how many characters of `first` the answer so far may have used
        for at, char in enumerate(answer):
            reachable = {used + 1 for used in reachable if used < len(first) and first[used] == char} | {
                used for used in reachable if at - used < len(second) and second[at - used] == char
            }
        return float(bool(reachable))


@dataclass(frozen=True)
class Without:
    """Without one character of the problem, the answer loses that character and keeps the order of the others (sort).

    Gives away: that the answer holds the problem's characters; their order comes from the judge's answer to the shorter
    problem.
    """

    last: bool
    """The last character is left out; else the first."""

    def parts(self, problem: str) -> list[str]:
        """The problem but for one character."""
        return [] if len(problem) < 2 else [problem[:-1] if self.last else problem[1:]]

    def agreement(self, problem: str, answer: str, part_answers: Sequence[str]) -> float:
        """1 where deleting one copy of the character somewhere in the answer leaves the judge's answer."""
        gone = problem[-1] if self.last else problem[0]
        shorter = (answer[:at] + answer[at + 1 :] for at, char in enumerate(answer) if char == gone)
        return float(any(rest == part_answers[0] for rest in shorter))


@dataclass(frozen=True)
class Permuted:
    """The problem's characters rotated: the same answer (sort, parity).

    Gives away: that order doesn't matter. The judge answers a problem as long as the original, so alone it is little
    more than a vote.
    """

    by: int

    def parts(self, problem: str) -> list[str]:
        """The problem rotated by `by` characters."""
        rotated = problem[self.by :] + problem[: self.by]
        return [] if rotated == problem else [rotated]

    def agreement(self, problem: str, answer: str, part_answers: Sequence[str]) -> float:
        """1 where both answers are equal."""
        return float(answer == part_answers[0])


@dataclass(frozen=True)
class LowDigits:
    """The sum of the operands without their highest digits has the same lowest digits (addition, lowest digit first).

    Gives away: that a digit of the sum doesn't depend on higher digits.
    """

    kept: Cut

    def parts(self, problem: str) -> list[str]:
        """The low digits of both operands."""
        pairs = [self.kept.halves(operand) for operand in problem.split("+")]
        return ["+".join(low for low, _ in pairs)] if all(pairs) else []

    def agreement(self, problem: str, answer: str, part_answers: Sequence[str]) -> float:
        """1 where the answer begins with the lower part's digits (as many as were kept: a carry may follow)."""
        kept = len(self.parts(problem)[0].split("+")[0])
        return float(len(answer) > kept and answer[:kept] == part_answers[0][:kept])


@dataclass(frozen=True)
class HighDigits:
    """The sum of the operands without their lowest digits, with or without a carry into it, ends the answer (addition).

    Gives away: that what comes from below is at most one, added to the lowest digit that is left; not when it is one.
    """

    dropped: Cut

    def parts(self, problem: str) -> list[str]:
        """The high digits of both operands, and the same with one operand raised by one; nothing where both begin with a 9."""
        pairs = [self.dropped.halves(operand) for operand in problem.split("+")]
        if not all(pairs):
            return []
        (_, first), (_, second) = pairs
        if first[0] == "9":
            first, second = second, first
        return [] if first[0] == "9" else [f"{first}+{second}", f"{shift(first[0], 1, 10)}{first[1:]}+{second}"]

    def agreement(self, problem: str, answer: str, part_answers: Sequence[str]) -> float:
        """1 where the answer ends in one of the judge's answers."""
        dropped = len(problem.split("+")[0]) - len(self.parts(problem)[0].split("+")[0])
        return float(answer[dropped:] in part_answers)


@dataclass(frozen=True)
class Swapped:
    """Both operands swapped: the same sum (addition).

    Gives away: that addition commutes. The judge answers a problem as long as the original, so alone it is little more
    than a vote.
    """

    def parts(self, problem: str) -> list[str]:
        """The operands the other way round."""
        first, second = problem.split("+")
        return [] if first == second else [second + "+" + first]

    def agreement(self, problem: str, answer: str, part_answers: Sequence[str]) -> float:
        """1 where both answers are equal."""
        return float(answer == part_answers[0])
