"""The one optimizer loop: of the classifier by day and night, and of the generators."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from sleepwake.records import Facts


def descend(parameters: Iterable[nn.Parameter], loss_at: Callable[[int], Tensor], steps: int, lr: float) -> Facts:
    """Minimise a loss with a fresh Adam (betas 0.9 and 0.999).

    Args:
        parameters: changed in place.
        loss_at: the loss of a step, with its own draws.
        steps: how many.
        lr: learning rate.

    Returns:
        steps, and the loss over the first and the last tenth of them.
    """
    optimizer = torch.optim.Adam(parameters, lr=lr, fused=True)  # fused keeps its counters on the parameters' device
    losses: list[Tensor] = []
    for step in range(steps):
        loss = loss_at(step)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    tenth = max(1, steps // 10)
    first, last = (float(torch.stack(part).mean()) for part in (losses[:tenth], losses[-tenth:]))
    return {"steps": steps, "loss_first": round(first, 6), "loss_last": round(last, 6)}
