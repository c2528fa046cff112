"""A teacher's word on lines, whatever stands before them in its own rows. Letters: B lines, T tokens, V vocabulary, N
tokens taught.

At a problem's tokens its word is all that is taught: a learner that is taught the letters of its own samples recites these,
and one that is taught answers alone forgets how to write problems.
"""

from collections.abc import Sequence
from itertools import takewhile

import torch
from torch import Tensor
from torch.nn import functional

from sleepwake.domains.language.codec import Row, padded
from sleepwake.domains.language.learners import TextLearner
from sleepwake.domains.language.problems import Line
from sleepwake.domains.language.training import Loss


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
