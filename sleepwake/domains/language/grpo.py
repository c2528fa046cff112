"""GRPO and RLOO by TRL: the trainer samples attempts at the round's problems, the frozen judge rewards them.

GRPO: arXiv 2402.03300; RLOO, whose baseline is the mean of the other attempts: arXiv 2402.14740. The learner that attempts and the
snapshot that judges are two models: a judge that moves with the learner is soon agreed with by the empty answer. Practice on the frontier
alone damages the easy levels, so part of the prompts come from them. The policy is held near an earlier one by its KL divergence, and
where answers have formats, near dusk's shares of them (`niche`).
"""

import random
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from tempfile import TemporaryDirectory
from typing import Any

import torch
from datasets import Dataset
from peft.utils import get_peft_model_state_dict, set_peft_model_state_dict
from trl import GRPOConfig, GRPOTrainer, RLOOConfig, RLOOTrainer

from sleepwake.diversity import effective_prompts
from sleepwake.domains import tensors
from sleepwake.domains.language import rehearsal_settings
from sleepwake.domains.language.filtered import Filtered
from sleepwake.domains.language.learners import TextLearner
from sleepwake.domains.language.niche import Shares, by_family, form, guarded, sampled_shares
from sleepwake.domains.language.problems import Batch, Problem, ProblemWeight, gathered
from sleepwake.domains.language.rehearsal import easy_lines
from sleepwake.domains.language.trainers import arguments, calm, quiet, trained
from sleepwake.errors import RecipeError
from sleepwake.records import Facts, Verdicts
from sleepwake.roles import Mind
from sleepwake.seeds import seed as derive

TRAINERS: dict[str, tuple[Any, Any]] = {
    "grpo": (GRPOConfig, GRPOTrainer),
    "filtered": (GRPOConfig, Filtered),
    "rloo": (RLOOConfig, RLOOTrainer),
}
RECALLED = 64
"""Lines a step of recall."""


class Sampled:
    """A few steps a round, on a copy of the learner, whose weights are then copied back.

    The copy matters: TRL replaces `forward` on the model that it trains, and adds a reference adapter.
    """

    def __init__(self, chosen: rehearsal_settings.Sampled, levels: int, problem_weight: ProblemWeight) -> None:
        self.settings, self.levels, self.problem_weight = chosen, levels, problem_weight
        if chosen.vllm and find_spec("vllm") is None:
            raise RecipeError("sleep.rehearse.vllm: vLLM is not installed here", "sleep.rehearse.vllm = false")

    def rehearse(
        self, mind: Mind, dusk: Callable[[], Mind], material: Batch, verdicts: Verdicts | None, rate: float, seed: int
    ) -> tuple[Batch, Verdicts, Facts]:
        """Train; gives back the attempts that the trainer sampled, and the judge's verdicts on them."""
        assert verdicts is not None
        chosen, learner = self.settings, mind.learner
        valid = list(material.select(verdicts.accepted).by_problem())
        if not valid:
            return material, verdicts, {"skipped": "no valid problem"}
        known = (*easy_lines(mind, self.levels, derive(seed, "easy")), *mind.challenger.practice.all())
        easy = [line.problem for line in known if mind.judge.can_tell(line.problem)]
        judgements = mind.judge.judgements(material) if chosen.judging else []
        prompts = self._prompts(valid, easy, judgements, random.Random(derive(seed, "prompts")))
        before = dusk().learner if chosen.niche or (chosen.beta and chosen.anchor == "dusk") else learner
        usual = sampled_shares(before, prompts, chosen.generations, chosen.temperature, derive(seed, "formats")) if chosen.niche else None
        reward = Reward(mind, usual, chosen.niche, derive(seed, "rewards"))
        twin = learner.copy()
        twin.train_only(fast=True)
        with quiet(), tensors.seeded(seed, learner.device), TemporaryDirectory() as folder:
            if chosen.beta and learner.settings.fast == "full":
                (before if chosen.anchor == "dusk" else learner).lasting.save_pretrained(folder)
                twin.lasting.config._name_or_path = folder  # where TRL looks for the policy that its KL divergence is taken to
            config, made = TRAINERS["filtered" if getattr(chosen, "filter", False) else chosen.type]
            rows = [{"prompt": learner.prompt(problem), "family": problem.family, "text": problem.text} for problem in prompts]
            trainer = made(
                model=twin.model,
                reward_funcs=reward.reward,
                args=config(**self._arguments(folder, rate, seed, learner.device, self._longest(learner, rows))),
                train_dataset=Dataset.from_list(rows),
                processing_class=learner.codec.tokenizer,
            )
            if chosen.beta and chosen.anchor == "dusk" and learner.settings.fast == "lora":
                set_peft_model_state_dict(twin.model, get_peft_model_state_dict(before.model), adapter_name="ref")  # TRL's is the round's
            trained(trainer)
        learner.take(twin)
        recalled: Facts = {}
        if chosen.recall and known:
            recalled = learner.practise(
                lambda step: random.Random(derive(seed, "recall", step)).choices(known, k=RECALLED),
                chosen.recall, chosen.recall_rate * rate, max(1, chosen.recall // 6), self.problem_weight,
            )  # fmt: skip
        sampled = gathered(list(reward.attempts), list(reward.attempts.values()))
        facts = {"steps": self._steps + chosen.recall, "prompts": len(reward.attempts), **reward.facts()}
        facts["effective_prompts"] = reward.effective(chosen.generations)
        facts["exhausted"] = facts["effective_prompts"] < chosen.effective
        facts |= {name: facts[name] + recalled.get(name, 0) for name in ("samples", "tokens")}
        return sampled, mind.judge.verdicts(sampled, derive(seed, "verdicts")), facts

    @property
    def _steps(self) -> int:
        """Optimizer steps a round."""
        return self.settings.steps * self.settings.passes * self.settings.minibatches

    def _prompts(
        self, valid: Sequence[Problem], easy: Sequence[Problem], judgements: Sequence[Problem], draws: random.Random
    ) -> list[Problem]:
        chosen = self.settings
        easy_n = round(chosen.prompts * chosen.easy) if easy else 0
        judge_n = round(chosen.prompts * chosen.judging) if judgements else 0
        pools = [(pool, n) for pool, n in ((easy, easy_n), (judgements, judge_n), (valid, chosen.prompts - easy_n - judge_n)) if n]
        return [problem for _ in range(chosen.steps) for pool, n in pools for problem in draws.choices(pool, k=n)]

    def _longest(self, learner: TextLearner, rows: Sequence[dict[str, str]]) -> int:
        """Most tokens of an attempt: one that runs on makes the rows of all others as long."""
        chosen = self.settings
        if not chosen.margin:
            return chosen.longest
        return min(chosen.longest, chosen.margin + max(len(learner.codec.encode(text)) for text in {row["prompt"] for row in rows}))

    def _arguments(self, folder: str, rate: float, seed: int, device: torch.device, longest: int) -> dict[str, Any]:
        chosen = self.settings
        steps, parts = self._steps, chosen.minibatches * chosen.accumulate
        return {
            **arguments(folder, chosen.rate * rate, seed, device),
            **calm(steps),
            "per_device_train_batch_size": chosen.prompts * chosen.generations // parts,
            "gradient_accumulation_steps": chosen.accumulate,
            "steps_per_generation": parts,
            "num_generations": chosen.generations,
            "num_iterations": chosen.passes,
            "max_completion_length": longest,
            "temperature": chosen.temperature,
            "top_p": chosen.top_p,
            "max_steps": steps,
            "beta": chosen.beta,
            # where all attempts earn the same, GRPO would make the noise in shares of formats as large as rewards
            **({"scale_rewards": "none"} if chosen.niche and chosen.type == "grpo" else {}),
            "shuffle_dataset": False,
            **({"use_vllm": True, "vllm_mode": "colocate"} if chosen.vllm else {}),
        }


class Reward:
    """What a trainer asks: the judge's rewards for sampled attempts, all of which are kept.

    Args:
        mind: whose judge is asked.
        usual: dusk's shares of formats, by family; None where nothing is made of formats.
        niche: weight of the guard of formats.
        seed: of the judge's draws.
    """

    def __init__(self, mind: Mind, usual: Shares | None, niche: float, seed: int) -> None:
        self.mind, self.usual, self.niche, self.seed = mind, usual, niche, seed
        self.attempts: dict[Problem, list[str]] = {}
        self.rewarded: list[float] = []
        self.given: list[float | None] = []
        self.shares: list[dict[str, dict[str, float]]] = []

    def reward(self, completions: Sequence[str], family: Sequence[str], text: Sequence[str], **_: Any) -> list[float | None]:
        """A reward for each completion; None where the judge abstains: it has no advantage, and is left out of its group's mean."""
        asked = [Problem(*place) for place in zip(family, text, strict=True)]
        answered = collected(asked, completions)
        distinct = gathered(list(answered), list(answered.values()))
        scores = self.mind.judge.scores(distinct, derive(self.seed, len(self.shares)))
        by_answer = {line[:2]: score for line, score in zip(distinct.lines, scores, strict=True)}
        rewards = [by_answer[place] for place in zip(asked, completions, strict=True)]
        for problem, answers in answered.items():
            self.attempts.setdefault(problem, []).extend(answers)
        self.rewarded += [value for value in rewards if value is not None]
        forms = [form(self.mind.learner.families, problem, answer) for problem, answer in zip(asked, completions, strict=True)]
        self.shares.append(by_family(asked, forms))
        self.given += rewards
        return rewards if self.usual is None else guarded(asked, forms, rewards, self.shares[-1], self.usual, self.niche)

    def effective(self, generations: int) -> float:
        """The share of prompts whose attempts, so many in a row, earned different rewards."""
        groups = [self.given[at : at + generations] for at in range(0, len(self.given), generations)]
        told = [[value for value in group if value is not None] or [0.0] for group in groups]
        return round(effective_prompts(told), 6)

    def facts(self) -> Facts:
        """Attempts, characters, mean reward; of families that have several formats, their shares at each step."""
        given = [answer for answers in self.attempts.values() for answer in answers]
        mean = round(sum(self.rewarded) / len(self.rewarded), 6) if self.rewarded else None
        told = {"samples": len(given), "tokens": sum(map(len, given)), "reward": mean}
        several = {family for shares in self.shares for family in shares if len(self.mind.learner.families[family].formats) > 1}
        formats = {family: [shares[family] for shares in self.shares if family in shares] for family in sorted(several)}
        return {**told, **({"formats": formats} if formats else {})}


def collected(problems: Sequence[Problem], answers: Sequence[str]) -> dict[Problem, list[str]]:
    """Answers by problem, in order."""
    by_problem: dict[Problem, list[str]] = {}
    for problem, answer in zip(problems, answers, strict=True):
        by_problem.setdefault(problem, []).append(answer)
    return by_problem
