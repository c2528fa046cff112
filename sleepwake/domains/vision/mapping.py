"""Head mapping: which rows new classes begin with, by what the network takes their images for."""

from collections.abc import Sequence

import torch
from torch import Tensor

from sleepwake.domains.vision.images import Batch
from sleepwake.domains.vision.networks import Classifier


@torch.no_grad()
def wins(net: Classifier, examples: Batch, classes: Sequence[int], rows: Sequence[int]) -> Tensor:
    """How often (C, R) each of some rows is the likeliest of them on images of each class.

    Args:
        net: answers.
        examples: labelled images, of these classes among others.
        classes: ids of the new classes.
        rows: ids of the rows that compete.
    """
    answers_N = net.answer(examples.images_NCHW, only=rows)
    mine_CN = torch.stack([examples.labels_N == name for name in classes])
    won_RN = torch.stack([answers_N == row for row in rows])
    return (mine_CN[:, None] & won_RN).sum(dim=2)


def greedy(wins_CR: Tensor) -> dict[int, int]:
    """One row at most for each class, by its place: the pair with the most wins first, then the best of what is left; none without a win.

    The rule of WSCL (Sorrenti et al., arXiv 2401.08623). Of equal pairs the first.
    """
    left_CR, found = wins_CR.clone(), dict[int, int]()
    while left_CR.numel() and int(left_CR.max()) > 0:
        place, row = divmod(int(left_CR.argmax()), left_CR.shape[1])
        found[place] = row
        left_CR[place], left_CR[:, row] = 0, 0
    return found


def mapped(net: Classifier, examples: Batch, classes: Sequence[int], rows: Sequence[int]) -> dict[int, int]:
    """The row that each new class gets, by id: class by the row's own id."""
    return {rows[row]: classes[place] for place, row in greedy(wins(net, examples, classes, rows)).items()}


def remapped(net: Classifier, examples: Batch, classes: Sequence[int]) -> Classifier:
    """A copy in which new classes have the rows that win their training images, of their own fresh ones and those of dreamed classes.

    The same mapping for every network, whether it dreams or not, so that forward transfer can be compared (`ahead.remap`).
    """
    twin = net.copy()
    twin.hand_over(mapped(net, examples, classes, [*classes, *net.dreamed]))
    return twin
