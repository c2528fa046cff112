"""Judges that ask a frozen snapshot about the attempt itself: how sure it is, or whether the problem can be told from the answer."""

from collections.abc import Callable, Mapping
from itertools import chain
from random import Random as Draws

from sleepwake.domains.language import judge_settings
from sleepwake.domains.language.families import Family
from sleepwake.domains.language.judges import Asked, Rewards
from sleepwake.domains.language.learners import TextLearner
from sleepwake.domains.language.likelihood import certainty, chosen, over_answers
from sleepwake.domains.language.problems import Batch, Line, Problem
from sleepwake.roles import Guard
from sleepwake.seeds import seed as derive

DIGITS = "0123456789"


class SelfCertainty(Asked):
    """The surer the better (Intuitor, arXiv 2505.19590). A negative control where errors are confident."""

    def __init__(
        self, chosen: judge_settings.SelfCertainty, families: Mapping[str, Family], guard: Guard, fresh: Callable[[], TextLearner]
    ) -> None:
        super().__init__(families, chosen.threshold, fresh)
        self.nats = chosen.nats

    def rewards(self, attempts: Batch, seed: int) -> Rewards:
        """C / (c + nats), c the mean self-certainty of the answer's tokens."""
        snapshot = self.asked()
        sure = over_answers(snapshot, attempts.lines, certainty)
        return [each / (each + self.nats) for each in sure]


class Cycle(Asked):
    """A masked given must be recovered from the answer (backward verification): of all digits in its place, the one that was there makes
    the answer the likeliest.
    """

    def __init__(
        self, chosen: judge_settings.Cycle, families: Mapping[str, Family], guard: Guard, fresh: Callable[[], TextLearner]
    ) -> None:
        super().__init__(families, chosen.threshold, fresh)
        self.givens = chosen.givens

    def rewards(self, attempts: Batch, seed: int) -> Rewards:
        """Share of the masked givens that are recovered; None where nothing can be masked."""
        rivals = [self._rivals(line, derive(seed, at)) for at, line in enumerate(attempts.lines)]
        asked = [one for line, lists in zip(attempts.lines, rivals, strict=True) if lists for one in (line, *chain.from_iterable(lists))]
        likely = iter(over_answers(self.asked(), asked, chosen))
        rewards: Rewards = []
        for lists in rivals:
            own = next(likely) if lists else 0.0
            found = [own > max([next(likely) for _ in lines]) for lines in lists]
            rewards.append(sum(found) / len(found) if found else None)
        return rewards

    def _rivals(self, line: Line, seed: int) -> list[list[Line]]:
        """For each masked given the line with every other digit that leaves the problem well formed."""
        (family, text), lists = line.problem, []
        places = [at for at, char in enumerate(text) if char in DIGITS]
        for at in Draws(seed).sample(places, min(self.givens, len(places))):
            others = [text[:at] + digit + text[at + 1 :] for digit in DIGITS if digit != text[at]]
            kept = [Line(Problem(family, other), line.answer) for other in others if self.families[family].well_formed(other)]
            if kept:
                lists.append(kept)
        return lists
