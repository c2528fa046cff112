"""What a model says of answers that are there already. Letters: B lines, T tokens, V vocabulary."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from sleepwake.domains.language.codec import Row, padded
from sleepwake.domains.language.learners import TextLearner
from sleepwake.domains.language.problems import Line

TOGETHER = 8
"""Times as many lines a forward pass as in training: nothing is kept for gradients."""
Measure = Callable[[Tensor, Tensor], Tensor]
"""From log-probabilities logs_BTV of the next tokens and those tokens next_BT to a number each (B, T)."""


def chosen(logs_BTV: Tensor, next_BT: Tensor) -> Tensor:
    """Log-probability of the tokens that are there, in nats."""
    return logs_BTV.gather(2, next_BT[..., None])[..., 0]


def certainty(logs_BTV: Tensor, next_BT: Tensor) -> Tensor:
    """KL(U || p) = -log V - (1 / V) sum_j log p_j in nats: 0 where all tokens are as likely (Intuitor, arXiv 2505.19590, equation 2)."""
    vocabulary = torch.tensor(float(logs_BTV.shape[2]), device=logs_BTV.device)
    return -vocabulary.log() - logs_BTV.mean(dim=2)


def over_answers(learner: TextLearner, lines: Sequence[Line], measure: Measure) -> list[float]:
    """Mean of a measure over the tokens of each line's answer, its end included.

    Args:
        learner: whose model says it.
        lines: with answers.
        measure: of each token.
    """
    return over_rows(learner, [learner.row(line) for line in lines], measure)


@torch.inference_mode()
def over_rows(learner: TextLearner, rows: Sequence[Row], measure: Measure) -> list[float]:
    """As `over_answers`, of lines that are tokens already."""
    model, found = learner.model, [0.0] * len(rows)
    was_training = model.training
    model.eval()
    order = sorted(range(len(rows)), key=lambda at: len(rows[at].tokens))
    together = TOGETHER * learner.chunk
    for first in range(0, len(order), together):
        places = order[first : first + together]
        tokens_BT, weight_BT = padded([rows[at] for at in places], learner.codec.pad, 0.0, learner.device)
        logs_BTV = model(input_ids=tokens_BT, use_cache=False).logits[:, :-1].float().log_softmax(-1)
        weight_BT = weight_BT[:, 1:]
        means_B = (measure(logs_BTV, tokens_BT[:, 1:]) * weight_BT).sum(dim=1) / weight_BT.sum(dim=1)
        for at, mean in zip(places, means_B.tolist(), strict=True):
            found[at] = mean
    model.train(was_training)
    return found
