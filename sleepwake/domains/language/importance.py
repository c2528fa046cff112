"""Which dreams are worth training on: those whose gradient is largest, and some at random (Sleep, arXiv 2606.03979, stage 2)."""

from collections.abc import Sequence
from random import Random

import torch

from sleepwake.domains.language.codec import padded
from sleepwake.domains.language.learners import TextLearner
from sleepwake.domains.language.problems import Line
from sleepwake.domains.language.training import cross_entropy


def gradient_norms(learner: TextLearner, lines: Sequence[Line]) -> list[float]:
    """The norm of the gradient of each line's mean cross-entropy over its answer, in the weights that are trained; changes nothing."""
    trained = [parameter for parameter in learner.model.parameters() if parameter.requires_grad]
    loss, norms = cross_entropy(learner.model), []
    for line in lines:
        tokens_BT, weight_BT = padded([learner.row(line)], learner.codec.pad, 0.0, learner.device)
        gradients = torch.autograd.grad(loss([line], tokens_BT, weight_BT) / weight_BT[:, 1:].sum(), trained)
        norms.append(float(torch.stack([gradient.square().sum() for gradient in gradients]).sum().sqrt()))
    return norms


def chosen(learner: TextLearner, lines: Sequence[Line], keep: float, chance: float, seed: int) -> list[Line]:
    """A share of lines, in order: most by the size of their gradients, the rest drawn from the others so that no kind of dream dies out.

    Args:
        learner: whose gradients.
        lines: accepted ones.
        keep: share that is kept, at least one line.
        chance: share of these that is drawn at random.
        seed: of the draw.
    """
    n = max(1, round(keep * len(lines)))
    drawn = round(chance * n)
    norms = gradient_norms(learner, lines)
    order = sorted(range(len(lines)), key=lambda at: -norms[at])
    rest = Random(seed).sample(order[n - drawn :], drawn)
    return [lines[at] for at in sorted([*order[: n - drawn], *rest])]
