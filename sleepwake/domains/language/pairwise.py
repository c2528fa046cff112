"""Judging by comparison (SERL, arXiv 2511.07922): of every two attempts a frozen snapshot says which is better, in both orders.

R_A is how surely an attempt is preferred, in the mean over its comparisons; one with an attempt of very different length doesn't count
(the paper counts sampled wins, and weights them by |loser| / |winner|). R_J is what a judgement
earns: whether it agrees with the ranking that all judgements imply; a trainer that asks for it trains the judge in the learner.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations

from sleepwake.domains.language import judge_settings
from sleepwake.domains.language.asking import shares
from sleepwake.domains.language.families import Family
from sleepwake.domains.language.judges import Asked, Rewards
from sleepwake.domains.language.learners import TextLearner
from sleepwake.domains.language.pairs import Judging
from sleepwake.domains.language.problems import Batch, Line, Problem
from sleepwake.records import Facts
from sleepwake.roles import Guard

WORDS = ("1", "2")


class Pairwise(Asked):
    """Asks the skill `pairs` of a character model, and a chat model in words.

    Attributes:
        judging: the family that judgements are problems of.
        put: what was compared, by the judgement: a problem, the answer that stood first, and the second.
        ranks: R_A of the attempts judged last, by problem; kept for R_J until the judge is frozen anew.
        seen: comparisons of this phase, and how many of them changed with the order.
        duels: how surely the first of two attempts was found better in both orders, by problem and the two.
    """

    def __init__(
        self, chosen: judge_settings.Pairwise, families: Mapping[str, Family], guard: Guard, fresh: Callable[[], TextLearner]
    ) -> None:
        super().__init__(families, chosen.threshold, fresh)
        self.shortest = chosen.shortest
        self.judging, self.skill = next((name, family) for name, family in families.items() if isinstance(family, Judging))
        self.put: dict[Problem, tuple[Problem, str, str]] = {}
        self.ranks: dict[Problem, dict[str, float]] = {}
        self.seen = {"pairs": 0, "flips": 0}
        self.duels: dict[Problem, dict[tuple[str, str], float]] = {}

    def can_tell(self, problem: Problem) -> bool:
        """Whether it is no judgement itself: of these a trainer is given its own."""
        return problem.family != self.judging

    def rewards(self, attempts: Batch, seed: int) -> Rewards:
        """R_A of attempts; (1 + R_J) / 2 of judgements, None where both answers are ranked alike, or nowhere."""
        groups = {problem: places for problem, places in attempts.by_problem().items() if problem.family != self.judging}
        self._rank(attempts, groups)
        return [
            self._judged(line) if line.problem.family == self.judging else self.ranks[line.problem].get(line.answer or "")
            for line in attempts.lines
        ]

    def _rank(self, attempts: Batch, groups: Mapping[Problem, Sequence[int]]) -> None:
        """Compare every two attempts at a problem, in both orders; one that stands alone can't be compared."""
        duels = [
            (problem, attempts.lines[one].answer or "", attempts.lines[other].answer or "")
            for problem, places in groups.items()
            for one, other in combinations(places, 2)
        ]
        ahead = self._ask([duel for problem, one, other in duels for duel in ((problem, one, other), (problem, other, one))])
        won: dict[Problem, dict[str, list[float]]] = {problem: {} for problem in groups}
        for at, (problem, one, other) in enumerate(duels):
            first, second = ahead[2 * at], 1 - ahead[2 * at + 1]  # how surely `one` is better, standing first and standing second
            self.seen["pairs"] += 1
            self.seen["flips"] += (first > 0.5) != (second > 0.5)
            share = self.duels.setdefault(problem, {})[one, other] = (first + second) / 2
            weight = min(len(one), len(other)) / max(len(one), len(other))
            weight = weight if weight >= self.shortest else 0.0
            won[problem].setdefault(one, []).append(weight * share)
            won[problem].setdefault(other, []).append(weight * (1 - share))
        for problem, told in won.items():  # what a trainer samples later adds to a ranking, and takes nothing away
            self.ranks[problem] = self.ranks.get(problem, {}) | {answer: sum(each) / len(each) for answer, each in told.items()}

    def _judgement(self, problem: Problem, first: str, second: str) -> Problem:
        """Which of the two is right, as a problem."""
        text = self.skill.asked(self.families[problem.family].prefix, problem.text, first, second)
        judgement = Problem(self.judging, text)
        self.put[judgement] = (problem, first, second)
        return judgement

    def _ask(self, duels: Sequence[tuple[Problem, str, str]]) -> list[float]:
        """How surely the first answer of each is the right one."""
        snapshot = self.asked()
        prompts = [snapshot.prompt(self._judgement(*duel)) for duel in duels]
        return [row[0] for row in shares(snapshot, prompts, WORDS)] if prompts else []

    def _judged(self, line: Line) -> float | None:
        """1 where a judgement agrees with the ranking, 0 where it doesn't."""
        if line.problem not in self.put:
            return None
        problem, first, second = self.put[line.problem]
        ranks = self.ranks[problem]
        if ranks[first] == ranks[second]:
            return None
        return float(line.answer == ("1" if ranks[first] > ranks[second] else "2"))

    def judgements(self, material: Batch) -> list[Problem]:
        """Every two attempts at a problem that are not ranked alike, in both orders, as problems of their own."""
        problems = []
        for problem, places in material.by_problem().items():
            ranks = self.ranks.get(problem, {})
            for one, other in combinations([material.lines[at].answer or "" for at in places], 2):
                if one in ranks and other in ranks and ranks[one] != ranks[other]:
                    problems += [self._judgement(problem, *order) for order in ((one, other), (other, one))]
        return problems

    def metrics(self) -> Facts:
        """Of this phase's comparisons: how many; the share that changed with the order; how often they go in circles, and for length."""
        pairs, flips = self.seen["pairs"], self.seen["flips"]
        return {
            "bytes": 0,
            "pairs": pairs,
            "flips": round(flips / max(1, pairs), 6),
            "cycles": cycle_rate(self.duels.values()),
            "length_bias": length_bias(duel for duels in self.duels.values() for duel in duels.items()),
        }


def cycle_rate(groups: Iterable[Mapping[tuple[str, str], float]]) -> float | None:
    """The share of triples that go in a circle, a better than b, b than c, c than a; a judge that throws coins has a quarter.

    Args:
        groups: of each problem how surely the first of two attempts is better; triples that were not compared throughout are left out.

    Returns:
        None where there is no triple.
    """
    triples = circles = 0
    for duels in groups:
        better = {pair: share > 0.5 for pair, share in duels.items()} | {pair[::-1]: share < 0.5 for pair, share in duels.items()}
        for a, b, c in combinations(dict.fromkeys(answer for pair in duels for answer in pair), 3):
            rounds = [(a, b), (b, c), (c, a)]
            if all(pair in better for pair in rounds):
                triples += 1
                circles += all(better[pair] for pair in rounds) or all(better[pair[::-1]] for pair in rounds)
    return round(circles / triples, 6) if triples else None


def length_bias(duels: Iterable[tuple[tuple[str, str], float]]) -> float | None:
    """The correlation of how much longer an answer is with whether it is found better, 1 where the longer one always is.

    Which of two comes first means nothing, so each counts both ways round, and both means are 0.

    Returns:
        None where no two answers differ in length, or none is found better.
    """
    told = [(len(one) - len(other), (share > 0.5) - (share < 0.5)) for (one, other), share in duels]
    spread = sum(longer**2 for longer, _ in told) * sum(verdict**2 for _, verdict in told)
    return round(sum(longer * verdict for longer, verdict in told) / spread**0.5, 6) if spread else None
