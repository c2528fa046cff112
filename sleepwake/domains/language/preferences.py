"""DPO and KTO by TRL on the round's judged attempts: cheap, since nothing is sampled anew, and blind to what the learner does meanwhile."""

import random
from collections.abc import Callable, Mapping, Sequence
from tempfile import TemporaryDirectory
from typing import Any

from datasets import Dataset
from trl import DPOConfig, DPOTrainer, KTOConfig, KTOTrainer

from sleepwake.domains import tensors
from sleepwake.domains.language import rehearsal_settings
from sleepwake.domains.language.families import Family
from sleepwake.domains.language.learners import TextLearner
from sleepwake.domains.language.problems import Batch, Line, Problem, ProblemWeight
from sleepwake.domains.language.rehearsal import easy_lines
from sleepwake.domains.language.trainers import arguments, quiet, trained
from sleepwake.records import Facts, Verdicts
from sleepwake.roles import Mind
from sleepwake.seeds import seed as derive

Pair = tuple[Problem, str, str]
"""A problem, a better answer and a worse one."""


def judged_pairs(material: Batch, verdicts: Verdicts, families: Mapping[str, Family]) -> list[Pair]:
    """The accepted attempt at each problem beside each that was judged and found worse; abstentions say nothing, and neither does the
    same said in another format.
    """
    pairs = []
    for problem, positions in material.by_problem().items():
        best = next((at for at in positions if verdicts.accepted[at]), None)
        if best is None:
            continue
        answer, value = material.lines[best].answer or "", families[problem.family].value
        worse = [at for at in positions if verdicts.rewards[at] is not None and value(material.lines[at].answer or "") != value(answer)]
        pairs += [(problem, answer, material.lines[at].answer or "") for at in worse]
    return pairs


def easy_pairs(lines: Sequence[Line], draws: random.Random) -> list[Pair]:
    """The learner's answers beside its answers to other problems of the same family; where all are equal, none."""
    pairs = []
    for line in lines:
        others = [other.answer for other in lines if other.problem.family == line.problem.family and other.answer != line.answer]
        if others:
            pairs.append((line.problem, line.answer or "", draws.choice(others) or ""))
    return pairs


class Compared:
    """A few steps a round, on a copy of the learner, whose weights are then copied back; the reference is the learner as it began."""

    def __init__(self, chosen: rehearsal_settings.Dpo | rehearsal_settings.Kto, levels: int, problem_weight: ProblemWeight) -> None:
        self.settings, self.levels = chosen, levels

    def rehearse(
        self, mind: Mind, dusk: Callable[[], Mind], material: Batch, verdicts: Verdicts | None, rate: float, seed: int
    ) -> tuple[Batch, Verdicts, Facts]:
        """Train; the material and its verdicts come back as they were."""
        assert verdicts is not None
        chosen, learner, draws = self.settings, mind.learner, random.Random(derive(seed, "pairs"))
        pairs = judged_pairs(material, verdicts, mind.learner.families)
        if not pairs:
            return material, verdicts, {"skipped": "no accepted attempt has a worse one beside it"}
        known = (*easy_lines(mind, self.levels, derive(seed, "easy")), *mind.challenger.practice.all())
        easy = easy_pairs(known, draws)
        easy_n = round(chosen.batch * chosen.easy) if easy else 0
        drawn = [
            pair for _ in range(chosen.steps) for pair in (*draws.choices(easy, k=easy_n), *draws.choices(pairs, k=chosen.batch - easy_n))
        ]
        rows = [self._row(learner, pair, good=place % 2 == 0) for place, pair in enumerate(drawn)]
        twin = learner.copy()
        twin.train_only(fast=True)
        with quiet(), tensors.seeded(seed, learner.device), TemporaryDirectory() as folder:
            said = {
                **arguments(folder, chosen.rate * rate, seed, learner.device),
                "per_device_train_batch_size": chosen.batch,
                "max_steps": chosen.steps,
                "beta": chosen.beta,
            }
            lora = learner.settings.fast == "lora"  # then the trainer makes its own reference of the adapter
            given: dict[str, Any] = {
                "model": twin.model,
                "ref_model": None if lora else learner.copy().model,
                "train_dataset": Dataset.from_list(rows),
                "processing_class": learner.codec.tokenizer,
            }
            if isinstance(chosen, rehearsal_settings.Dpo):
                weights = {"loss_type": ["sigmoid", "sft"], "loss_weights": [1.0, chosen.imitate]} if chosen.imitate else {}
                trained(DPOTrainer(args=DPOConfig(**said, **weights), **given))
            else:
                trained(KTOTrainer(args=KTOConfig(**said), **given))
        learner.take(twin)
        answers = sum(len(row.get("completion", "")) + len(row.get("chosen", "")) + len(row.get("rejected", "")) for row in rows)
        return material, verdicts, {"steps": chosen.steps, "samples": len(rows), "tokens": answers, "pairs": len(pairs), "easy": len(easy)}

    def _row(self, learner: TextLearner, pair: Pair, good: bool) -> dict[str, Any]:
        problem, better, worse = pair
        asked = learner.prompt(problem)
        if isinstance(self.settings, rehearsal_settings.Dpo):
            return {"prompt": asked, "chosen": better, "rejected": worse}
        return {"prompt": asked, "completion": better if good else worse, "label": good}
