"""GRPO and RLOO by TRL: the trainer samples attempts at the round's problems, the frozen judge rewards them.

GRPO: arXiv 2402.03300; RLOO, whose baseline is the mean of the other attempts: arXiv 2402.14740. The learner that attempts and the
snapshot that judges are two models: a judge that moves with the learner is soon agreed with by the empty answer. Practice on the frontier
alone damages the easy levels, so part of the prompts come from them.
"""

import random
from collections.abc import Sequence
from tempfile import TemporaryDirectory
from typing import Any

import torch
from datasets import Dataset
from trl import GRPOConfig, GRPOTrainer, RLOOConfig, RLOOTrainer

from sleepwake.domains import tensors
from sleepwake.domains.language import night_settings
from sleepwake.domains.language.problems import Batch, Problem, gathered
from sleepwake.domains.language.rehearsal import easy_lines
from sleepwake.domains.language.tokenizer import tokenizer
from sleepwake.domains.language.trainers import arguments, prompt, quiet, trained
from sleepwake.records import Facts, Verdicts
from sleepwake.roles import Mind
from sleepwake.seeds import seed as derive

TRAINERS: dict[str, tuple[Any, Any]] = {"grpo": (GRPOConfig, GRPOTrainer), "rloo": (RLOOConfig, RLOOTrainer)}


class Sampled:
    """A few steps a round, on a copy of the learner, whose weights are then copied back.

    The copy matters: TRL replaces `forward` on the model that it trains, and adds a reference adapter.
    """

    def __init__(self, chosen: night_settings.Sampled, levels: int, problem_weight: float) -> None:
        self.settings, self.levels = chosen, levels

    def rehearse(self, mind: Mind, material: Batch, verdicts: Verdicts | None, rate: float, seed: int) -> tuple[Batch, Verdicts, Facts]:
        """Train; gives back the attempts that the trainer sampled, and the judge's verdicts on them."""
        assert verdicts is not None
        chosen, learner = self.settings, mind.learner
        valid = list(material.select(verdicts.accepted).by_problem())
        if not valid:
            return material, verdicts, {"skipped": "no valid problem"}
        known = (*easy_lines(mind, self.levels, derive(seed, "easy")), *mind.challenger.practice.all())
        easy = [line.problem for line in known if mind.judge.can_tell(line.problem)]
        prompts = self._prompts(valid, easy, random.Random(derive(seed, "prompts")))
        attempts: dict[Problem, list[str]] = {}
        rewarded: list[float] = []

        def reward(completions: Sequence[str], family: Sequence[str], text: Sequence[str], **_: Any) -> list[float]:
            asked = [Problem(*place) for place in zip(family, text, strict=True)]
            answered = collected(asked, completions)
            distinct = gathered(list(answered), list(answered.values()))
            scores = mind.judge.scores(distinct, derive(seed, "rewards", len(rewarded)))
            by_answer = {line[:2]: score for line, score in zip(distinct.lines, scores, strict=True)}
            rewards = [by_answer[place] for place in zip(asked, completions, strict=True)]
            for problem, answers in answered.items():
                attempts.setdefault(problem, []).extend(answers)
            rewarded.extend(value for value in rewards if value is not None)
            return [value or 0.0 for value in rewards]  # an abstention tells the trainer nothing: all of a problem's attempts get the same

        twin = learner.copy()
        twin.train_only(fast=True)
        with quiet(), tensors.seeded(seed, learner.device), TemporaryDirectory() as folder:
            config, trainer = TRAINERS[chosen.type]
            rows = [{"prompt": prompt(learner, problem), "family": problem.family, "text": problem.text} for problem in prompts]
            trained(
                trainer(
                    model=twin.model,
                    reward_funcs=reward,
                    args=config(**self._arguments(folder, rate, seed, learner.device)),
                    train_dataset=Dataset.from_list(rows),
                    processing_class=tokenizer(),
                )
            )
        learner.take(twin)
        sampled = gathered(list(attempts), list(attempts.values()))
        given = [answer for answers in attempts.values() for answer in answers]
        facts = {
            "steps": chosen.steps,
            "samples": len(given),
            "tokens": sum(map(len, given)),
            "prompts": len(attempts),
            "reward": round(sum(rewarded) / len(rewarded), 6) if rewarded else None,
        }
        return sampled, mind.judge.verdicts(sampled, derive(seed, "verdicts")), facts

    def _prompts(self, valid: Sequence[Problem], easy: Sequence[Problem], draws: random.Random) -> list[Problem]:
        chosen = self.settings
        easy_n = round(chosen.prompts * chosen.easy) if easy else 0
        return [
            problem
            for _ in range(chosen.steps)
            for problem in (*draws.choices(easy, k=easy_n), *draws.choices(valid, k=chosen.prompts - easy_n))
        ]

    def _arguments(self, folder: str, rate: float, seed: int, device: torch.device) -> dict[str, Any]:
        chosen = self.settings
        return {
            **arguments(folder, chosen.rate * rate, seed, device),
            "per_device_train_batch_size": chosen.prompts * chosen.generations,
            "num_generations": chosen.generations,
            "max_completion_length": chosen.longest,
            "max_steps": chosen.steps,
            "beta": chosen.beta,
            "shuffle_dataset": False,
        }


def collected(problems: Sequence[Problem], answers: Sequence[str]) -> dict[Problem, list[str]]:
    """Answers by problem, in order."""
    by_problem: dict[Problem, list[str]] = {}
    for problem, answer in zip(problems, answers, strict=True):
        by_problem.setdefault(problem, []).append(answer)
    return by_problem
