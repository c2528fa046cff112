"""What a day put before the prompt is taken into the weights: the learner with its context teaches itself without it.

Context distillation (Askell et al. 2021, arXiv 2112.00861; Snell et al. 2022, arXiv 2209.15189), here on questions that the learner
dreams with its context at hand. Families that it knows without a context are rehearsed beside, on its own word of dusk. The teacher's
word is taken at the problem's tokens too: a learner that forgets how to write old problems has nothing to rehearse on later nights, and one
that is taught the letters of its own samples recites these.
"""

from collections.abc import Sequence
from itertools import takewhile
from random import Random

import torch
from torch import Tensor
from torch.nn import functional

from sleepwake.domains.language import night_settings
from sleepwake.domains.language.codec import Row, padded
from sleepwake.domains.language.learners import TextLearner
from sleepwake.domains.language.problems import Challenge, Line
from sleepwake.domains.language.training import Loss
from sleepwake.records import Facts
from sleepwake.roles import Mind
from sleepwake.seeds import seed as derive


def last_logs(learner: TextLearner, rows: Sequence[Row], counts: Sequence[int]) -> Tensor:
    """Log-probabilities logs_NV of so many last tokens of each row, one row after the other."""
    tokens_BT, _ = padded(rows, learner.codec.pad, 0.0, learner.device)
    logits_BTV = learner.model(input_ids=tokens_BT, use_cache=False).logits.float()
    ends = [len(row.tokens) - 1 for row in rows]
    return torch.cat([logits_BTV[at, end - n : end] for at, (end, n) in enumerate(zip(ends, counts, strict=True))]).log_softmax(-1)


def alike(one: Row, other: Row) -> int:
    """How many last tokens two rows have in common; the first of a row, which nothing predicts, is not counted."""
    pairs = zip(reversed(one.tokens[1:]), reversed(other.tokens[1:]), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def word(learner: TextLearner, teacher: TextLearner, hard: float) -> Loss:
    """Loss at what both write alike of a line: KL divergence from the teacher's word, `hard` of it its answer's own tokens instead."""

    def loss(lines: Sequence[Line], tokens_BT: Tensor, weight_BT: Tensor) -> Tensor:
        own, told = [learner.row(line) for line in lines], [teacher.row(line) for line in lines]
        counts = [alike(*pair) for pair in zip(own, told, strict=True)]
        with torch.no_grad():
            taught_NV = last_logs(teacher, told, counts)
        said_NV = last_logs(learner, own, counts)
        spans = [range(len(row.tokens) - n, len(row.tokens)) for row, n in zip(own, counts, strict=True)]
        token_N, weight_N = (
            torch.cat([of[span.start : span.stop] for of, span in zip(of_BT, spans, strict=True)]) for of_BT in (tokens_BT, weight_BT)
        )
        answers_N = torch.tensor([at >= row.answer for row, span in zip(own, spans, strict=True) for at in span], device=learner.device)
        soft_N = functional.kl_div(said_NV, taught_NV, reduction="none", log_target=True).sum(-1)
        hard_N = hard * answers_N
        return (weight_N * (hard_N * functional.nll_loss(said_NV, token_N, reduction="none") + (1 - hard_N) * soft_N)).sum()

    return loss


class Absorb:
    """Folds all contexts of a day into the weights, and takes them away."""

    def __init__(self, chosen: night_settings.Absorb, levels: int, problem_weight: float) -> None:
        self.settings, self.levels, self.problem_weight = chosen, levels, problem_weight

    def consolidate(self, mind: Mind, dusk: Mind, seed: int) -> Facts:
        """Teach; reports the first and last loss, and how many lines were taught with and without a context."""
        chosen, learner = self.settings, mind.learner
        fresh = [family for family in learner.known if family in learner.contexts]
        if not fresh:
            return {"skipped": "no day stands in the context"}
        teacher = learner.copy()
        new, old = (
            self._lines(mind, teacher, names, derive(seed, kind))
            for kind, names in (("new", fresh), ("old", [name for name in learner.known if name not in fresh]))
        )
        if not new:
            return {"skipped": "nothing was written"}
        learner.contexts = {}
        learner.train_only(fast=False)
        turns = [lines for lines in (new, old) if lines]

        def draw(step: int) -> Sequence[Line]:
            draws = Random(derive(seed, "batch", step))
            return [line for lines in turns for line in draws.choices(lines, k=chosen.batch // len(turns))]

        facts = learner.practise(
            draw, chosen.steps, chosen.rate, max(1, chosen.steps // 6), self.problem_weight, word(learner, teacher, chosen.hard)
        )
        learner.train_only(fast=True)
        return {**facts, "new": len(new), "old": len(old), "absorbed": fresh}

    def _lines(self, mind: Mind, teacher: TextLearner, families: Sequence[str], seed: int) -> list[Line]:
        """The teacher's own problems at the day's levels, with its own answers."""
        challenges = [Challenge(family, level, self.settings.each) for family in families for level in range(1, self.levels + 1)]
        found: list[Line] = mind.dreamer.answered(challenges, teacher, seed)
        return found
