"""A challenger that learns to set problems: it writes them under a LoRA of its own, trained by GRPO on what they are worth.

Worth = validity x learnability x novelty. Learnability is 1 - p where p, the share of the learner's attempts that the judge accepts, is
above 0, and 0 otherwise (Absolute Zero, arXiv 2505.03335); novelty is the distance to the nearest problem of the archive (R-Zero, arXiv
2508.05004, looks at the batch alone); all three multiply, so that a malformed, hopeless or repeated problem is worth nothing.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import torch
from datasets import Dataset
from peft.utils import get_peft_model_state_dict, set_peft_model_state_dict
from torch import Tensor
from trl import GRPOConfig, GRPOTrainer

from sleepwake.domains import tensors
from sleepwake.domains.language import challenger_settings
from sleepwake.domains.language.challengers import Ladder, practised
from sleepwake.domains.language.codec import Codec
from sleepwake.domains.language.dreamers import shuffled
from sleepwake.domains.language.families import Family
from sleepwake.domains.language.generation import complete
from sleepwake.domains.language.learners import TextLearner, with_lora
from sleepwake.domains.language.novelty import novelty
from sleepwake.domains.language.problems import Batch, Challenge, Problem, gathered
from sleepwake.domains.language.tokenizer import SIGN, tokenizer
from sleepwake.domains.language.trainers import arguments, quiet, trained
from sleepwake.records import Facts, Verdicts
from sleepwake.roles import Mind
from sleepwake.seeds import seed as derive

ROOM = 8
"""Characters that it may add to what it was given to begin with, the sign that ends a problem included."""


class Learned(Ladder):
    """Writes problems to the end that it is given the beginning of, and learns which ones teach.

    A beginning is a piece that the learner wrote, of any length up to the family's level, so that harder problems than the day's are
    within reach; how it goes on, and when it ends, is the challenger's own. Levels are counted as the ladder counts them.

    Attributes:
        adapter: weights of the LoRA, on the learner as it is; none before the first night.
        archive: the newest problems set, by family, oldest first.
    """

    def __init__(self, chosen: challenger_settings.Learned, families: Mapping[str, Family], first: int) -> None:
        super().__init__(chosen, families, first)
        self.adapter: dict[str, Tensor] = {}
        self.archive: dict[str, list[str]] = {}
        self.paid: dict[str, float] = {}
        self.used = {"samples": 0, "tokens": 0}

    def propose(self, mind: Mind, seed: int) -> tuple[Challenge, ...]:
        """Train the writer for a few steps, then set what it writes: valid, new, and by family and level."""
        self.used = {"samples": 0, "tokens": 0}
        for family in practised(self.families, mind):
            self.levels.setdefault(family, self.first)
            self.archive.setdefault(family, [])
        writer = self._writer(mind.learner, derive(seed, "adapter"))
        begun = {family: self._beginnings(mind, family, derive(seed, "begun", family)) for family in practised(self.families, mind)}
        self._train(mind, writer, begun, derive(seed, "train"))
        challenges = []
        for family, pieces in begun.items():
            last = Random(derive(seed, "last", family)).choices(pieces, k=self.settings.problems)
            texts = self._written(mind.learner.codec, writer, family, last, derive(seed, "written", family))
            self.archive[family] = (self.archive[family] + texts)[-self.settings.archive :]
            by_level: dict[int, list[str]] = {}
            for text in texts:
                by_level.setdefault(self.families[family].level(text), []).append(text)
            challenges += [Challenge(family, level, len(found), tuple(found)) for level, found in sorted(by_level.items())]
        return tuple(challenges)

    def _writer(self, learner: TextLearner, seed: int) -> Any:
        writer = with_lora(learner.copy().lasting, self.settings.rank, seed, learner.device)
        if self.adapter:
            set_peft_model_state_dict(writer, self.adapter)
        return writer

    def _beginnings(self, mind: Mind, family: str, seed: int) -> list[str]:
        """Pieces of every length from none to the family's level, as often each, in the learner's own writing."""
        known, draws = self.families[family], Random(seed)
        pool = [text for text in mind.learner.write(family, 4 * ROOM, 4 * ROOM, seed) if known.well_formed(text)]
        if not pool:
            return [""]

        whole = [known.compose(shuffled(pool, draws), self.levels[family]) for _ in range(self.settings.prompts)]
        return [text[: draws.randint(0, len(text))] for text in whole]

    def _train(self, mind: Mind, writer: Any, begun: Mapping[str, Sequence[str]], seed: int) -> None:
        chosen, codec, draws, worth = self.settings, mind.learner.codec, Random(seed), list[float]()
        starts = [(family, piece) for family, pieces in begun.items() for piece in pieces]
        rows = [
            {"prompt": codec.opening(self.families[family].prefix) + piece, "family": family, "piece": piece}
            for family, piece in draws.choices(starts, k=chosen.steps * chosen.prompts)
        ]

        def reward(
            completions: Sequence[str], completion_ids: Sequence[Sequence[int]], family: Sequence[str], piece: Sequence[str], **_: Any
        ) -> list[float]:
            texts = [start + end.removesuffix("=") for start, end in zip(piece, completions, strict=True)]
            ended = [bool(ids) and ids[-1] == SIGN for ids in completion_ids]
            problems = [Problem(name, text) if done else None for name, text, done in zip(family, texts, ended, strict=True)]
            self._count(completions)
            given = self.worth(mind, problems, derive(seed, "worth", len(worth)))
            worth.extend(given)
            return given

        with quiet(), tensors.seeded(seed, mind.learner.device), TemporaryDirectory() as folder:
            settings = GRPOConfig(
                **arguments(folder, chosen.rate, seed, mind.learner.device),
                per_device_train_batch_size=chosen.prompts * chosen.generations,
                num_generations=chosen.generations,
                max_completion_length=ROOM,
                max_steps=chosen.steps,
                beta=0.0,
                shuffle_dataset=False,
            )
            trained(GRPOTrainer(model=writer, reward_funcs=reward, args=settings, train_dataset=Dataset.from_list(rows),
                                processing_class=tokenizer(end="=")))  # fmt: skip
        self.adapter = {key: value.detach().clone() for key, value in get_peft_model_state_dict(writer).items()}
        tenth = max(1, len(worth) // chosen.steps)
        self.paid = {"worth_first": sum(worth[:tenth]) / tenth, "worth_last": sum(worth[-tenth:]) / tenth}

    def worth(self, mind: Mind, problems: Sequence[Problem | None], seed: int) -> list[float]:
        """Validity x learnability x novelty of each problem, in [0, 1]; None is a problem without an end. A repetition is worth nothing."""
        first: dict[Problem, int] = {}
        for at, problem in enumerate(problems):
            if problem and self.families[problem.family].well_formed(problem.text) and mind.judge.can_tell(problem):
                first.setdefault(problem, at)
        asked = list(first)
        attempts = mind.learner.attempt(asked, (1.0,) * self.settings.attempts, derive(seed, "attempts")) if asked else []
        self._count([answer for answers in attempts for answer in answers])
        batch = gathered(asked, attempts)
        scores = mind.judge.scores(batch, derive(seed, "scores")) if asked else []
        worth = [0.0] * len(problems)
        for problem, positions in batch.by_problem().items():
            accepted = sum(batch.lines[at].votes for at in positions if (scores[at] or 0.0) >= mind.judge.threshold)
            share = accepted / self.settings.attempts
            if 0 < share < 1:
                worth[first[problem]] = (1 - share) * novelty(problem.text, self.archive[problem.family])
        return worth

    def _written(self, codec: Codec, writer: Any, family: str, begun: Sequence[str], seed: int) -> list[str]:
        """What the writer makes of beginnings: well formed, each once."""
        opening = codec.opening(self.families[family].prefix)
        ends = complete(writer, [codec.encode(opening + piece) for piece in begun], (1.0,), seed, extra=ROOM, stop=SIGN)
        self._count([end for (end,) in ends])
        texts = [piece + end[:-1] for piece, (end,) in zip(begun, ends, strict=True) if end.endswith("=") and len(end) <= ROOM]
        return [text for text in dict.fromkeys(texts) if self.families[family].well_formed(text)]

    def _count(self, texts: Sequence[str]) -> None:
        """Towards the budget: a character is a token."""
        self.used["samples"] += len(texts)
        self.used["tokens"] += sum(map(len, texts))

    def observe(self, challenges: Sequence[Challenge], material: Batch, verdicts: Verdicts) -> Facts:
        """As the ladder; with what the writer's problems were worth at its first and last step, and what writing them used."""
        paid = {name: round(value, 6) for name, value in self.paid.items()}
        return {**super().observe(challenges, material, verdicts), **paid, **self.used}

    def save(self, folder: Path) -> None:
        """The ladder's state, the archive, the adapter."""
        super().save(folder)
        tensors.save_json(self.archive, folder / "archive.json")
        if self.adapter:
            tensors.save_tensors(self.adapter, folder / "adapter_model.safetensors")

    def load(self, folder: Path) -> None:
        """The ladder's state, the archive, the adapter."""
        super().load(folder)
        self.archive = tensors.load_json(folder / "archive.json")
        adapter = folder / "adapter_model.safetensors"
        self.adapter = tensors.load_tensors(adapter, torch.device("cpu")) if adapter.exists() else {}  # none at the first dusk

    def metrics(self) -> Facts:
        """As the ladder; with the archive's problems and the adapter's bytes."""
        told = super().metrics()
        kept = sum(len(text) for texts in self.archive.values() for text in texts)
        return {**told, "bytes": told["bytes"] + kept, "archive": sum(map(len, self.archive.values())),
                "memory": {"adapters": sum(value.nbytes for value in self.adapter.values())}}  # fmt: skip
