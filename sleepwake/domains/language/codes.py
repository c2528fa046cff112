"""Codes: every day has a table of its own, from digits to letters; and looking things up in a table that stands before the problem.

An answer says each digit and then its letter, so that finding the letter is finding what came after the same digit before: what an
induction head does (Olsson et al. 2022, arXiv 2209.11895). A small model learns that in two million tokens; answers of letters alone it did
not learn in five.
"""

import re
from collections.abc import Iterator, Sequence
from random import Random
from typing import ClassVar

from sleepwake.domains.language.families import OneFormat, Strings
from sleepwake.domains.language.problems import Line
from sleepwake.domains.language.relations import Cut, Joined, Relation
from sleepwake.roles import Guard

DIGITS, LETTERS = "0123456789", "rcosap"
PAIRS = re.compile(r"(?:\d[rcosap])+")
LOOKUP = re.compile(r"((?:\d[rcosap])+)c\d\+(\d+)")
OPEN = "o"
"""What opens a table."""


def coded(table: dict[str, str], text: str) -> str:
    """Each digit and its letter."""
    return "".join(digit + table[digit] for digit in text)


class Lookup(OneFormat):
    """A table, the name of a code, and digits: o3r0o7pc4+70=7p0o. The name says nothing: all is in the table."""

    prefix = OPEN
    relations: tuple[Relation, ...] = ()

    def __init__(self, guard: Guard) -> None:
        self.guard = guard

    def sample(self, level: int, rng: Random) -> str:
        """Five to ten pairs in any order, and digits of the table. Guarded."""
        self.guard.check("a family's sample")
        keys = rng.sample(DIGITS, rng.randint(5, 10))
        pairs = "".join(key + rng.choice(LETTERS) for key in keys)
        return f"{pairs}c{rng.choice(DIGITS[1:])}+{''.join(rng.choice(keys) for _ in range(level))}"

    def _parts(self, problem: str) -> tuple[dict[str, str], str]:
        found = LOOKUP.fullmatch(problem)
        assert found is not None, problem
        pairs, asked = found.groups()
        return {pairs[at]: pairs[at + 1] for at in range(0, len(pairs), 2)}, asked

    def solve(self, problem: str) -> str:
        """The right answer. Guarded."""
        self.guard.check("a family's solve")
        return coded(*self._parts(problem))

    def verify(self, problem: str, answer: str) -> bool:
        """Whether the answer is right. Guarded."""
        self.guard.check("a family's verify")
        return answer == coded(*self._parts(problem))

    def well_formed(self, problem: str) -> bool:
        """A table, a name, and digits that are in the table."""
        found = LOOKUP.fullmatch(problem)
        return found is not None and set(found[2]) <= set(found[1][::2])

    def answer_formed(self, answer: str) -> bool:
        """Digits and letters in turn."""
        return PAIRS.fullmatch(answer) is not None

    def level(self, problem: str) -> int:
        """How many digits are asked for."""
        return len(problem.rpartition("+")[2])

    def choices(self, level: int) -> float:
        """A letter a digit."""
        return float(len(LETTERS) ** level)

    def compose(self, pieces: Iterator[str], level: int) -> str:
        """A piece's table with its digits, repeated and cut."""
        before, _, asked = next(pieces).rpartition("+")
        return f"{before}+{(asked * level)[:level]}"


class Code(Strings):
    """One of nine codes: c4+70=7p0o. What stands for a digit can't be known but from the day."""

    number: ClassVar[int]
    relations: tuple[Relation, ...] = tuple(Joined(cut, swapped=False) for cut in (Cut(1, 2), Cut(1, 3), Cut(2, 3)))

    def __init__(self, guard: Guard) -> None:
        super().__init__(guard)
        self.prefix = f"c{self.number}+"
        draws = Random(self.number)
        self._table = {digit: draws.choice(LETTERS) for digit in DIGITS}

    def answer_formed(self, answer: str) -> bool:
        """Digits and letters in turn."""
        return PAIRS.fullmatch(answer) is not None

    def choices(self, level: int) -> float:
        """A letter a digit."""
        return float(len(LETTERS) ** level)

    def _answer(self, problem: str) -> str:
        return coded(self._table, problem)

    def context(self, lines: Sequence[Line]) -> str:
        """The table that the lines tell, as a lookup begins."""
        pairs = {line.answer[at : at + 2]: None for line in lines if line.answer for at in range(0, len(line.answer), 2)}
        return OPEN + "".join(pairs)


Code1, Code2, Code3, Code4, Code5, Code6, Code7, Code8, Code9 = (type(f"Code{n}", (Code,), {"number": n}) for n in range(1, 10))
