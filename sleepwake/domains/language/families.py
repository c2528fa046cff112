"""Families of problems with open-ended difficulty: ground truth (guarded), syntax (always readable) and relations.

`sample`, `solve` and `verify` know the truth: they pass the guard and raise by night outside an audit. `well_formed`,
`level` and `compose` know only how a problem is written, and may be used by night.
"""

from collections.abc import Iterator, Mapping, Sequence
from math import comb, inf
from pathlib import Path
from random import Random
from typing import Any, Protocol

from sleepwake.domains import check_own, load_class, own_class
from sleepwake.domains.language.problems import Line
from sleepwake.domains.language.relations import (
    Carried,
    Cut,
    HighDigits,
    Interleaved,
    Joined,
    LowDigits,
    Permuted,
    Relation,
    Swapped,
    Without,
)
from sleepwake.domains.language.settings import CLASSES
from sleepwake.errors import RecipeError
from sleepwake.roles import Guard

MIDDLE = (Cut(1, 2), Cut(1, 3), Cut(2, 3))
"""Three cuts whose pieces are at most two thirds of the problem: a judge answers those far more surely than the
whole."""


class Family(Protocol):
    """One skill."""

    prefix: str
    """The character that opens its lines, and from which the model writes its problems."""
    relations: tuple[Relation, ...]
    formats: tuple[str, ...]
    """Names of the ways in which answers may be written."""

    practised: bool
    """Whether challengers set problems of it."""

    def sample(self, level: int, rng: Random) -> str:
        """A problem of a level. Guarded."""
        ...

    def solve(self, problem: str) -> str:
        """The right answer. Guarded."""
        ...

    def verify(self, problem: str, answer: str) -> bool | None:
        """Whether an answer is right; None where nobody knows. Guarded."""
        ...

    def well_formed(self, problem: str) -> bool:
        """Whether it is written like a problem of this family; says nothing of answers."""
        ...

    def answer_formed(self, answer: str) -> bool:
        """Whether it is written like an answer: not empty, and of the right characters."""
        ...

    def value(self, answer: str) -> str:
        """What a well-formed answer says, however it is written: answers are equal where their values are."""
        ...

    def form(self, answer: str) -> str:
        """The name of the format in which a well-formed answer is written."""
        ...

    def level(self, problem: str) -> int:
        """The length of a well-formed problem's operands."""
        ...

    def choices(self, level: int) -> float:
        """How many values an answer at a level can have, for whoever guesses; infinity where they can't be counted."""
        ...

    def compose(self, pieces: Iterator[str], level: int) -> str:
        """A problem of a level, joined and cut from well-formed pieces."""
        ...

    def context(self, lines: Sequence[Line]) -> str:
        """How a day's lines are written before a problem, for a learner that reads them and isn't trained on them."""
        ...


class OneFormat:
    """What families share whose answers are written in one way."""

    formats: tuple[str, ...] = ("plain",)
    practised: bool = True

    def value(self, answer: str) -> str:
        """The answer itself."""
        return answer

    def form(self, answer: str) -> str:
        """The one."""
        return "plain"

    def choices(self, level: int) -> float:
        """As of free text."""
        return inf

    def context(self, lines: Sequence[Line]) -> str:
        """Problems with their answers, one after the other."""
        return "".join(f"{line.problem.text}={line.answer}+" for line in lines)


class Strings(OneFormat):
    """What the families over one string of digits share; their leaves know the answer."""

    digits = "0123456789"

    def __init__(self, guard: Guard) -> None:
        self.guard = guard

    def sample(self, level: int, rng: Random) -> str:
        """Uniform digits. Guarded."""
        self.guard.check("a family's sample")
        return "".join(rng.choice(self.digits) for _ in range(level))

    def well_formed(self, problem: str) -> bool:
        """Digits of the family, at least one."""
        return bool(problem) and set(problem) <= set(self.digits)

    answer_formed = well_formed

    def level(self, problem: str) -> int:
        """Its length."""
        return len(problem)

    def choices(self, level: int) -> float:
        """Strings of the family's digits, as long as the problem."""
        return float(len(self.digits) ** level)

    def compose(self, pieces: Iterator[str], level: int) -> str:
        """Pieces joined until long enough, then cut."""
        joined = ""
        while len(joined) < level:
            joined += next(pieces)
        return joined[:level]

    def _answer(self, problem: str) -> str:
        raise NotImplementedError

    def solve(self, problem: str) -> str:
        """The right answer. Guarded."""
        self.guard.check("a family's solve")
        return self._answer(problem)

    def verify(self, problem: str, answer: str) -> bool:
        """Whether the answer is right. Guarded."""
        self.guard.check("a family's verify")
        return answer == self._answer(problem)


class Reverse(Strings):
    """The digits from last to first: r123=321."""

    prefix = "r"
    relations: tuple[Relation, ...] = tuple(Joined(cut, swapped=True) for cut in MIDDLE)

    def _answer(self, problem: str) -> str:
        return problem[::-1]


class Copy(Strings):
    """The digits again: c123=123."""

    prefix = "c"
    relations: tuple[Relation, ...] = tuple(Joined(cut, swapped=False) for cut in MIDDLE)

    def _answer(self, problem: str) -> str:
        return problem


class Sort(Strings):
    """The digits in ascending order: o312=123."""

    prefix = "o"
    relations: tuple[Relation, ...] = (
        Interleaved("10"),
        Interleaved("1100"),
        Interleaved("11110000"),
        Without(last=True),
        Without(last=False),
        Permuted(1),
    )

    def choices(self, level: int) -> float:
        """Strings of so many digits in ascending order."""
        return float(comb(level + 9, level))

    def _answer(self, problem: str) -> str:
        return "".join(sorted(problem))


class Sum(Strings):
    """The running sum modulo 10: s567=518."""

    prefix = "s"
    relations: tuple[Relation, ...] = tuple(Carried(cut, 10) for cut in MIDDLE)

    def _answer(self, problem: str) -> str:
        total, answer = 0, ""
        for digit in problem:
            total = (total + int(digit)) % 10
            answer += str(total)
        return answer


class Parity(Strings):
    """Whether the number of ones is odd: p1101=1. One character, so a guess is right half of the time."""

    prefix = "p"
    digits = "01"
    relations: tuple[Relation, ...] = (*(Carried(cut, 2, last_only=True) for cut in MIDDLE), Permuted(1))

    def choices(self, level: int) -> float:
        """Two."""
        return 2.0

    def _answer(self, problem: str) -> str:
        return str(problem.count("1") % 2)


class Addition(OneFormat):
    """Two numbers of equal length, lowest digit first: a21+93=150 is 12 + 39 = 051; the sum has one digit more than the
    operands.
    """

    prefix = "a"
    relations: tuple[Relation, ...] = (
        LowDigits(Cut(1, 2)),
        LowDigits(Cut(2, 3)),
        HighDigits(Cut(1, 2)),
        HighDigits(Cut(1, 3)),
        Swapped(),
    )

    def __init__(self, guard: Guard) -> None:
        self.guard = guard

    def sample(self, level: int, rng: Random) -> str:
        """Uniform digits, leading zeros included. Guarded."""
        self.guard.check("a family's sample")
        return "+".join("".join(rng.choice("0123456789") for _ in range(level)) for _ in range(2))

    def _answer(self, problem: str) -> str:
        first, second = problem.split("+")
        total = str(int(first[::-1]) + int(second[::-1]))
        return total[::-1].ljust(len(first) + 1, "0")

    def solve(self, problem: str) -> str:
        """The right answer. Guarded."""
        self.guard.check("a family's solve")
        return self._answer(problem)

    def verify(self, problem: str, answer: str) -> bool:
        """Whether the answer is right. Guarded."""
        self.guard.check("a family's verify")
        return answer == self._answer(problem)

    def well_formed(self, problem: str) -> bool:
        """Two operands of digits, equally long."""
        operands = problem.split("+")
        return len(operands) == 2 and len(operands[0]) == len(operands[1]) and all(map(Addition.digits, operands))

    @staticmethod
    def digits(text: str) -> bool:
        """Digits, at least one."""
        return bool(text) and set(text) <= set("0123456789")

    def answer_formed(self, answer: str) -> bool:
        """Digits, at least one."""
        return self.digits(answer)

    def level(self, problem: str) -> int:
        """Digits an operand."""
        return problem.index("+")

    def choices(self, level: int) -> float:
        """Sums of two numbers below 10^level."""
        return float(2 * 10**level - 1)

    def compose(self, pieces: Iterator[str], level: int) -> str:
        """First operands joined, second operands joined, both cut."""
        first, second = "", ""
        while len(first) < level:
            left, right = next(pieces).split("+")
            first, second = first + left, second + right
        return f"{first[:level]}+{second[:level]}"


def families(
    guard: Guard, names: tuple[str, ...], places: tuple[Path, ...] = (), sets: Mapping[str, Any] | None = None
) -> Mapping[str, Family]:
    """The named families, reading under the guard; a user's own is named by its code, a set of questions by its section."""

    def one(name: str) -> Any:
        if sets and name in sets:
            return load_class(CLASSES["questions"]["file"])(name, sets[name], guard, places)
        if ":" not in name:
            return load_class(CLASSES["family"][name])(guard)
        own = own_class(name, places, ("guard",))(guard)
        check_own(name, own, Family)
        return own

    return {name: one(name) for name in names}


def check_prefixes(known: Mapping[str, Family], alphabet: str) -> None:
    """Refuse families that a learner of characters can't write, or can't tell apart.

    Raises:
        RecipeError: a prefix is of other characters, or another family's.
    """
    seen: dict[str, str] = {}
    for name, family in known.items():
        if not family.prefix or set(family.prefix) - set(alphabet):
            raise RecipeError(f"{name}: the prefix {family.prefix!r} can't be written in {alphabet!r}", f'prefix = "{alphabet[-1]}"')
        if (other := seen.setdefault(family.prefix, name)) != name:
            raise RecipeError(f"{name} and {other} both begin with {family.prefix!r}: the model can't tell them apart", "another prefix")
