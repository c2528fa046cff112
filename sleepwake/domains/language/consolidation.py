"""Consolidation: fold a night into the lasting weights by distillation on lines of the mind's own making.

Each line has one teacher: dusk's learner where the line's level was mastered at dusk, the night's learner where it is
new. The loss is Hinton's mixture of the line's answer (hard) and the teacher's word (soft). With a LoRA as fast weights
the student is the lasting weights alone, and the LoRA is reset afterwards; with full weights the student is the night's
learner itself: dusk mends what the night damaged, and the night's own word is an anchor.
"""

from collections.abc import Sequence
from random import Random

import torch
from torch import Tensor
from torch.nn import functional

from sleepwake.domains.language import consolidation_settings
from sleepwake.domains.language.learners import TextLearner
from sleepwake.domains.language.problems import Batch, Line, ProblemWeight
from sleepwake.domains.language.rehearsal import easy_lines
from sleepwake.records import Facts
from sleepwake.roles import Mind
from sleepwake.seeds import seed as derive


class Lesson:
    """Lines, half of them old and half new, and what is to be learned from them.

    Args:
        student: what is trained.
        old: lines of levels that were mastered at dusk, taught by `dusk`.
        new: lines of higher levels, taught by `night`.
        hard: weight of the line's own answer against the teacher's word.
        batch: lines a step.
        seed: of the draws.
    """

    def __init__(
        self,
        student: TextLearner,
        old: tuple[TextLearner, Sequence[Line]],
        new: tuple[TextLearner, Sequence[Line]],
        hard: float,
        batch: int,
        seed: int,
    ) -> None:
        self.student, self.hard, self.batch, self.seed = student, hard, batch, seed
        self.turns = [(teacher, lines) for teacher, lines in (old, new) if lines]
        self.teachers = {line.problem: teacher for teacher, lines in self.turns for line in lines}

    def draw(self, step: int) -> Sequence[Line]:
        """A step's lines."""
        draws, share = Random(derive(self.seed, "batch", step)), self.batch // len(self.turns)
        return [line for _, lines in self.turns for line in draws.choices(lines, k=share)]

    def loss(self, lines: Sequence[Line], tokens_BT: Tensor, weight_BT: Tensor) -> Tensor:
        """Hard * cross-entropy + (1 - hard) * KL(teacher || student), nats a token (Hinton et al. 2015, arXiv
        1503.02531, section 2).
        """
        logits_BTV = self.student.model(input_ids=tokens_BT, use_cache=False).logits[:, :-1].float()
        logs_BTV, weight_BT = logits_BTV.log_softmax(-1), weight_BT[:, 1:]
        hard_BT = functional.nll_loss(logs_BTV.transpose(1, 2), tokens_BT[:, 1:], reduction="none")
        soft_BT = torch.zeros_like(hard_BT)
        for teacher, _ in self.turns:
            rows = [at for at, line in enumerate(lines) if self.teachers[line.problem] is teacher]
            if rows:
                with torch.no_grad():
                    taught = teacher.model(input_ids=tokens_BT[rows], use_cache=False).logits[:, :-1].float().log_softmax(-1)
                soft_BT[rows] = functional.kl_div(logs_BTV[rows], taught, reduction="none", log_target=True).sum(-1)
        return ((self.hard * hard_BT + (1 - self.hard) * soft_BT) * weight_BT).sum()


class Distil:
    """Soft-target distillation of one night."""

    def __init__(self, chosen: consolidation_settings.Distilling, levels: int, problem_weight: ProblemWeight) -> None:
        self.settings, self.levels, self.problem_weight = chosen, levels, problem_weight

    def consolidate(self, mind: Mind, dusk: Mind, seed: int) -> Facts:
        """Fold; reports the first and last loss, and how many lines each teacher had."""
        chosen, learner = self.settings, mind.learner
        night = learner.copy()
        known = {name: dusk.challenger.levels.get(name, self.levels + 1) - 1 for name in learner.known}
        old = mind.memory.lines() if chosen.lines == "stored" else easy_lines(dusk, self.levels, derive(seed, "easy"))
        if chosen.lines == "judged":
            dusk.judge.ask(dusk.learner)
            rejected = dusk.judge.verdicts(Batch(tuple(old)), derive(seed, "verdicts")).rejected
            old = [line for line, wrong in zip(old, rejected, strict=True) if not wrong]
        new: list[Line] = []
        for line in mind.challenger.practice.all():
            family = line.problem.family
            (old if learner.families[family].level(line.problem.text) <= known[family] else new).append(line)
        if not old and not new:
            return {"skipped": "nothing was written"}
        learner.reset_fast(derive(seed, "reset"))
        learner.train_only(fast=False)
        lesson = Lesson(learner, (dusk.learner, old), (night, new), chosen.hard, chosen.batch, seed)
        facts = learner.practise(lesson.draw, chosen.steps, chosen.rate, max(1, chosen.steps // 6), self.problem_weight, lesson.loss)
        learner.train_only(fast=True)
        return {**facts, "old": len(old), "new": len(new)}
