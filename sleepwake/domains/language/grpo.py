"""GRPO by TRL: the trainer samples attempts at the round's problems, the frozen judge rewards them (arXiv 2402.03300).

The learner that attempts and the snapshot that judges are two models: a judge that moves with the learner is soon
agreed with by the empty answer. Practice on the frontier alone damages the easy levels, so part of the prompts come
from them.
"""

import random
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Any

import datasets
import numpy
import transformers
from datasets import Dataset
from transformers import PrinterCallback
from trl import GRPOConfig, GRPOTrainer

from sleepwake.domains import tensors
from sleepwake.domains.language import settings
from sleepwake.domains.language.problems import Batch, Problem, gathered
from sleepwake.domains.language.rehearsal import easy_lines
from sleepwake.domains.language.tokenizer import BOS, SPECIAL, tokenizer
from sleepwake.records import Facts, Verdicts
from sleepwake.roles import Mind
from sleepwake.seeds import seed as derive


class Grpo:
    """A few steps of GRPO a round, on a copy of the learner, whose weights are then copied back.

    The copy matters: TRL replaces `forward` on the model that it trains, and adds a reference adapter.
    """

    def __init__(self, chosen: settings.Grpo, levels: int, problem_weight: float) -> None:
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
            trainer = GRPOTrainer(
                model=twin.model,
                reward_funcs=reward,
                args=self._arguments(folder, rate, seed, learner.device.type == "cpu"),
                train_dataset=Dataset.from_list(
                    [{"prompt": SPECIAL[BOS] + learner.prompt(p), "family": p.family, "text": p.text} for p in prompts]
                ),
                processing_class=tokenizer(),
            )
            trainer.remove_callback(PrinterCallback)
            trainer.train()
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

    def _arguments(self, folder: str, rate: float, seed: int, cpu: bool) -> GRPOConfig:
        chosen = self.settings
        return GRPOConfig(
            output_dir=folder,
            seed=seed % 2**31,
            use_cpu=cpu,
            bf16=False,
            gradient_checkpointing=False,
            per_device_train_batch_size=chosen.prompts * chosen.generations,
            num_generations=chosen.generations,
            max_completion_length=chosen.longest,
            max_steps=chosen.steps,
            learning_rate=chosen.rate * rate,
            lr_scheduler_type="constant",
            beta=chosen.beta,
            report_to="none",
            save_strategy="no",
            logging_strategy="no",
            disable_tqdm=True,
            dataloader_pin_memory=False,
            shuffle_dataset=False,
        )


def collected(problems: Sequence[Problem], answers: Sequence[str]) -> dict[Problem, list[str]]:
    """Answers by problem, in order."""
    by_problem: dict[Problem, list[str]] = {}
    for problem, answer in zip(problems, answers, strict=True):
        by_problem.setdefault(problem, []).append(answer)
    return by_problem


@contextmanager
def quiet() -> Iterator[None]:
    """No bars or notices from trainers, and Python's and numpy's random states as they were (trainers reset them)."""
    python_state, numpy_state = random.getstate(), numpy.random.get_state()
    verbosity = transformers.utils.logging.get_verbosity()
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    datasets.disable_progress_bars()
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=FutureWarning)
            yield
    finally:
        transformers.utils.logging.set_verbosity(verbosity)
        random.setstate(python_state)
        numpy.random.set_state(numpy_state)
