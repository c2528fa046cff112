"""One arithmetic task with answers in three formats, told apart by string rules: what an echo chamber is seen on.

Reinforcement learning makes one format of many (Zhao et al. 2025, arXiv 2504.07912), whichever is rewarded a little more at first. Here
sums of two numbers, lowest digit first as in `addition`: plain (051), worked (carries, then the sum: 010+051), or marked (the
sum with its highest digit first: +150). All three say the same, and are judged by what they say.
"""

import re
from random import Random
from zlib import crc32

from sleepwake.domains.language.families import Addition

FORMATS = {"plain": re.compile(r"\d+"), "worked": re.compile(r"\d+\+\d+"), "marked": re.compile(r"\+\d+")}
"""The rule of each format; no text follows two."""
SHARES = {"plain": 50, "worked": 30, "marked": 20}
"""Of a hundred lines of the day."""


class Formats(Addition):
    """Addition whose day shows a problem in one of three formats, by chance but the same each time."""

    formats = tuple(FORMATS)

    def form(self, answer: str) -> str:
        """The format's name; empty where the answer follows no rule."""
        return next((name for name, rule in FORMATS.items() if rule.fullmatch(answer)), "")

    def value(self, answer: str) -> str:
        """The sum, lowest digit first."""
        return answer[:0:-1] if answer.startswith("+") else answer.rpartition("+")[2]

    def answer_formed(self, answer: str) -> bool:
        """Written in one of the formats."""
        return bool(self.form(answer))

    def solve(self, problem: str) -> str:
        """The right answer in the problem's format. Guarded."""
        self.guard.check("a family's solve")
        names, weights = zip(*SHARES.items(), strict=True)
        (name,) = Random(crc32(problem.encode())).choices(names, weights)
        total = self._answer(problem)
        return {"plain": total, "worked": f"{carries(problem)}+{total}", "marked": f"+{total[::-1]}"}[name]

    def verify(self, problem: str, answer: str) -> bool:
        """Whether the answer says the right sum, in whatever format; carries are not looked at. Guarded."""
        self.guard.check("a family's verify")
        return self.answer_formed(answer) and self.value(answer) == self._answer(problem)


def carries(problem: str) -> str:
    """What each place hands on to the next, lowest first."""
    carry, handed = 0, ""
    for left, right in zip(*problem.split("+"), strict=True):
        carry = (int(left) + int(right) + carry) // 10
        handed += str(carry)
    return handed
