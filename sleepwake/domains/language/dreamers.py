"""The dreamer: the learner itself writes problems after a family's prefix; harder ones are joined from pieces that it
wrote.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from random import Random

from sleepwake.domains import tensors
from sleepwake.domains.language import settings
from sleepwake.domains.language.families import Family
from sleepwake.domains.language.learners import TextLearner
from sleepwake.domains.language.problems import Batch, Challenge, Line, Problem, ProblemWeight, gathered
from sleepwake.records import Facts, Task
from sleepwake.roles import Source
from sleepwake.seeds import seed as derive

Counts = dict[str, dict[str, int]]
TRIES = 20
"""Problems composed for each one wanted, before fewer are given: at low levels there are not many distinct ones."""


class ModelDreamer:
    """Writes pieces, composes problems of the wanted level, and lets the learner attempt them.

    Has no weights of its own (the learner's are used); keeps count of how well formed the pieces of its last dream were.
    """

    def __init__(self, chosen: settings.ModelDreamer, families: Mapping[str, Family], limit: int) -> None:
        self.settings, self.families = chosen, families
        self.limit = limit
        self.formed: Counts = {}

    def fit(self, task: Task, examples: Batch, replay: Source | None, learner: TextLearner, seed: int) -> Facts:
        """Nothing to fit: the learner learned to write problems with the whole lines."""
        return {}

    def problems(self, challenges: Sequence[Challenge], learner: TextLearner, seed: int) -> list[Problem]:
        """Distinct problems of each challenge's level; fewer where the model's pieces don't give as many."""
        return self._composed(challenges, learner, seed)[0]

    def _composed(self, challenges: Sequence[Challenge], learner: TextLearner, seed: int) -> tuple[list[Problem], Counts]:
        """The problems, and by family what was written for them: how many pieces, how many well formed, how many a level."""
        dreamed: dict[Problem, None] = {}
        pools: dict[str, list[str]] = {}
        counts: Counts = {}
        for at, challenge in enumerate(challenges):
            family = challenge.family
            if challenge.texts:
                dreamed.update(dict.fromkeys(Problem(family, text) for text in challenge.texts))
                continue
            known = self.families[family]
            if family not in pools:
                written = learner.write(family, self.settings.pool, self.limit, derive(seed, "pieces", family))
                pools[family] = [text for text in written if known.well_formed(text)]  # of whatever level the model writes
                spread = Counter(known.level(text) for text in pools[family])
                by_level = {str(level): n for level, n in sorted(spread.items())}
                counts[family] = {"written": len(written), "formed": len(pools[family]), **by_level}
            if not pools[family]:
                continue
            stream = shuffled(pools[family], Random(derive(seed, "order", at)))
            made: dict[Problem, None] = {}
            for _ in range(TRIES * challenge.problems):
                made[Problem(family, known.compose(stream, challenge.level))] = None
                if len(made) == challenge.problems:
                    break
            dreamed.update(made)
        return list(dreamed), counts

    def dream(self, challenges: Sequence[Challenge], learner: TextLearner, seed: int) -> Batch:
        """Problems with the learner's distinct attempts, or problems alone where the recipe asks for no attempts."""
        problems, self.formed = self._composed(challenges, learner, seed)
        if not self.settings.attempts:
            return Batch(tuple(Line(problem) for problem in problems))
        temperatures = (0.0, *(self.settings.temperature,) * (self.settings.attempts - 1))
        attempts = learner.attempt(problems, temperatures, derive(seed, "attempts"))
        return gathered(problems, attempts)

    def answered(self, challenges: Sequence[Challenge], learner: TextLearner, seed: int) -> list[Line]:
        """The learner's own problems with its own greedy answers; malformed answers are left out."""
        problems = self.problems(challenges, learner, seed)
        lines = [Line(problem, said) for problem, said in zip(problems, learner.answer(problems), strict=True)]
        return [line for line in lines if self.families[line.problem.family].answer_formed(line.answer or "")]

    def save(self, folder: Path) -> None:
        """The counts."""
        tensors.save_json(self.formed, folder / "dreamer.json")

    def load(self, folder: Path) -> None:
        """The counts."""
        self.formed = tensors.load_json(folder / "dreamer.json")

    def metrics(self) -> Facts:
        """How many pieces were written last, how many well formed, and how many a level."""
        return {"bytes": 0, "pieces": self.formed}


def problem_weight(by_day: float, chosen: settings.ModelDreamer, families: Mapping[str, Family], levels: int) -> ProblemWeight:
    """How much lines teach by night to write their problems: as by day, or nothing above the day's levels."""

    def weight(line: Line) -> float:
        return by_day if families[line.problem.family].level(line.problem.text) <= levels else 0.0

    return weight if chosen.learns == "day" else by_day


def shuffled(pool: Sequence[str], rng: Random) -> Iterator[str]:
    """Endless draws with replacement."""
    while True:
        yield rng.choice(pool)
