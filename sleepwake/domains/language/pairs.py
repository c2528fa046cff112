"""Which of two answers is right: judging as a skill. The answer is 1 or 2.

A character model learns it by day on the day's levels. A problem names the skill by its prefix, then the question and both answers:
pc123+123+124 asks of copying 123. A chat model is asked in words, and no day teaches it.
"""

from collections.abc import Iterator
from itertools import islice
from random import Random
from typing import Never

from sleepwake.domains.language.families import Copy, OneFormat, Strings, Sum
from sleepwake.domains.language.relations import Relation
from sleepwake.roles import Guard

TRIES = 50
"""Pieces that are looked through for one whose answers still differ when it is cut."""


ASK = "Which answer to the problem is right? Say 1 or 2.\n\nProblem: {problem}\n1: {first}\n2: {second}"
IN_WORDS = "judging"
"""The name under which a domain has `InWords`."""


class Judging(OneFormat):
    """What is asked of two answers, and that it is answered by 1 or 2."""

    relations: tuple[Relation, ...] = ()
    practised = False

    def answer_formed(self, answer: str) -> bool:
        """1 or 2."""
        return answer in ("1", "2")

    def choices(self, level: int) -> float:
        """Two."""
        return 2.0

    def asked(self, prefix: str, problem: str, first: str, second: str) -> str:
        """A problem of the family with this prefix and two answers to it, as a problem's text."""
        raise NotImplementedError


class InWords(Judging):
    """A question in a chat's user's turn. No day sets it, and nobody knows what is right."""

    prefix = ""

    def asked(self, prefix: str, problem: str, first: str, second: str) -> str:
        """A question."""
        return ASK.format(problem=problem, first=first, second=second)

    def verify(self, problem: str, answer: str) -> None:
        """None: nobody knows."""
        return None

    def well_formed(self, problem: str) -> bool:
        """Always: a model is asked it, and never writes it."""
        return True

    def level(self, problem: str) -> int:
        """One."""
        return 1

    def sample(self, level: int, rng: Random) -> Never:
        """No day sets it."""
        raise AssertionError("judgements in words are no task")

    def solve(self, problem: str) -> Never:
        """Nobody knows."""
        raise AssertionError("judgements in words are no task")

    def compose(self, pieces: Iterator[str], level: int) -> Never:
        """No night practises it alone."""
        raise AssertionError("judgements in words are no task")


class Pairs(Judging):
    """Copies and running sums, each with its right answer and one that is wrong in a digit, or lacks its last."""

    prefix = "p"

    def __init__(self, guard: Guard) -> None:
        self.guard = guard
        self.skills: dict[str, Strings] = {skill.prefix: skill(guard) for skill in (Copy, Sum)}

    def sample(self, level: int, rng: Random) -> str:
        """Both skills as often, the right answer first as often as second. Guarded."""
        self.guard.check("a family's sample")
        prefix = rng.choice(list(self.skills))
        problem = self.skills[prefix].sample(level, rng)
        right = self.skills[prefix].solve(problem)
        at = rng.randrange(level)
        wrong = right[:at] + rng.choice([digit for digit in "0123456789" if digit != right[at]]) + right[at + 1 :]
        if level > 1 and rng.random() < 0.25:
            wrong = right[:-1]
        return self.asked(prefix, problem, *((right, wrong) if rng.random() < 0.5 else (wrong, right)))

    def asked(self, prefix: str, problem: str, first: str, second: str) -> str:
        """All four, with "+" between them."""
        return f"{prefix}{problem}+{first}+{second}"

    def parts(self, problem: str) -> tuple[str, str, str, str]:
        """The skill's prefix, the question, the first answer and the second."""
        text, first, second = problem[1:].split("+")
        return problem[0], text, first, second

    def _answer(self, problem: str) -> str:
        prefix, text, first, second = self.parts(problem)
        right = [self.skills[prefix].verify(text, answer) for answer in (first, second)]
        return "1" if right[0] and not right[1] else "2" if right[1] and not right[0] else ""

    def solve(self, problem: str) -> str:
        """Which is right. Guarded."""
        self.guard.check("a family's solve")
        return self._answer(problem)

    def verify(self, problem: str, answer: str) -> bool | None:
        """Whether it names the right one; None where both are right or both wrong. Guarded."""
        self.guard.check("a family's verify")
        right = self._answer(problem)
        return answer == right if right else None

    def well_formed(self, problem: str) -> bool:
        """A skill, a question, and two answers that differ."""
        if problem[:1] not in self.skills or problem.count("+") != 2:
            return False
        prefix, *texts = self.parts(problem)
        return all(map(self.skills[prefix].well_formed, texts)) and texts[1] != texts[2]

    def level(self, problem: str) -> int:
        """The length of the question."""
        return len(self.parts(problem)[1])

    def compose(self, pieces: Iterator[str], level: int) -> str:
        """A piece cut to the level, or repeated up to it; of copies and sums a beginning's answer is the answer's beginning."""
        made = ""
        for piece in islice(pieces, TRIES):
            prefix, *texts = self.parts(piece)
            made = self.asked(prefix, *((text * level)[:level] if level > len(texts[0]) else text[:level] for text in texts))
            if self.well_formed(made):  # and not cut before the answers differ
                break
        return made
