"""Knowledge seeding: distil the learner into a larger one of the same kind, which lives on (Sleep, arXiv 2606.03979, stage 1).

Off-policy first: KL(teacher || student) on whole lines that the teacher writes and answers, problems included, since the larger one must
write problems too. Then on-policy, on the student's own answers (GKD, arXiv 2306.13649, by TRL's DistillationTrainer): there it is
KL(student || teacher), since the paper's KL(teacher || student) harmed a student that is often wrong (where an answer has gone astray the
teacher's word is spread out). Then, where asked for, reinforcement by an imitation reward: the student goes on from a cut-off answer of
the teacher, and earns r = gamma r_sem + (1 - gamma) r_abs (equations of the paper's section on learning to imitate). The fast weights
start anew, and the next day goes on with the larger model. Later nights distil as `distil` does.
"""

import random
from collections.abc import Sequence
from tempfile import TemporaryDirectory
from typing import Any

from datasets import Dataset
from trl import DistillationConfig, DistillationTrainer, GRPOConfig, GRPOTrainer

from sleepwake.diversity import distance
from sleepwake.domains import tensors
from sleepwake.domains.language import consolidation_settings
from sleepwake.domains.language.consolidation import Distil, Lesson
from sleepwake.domains.language.learners import TextLearner
from sleepwake.domains.language.problems import Challenge, Line, ProblemWeight
from sleepwake.domains.language.trainers import arguments, calm, quiet, trained
from sleepwake.records import Facts
from sleepwake.roles import Mind
from sleepwake.seeds import seed as derive


class Seed(Distil):
    """Grows the learner at the end of the first night in which it is not yet of the wanted size."""

    def __init__(self, chosen: consolidation_settings.Seed, levels: int, problem_weight: ProblemWeight) -> None:
        super().__init__(chosen, levels, problem_weight)
        self.chosen = chosen

    def consolidate(self, mind: Mind, dusk: Mind, seed: int) -> Facts:
        """Grow once, distil afterwards; reports each stage's steps and what the teacher taught on."""
        chosen, learner = self.chosen, mind.learner
        shape = chosen.larger.model_dump()
        if learner.shape == shape:
            return super().consolidate(mind, dusk, seed)
        teacher = learner.copy()
        lines = self._lines(mind, teacher, derive(seed, "lines"))
        if not lines:
            return {"skipped": "nothing was written"}
        grown = learner.grow(shape, chosen.start, derive(seed, "weights"))
        learner.train_only(fast=False, but=grown)
        lesson = Lesson(learner, (teacher, lines), (teacher, ()), chosen.seed_hard, chosen.batch, seed)
        off = learner.practise(lesson.draw, chosen.seed_steps, chosen.seed_rate, max(1, chosen.seed_steps // 20), 1.0, lesson.loss)
        told: dict[str, Facts] = {"off_policy": off}
        if chosen.polish or chosen.imitate:
            twin = learner.copy()  # TRL replaces `forward` on what it trains
            twin.train_only(fast=False, but=grown)
            with tensors.seeded(seed, learner.device), quiet():
                if chosen.polish:
                    told["on_policy"] = self._polish(twin, teacher, lines, derive(seed, "polish"))
                if chosen.imitate:
                    told["imitation"] = self._imitate(twin, lines, derive(seed, "imitate"))
            learner.take(twin)
        learner.put_back(grown)
        learner.train_only(fast=True)
        size = sum(parameter.numel() for parameter in learner.lasting.parameters())
        steps, samples, tokens = (sum(stage[unit] for stage in told.values()) for unit in ("steps", "samples", "tokens"))
        return {"steps": steps, "samples": samples, "tokens": tokens, "parameters": size, "lines": len(lines), **told}

    def _lines(self, mind: Mind, teacher: TextLearner, seed: int) -> list[Line]:
        """Lines of every level from 1 to the highest that was practised: the teacher's problems, with its own answers."""
        practised = dict.fromkeys(teacher.known, self.levels)
        for line in mind.challenger.practice.all():
            family = line.problem.family
            practised[family] = max(practised[family], teacher.families[family].level(line.problem.text))
        challenges = [Challenge(name, level, self.chosen.each) for name in teacher.known for level in range(1, practised[name] + 1)]
        found: list[Line] = mind.dreamer.answered(challenges, teacher, seed)
        return found

    def _arguments(self, folder: str, learner: TextLearner, seed: int, steps: int, lines: Sequence[Line]) -> dict[str, Any]:
        return {
            **arguments(folder, self.chosen.polish_rate, seed, learner.device),
            "lr_scheduler_type": "linear",
            "max_steps": steps,
            "per_device_train_batch_size": self.chosen.batch,
            "max_completion_length": max(len(line.answer or "") for line in lines) + 1,
            "shuffle_dataset": False,
        }

    def _polish(self, learner: TextLearner, teacher: TextLearner, lines: Sequence[Line], seed: int) -> Facts:
        """On-policy: the student answers, the teacher says what it would have said at each character."""
        chosen, draws = self.chosen, random.Random(seed)
        rows = [{"prompt": learner.prompt(line.problem)} for line in draws.choices(lines, k=chosen.polish * chosen.batch)]
        with TemporaryDirectory() as folder:
            args = DistillationConfig(**self._arguments(folder, learner, seed, chosen.polish, lines), beta=1.0, temperature=1.0)
            trainer = DistillationTrainer(
                model=learner.model, teacher_model=teacher.lasting, args=args, train_dataset=Dataset.from_list(rows),
                processing_class=learner.codec.tokenizer,
            )  # fmt: skip
            trained(trainer)
        return {"steps": chosen.polish, "samples": len(rows), "tokens": int(trainer.state.num_input_tokens_seen)}

    def _imitate(self, learner: TextLearner, lines: Sequence[Line], seed: int) -> Facts:
        """By GRPO: the student completes cut-off answers of the teacher."""
        chosen, draws = self.chosen, random.Random(seed)
        rows = []
        for line in draws.choices(lines, k=chosen.imitate * chosen.batch // GROUP):
            answer = line.answer or ""
            begun = answer[: draws.randrange(len(answer))]
            rows.append({"prompt": learner.prompt(line.problem) + begun, "family": line.problem.family, "begun": begun, "answer": answer})
        rewarded: list[float] = []

        def reward(completions: Sequence[str], family: Sequence[str], begun: Sequence[str], answer: Sequence[str], **_: Any) -> list[float]:
            pairs = zip(family, (start + end for start, end in zip(begun, completions, strict=True)), answer, strict=True)
            given = [
                imitation(said, dreamed, learner.same(name, said, dreamed), chosen.gamma, chosen.furthest) for name, said, dreamed in pairs
            ]
            rewarded.extend(given)
            return given

        with TemporaryDirectory() as folder:
            usual = {**self._arguments(folder, learner, seed, chosen.imitate, lines), **calm(chosen.imitate)}
            args = GRPOConfig(**usual | {"learning_rate": chosen.imitate_rate}, num_generations=GROUP, beta=0.0)
            trainer = GRPOTrainer(model=learner.model, reward_funcs=reward, args=args, train_dataset=Dataset.from_list(rows),
                                  processing_class=learner.codec.tokenizer)  # fmt: skip
            trained(trainer)
        return {"steps": chosen.imitate, "samples": len(rewarded), "tokens": int(trainer.state.num_input_tokens_seen),
                "reward": round(sum(rewarded) / len(rewarded), 6)}  # fmt: skip


GROUP = 4
"""Completions of each cut-off answer."""


def imitation(said: str, dreamed: str, same: bool, gamma: float, furthest: int) -> float:
    """R = gamma r_sem + (1 - gamma) r_abs, in [0, 1] (arXiv 2606.03979, learning to imitate).

    Args:
        said: the student's whole answer.
        dreamed: the teacher's.
        same: whether both say the same: r_sem.
        gamma: weight of r_sem.
        furthest: r_abs = 1 - distance / longest up to this Levenshtein distance, 0 beyond.
    """
    far = distance(said, dreamed)
    close = 1 - far / max(len(said), len(dreamed), 1) if far <= furthest else 0.0
    return gamma * same + (1 - gamma) * close
