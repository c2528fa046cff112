"""MAGPIE: a chat model that is given only what comes before a user's words writes the user's words (arXiv 2406.08464).

What it writes is filtered by form and length, by what it says itself of a question's quality, by how near it is to what it wrote
before, in this night or in earlier ones, and, where asked for, by how far its own attempts agree. (The paper asks a larger model for
quality, and an embedding model for nearness.)
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from sleepwake.domains import tensors
from sleepwake.domains.language import settings
from sleepwake.domains.language.asking import yes
from sleepwake.domains.language.dreamers import ModelDreamer
from sleepwake.domains.language.families import Family
from sleepwake.domains.language.learners import TextLearner
from sleepwake.domains.language.problems import Batch, Challenge, Problem, unsure, voted
from sleepwake.records import Facts
from sleepwake.seeds import seed as derive

GRAM = 3
"""Words in a row by which questions are compared."""


def grams(text: str) -> frozenset[tuple[str, ...]]:
    """All runs of three words; of a shorter text, the text."""
    words = text.lower().split()
    return frozenset(tuple(words[at : at + GRAM]) for at in range(max(1, len(words) - GRAM + 1)))


def likeness(one: frozenset[tuple[str, ...]], other: frozenset[tuple[str, ...]]) -> float:
    """Jaccard's index: what both have as a share of what either has, in [0, 1]."""
    return len(one & other) / len(one | other)


class Magpie(ModelDreamer):
    """Writes questions, and attempts at them as the model dreamer does.

    Attributes:
        archive: the newest questions kept, by family, oldest first.
        filtered: of the last dream, by family: how many were written, and how many were left after each filter. Questions for practice
            (`answered`) are not counted.
    """

    def __init__(self, chosen: settings.Magpie, families: Mapping[str, Family], limit: int) -> None:
        super().__init__(chosen, families, limit)
        self.chosen = chosen
        self.archive: dict[str, list[str]] = {}
        self.filtered: Mapping[str, dict[str, int]] = {}

    def problems(self, challenges: Sequence[Challenge], learner: TextLearner, seed: int) -> list[Problem]:
        """New questions of each challenge's family; fewer where the pool doesn't give as many."""
        written, _ = self._written(challenges, learner, seed)
        return [Problem(challenge.family, text) for challenge in written for text in challenge.texts]

    def _written(self, challenges: Sequence[Challenge], learner: TextLearner, seed: int) -> tuple[list[Challenge], dict[str, Counter[str]]]:
        """The challenges with their questions, and by family how many were left after each filter."""
        found, counts = list[Challenge](), dict[str, Counter[str]]()
        for at, challenge in enumerate(challenges):
            family, texts = challenge.family, challenge.texts
            if not texts:
                earlier = [text for other in found if other.family == family for text in other.texts]
                kept, left = self._questions(challenge, earlier, learner, derive(seed, "questions", at))
                texts = tuple(kept)
                counts.setdefault(family, Counter()).update(left)
            found.append(challenge._replace(texts=texts))
        return found, counts

    def _questions(self, challenge: Challenge, earlier: Sequence[str], learner: TextLearner, seed: int) -> tuple[list[str], dict[str, int]]:
        chosen, family = self.chosen, self.families[challenge.family]
        written = learner.write(challenge.family, chosen.pool, self.limit, seed)
        formed = [text for text in dict.fromkeys(written) if family.well_formed(text) and len(text) >= chosen.shortest]
        good = formed
        if chosen.quality:
            sure = yes(learner, [chosen.ask.format(question=text) for text in formed])
            good = [text for text, share in zip(formed, sure, strict=True) if share >= chosen.quality]
        kept, known = list[str](), [grams(text) for text in (*self.archive.get(challenge.family, ()), *earlier)]
        for text in good:
            mine = grams(text)
            if len(kept) < challenge.problems and all(likeness(mine, other) < chosen.alike for other in known):
                kept.append(text)
                known.append(mine)
        return kept, {"written": len(written), "formed": len(formed), "good": len(good), "kept": len(kept)}

    def remember(self, problems: Sequence[Problem]) -> None:
        """Put questions into the archive."""
        for family, text in problems:
            self.archive[family] = [*self.archive.get(family, ()), text][-self.chosen.archive :]

    def dream(self, challenges: Sequence[Challenge], learner: TextLearner, seed: int) -> Batch:
        """Questions with attempts, those on which the attempts agree neither nearly nor hardly; none of them is written again."""
        written, self.filtered = self._written(challenges, learner, seed)
        batch = super().dream([challenge for challenge in written if challenge.texts], learner, seed)
        self.remember(list(batch.by_problem()))
        if not self.chosen.uncertain:
            return batch
        hard = set[Problem]()
        for problem, places in batch.by_problem().items():
            votes = voted((batch.lines[at] for at in places), self.families[problem.family].value)
            if unsure(max(votes.values()) / votes.total()) >= self.chosen.uncertain:
                hard.add(problem)
        for family, counts in self.filtered.items():
            counts["uncertain"] = sum(problem.family == family for problem in hard)
        return batch.select([line.problem in hard for line in batch.lines])

    def save(self, folder: Path) -> None:
        """The archive and the counts."""
        tensors.save_json({"archive": self.archive, "filtered": self.filtered}, folder / "dreamer.json")

    def load(self, folder: Path) -> None:
        """The archive and the counts."""
        state = tensors.load_json(folder / "dreamer.json")
        self.archive, self.filtered = state["archive"], state["filtered"]

    def metrics(self) -> Facts:
        """Bytes of the archive, and what the filters left."""
        return {"bytes": sum(len(text) for texts in self.archive.values() for text in texts), "questions": self.filtered}
