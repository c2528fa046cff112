"""The one optimizer loop: of the classifier by day and night, and of the generators."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from sleepwake.records import Facts, Look

Step = Callable[[], Any]
Take = Callable[[Step], None]
Named = Iterable[tuple[str, nn.Parameter]]


def adam(parameters: Iterable[nn.Parameter], lr: float, betas: tuple[float, float] = (0.9, 0.999)) -> torch.optim.Optimizer:
    """A fresh Adam; fused, which keeps its counters on the parameters' device."""
    return torch.optim.Adam(parameters, lr=lr, betas=betas, fused=True)


def moments(optimizer: torch.optim.Optimizer, named: Named) -> dict[str, Tensor]:
    """What an optimizer knows of past gradients, by the weight's name and its own."""
    known = ((name, optimizer.state.get(weight, {})) for name, weight in named)
    return {f"{name}:{kind}": value.clone() for name, state in known for kind, value in state.items()}


def recall(optimizer: torch.optim.Optimizer, named: Named, kept: Mapping[str, Tensor]) -> None:
    """Give an optimizer back what `moments` took from another. Of rows that a weight has gained since it knows nothing yet: 0."""
    trained = {id(weight) for group in optimizer.param_groups for weight in group["params"]}
    for name, weight in named:
        parts = {key.removeprefix(f"{name}:"): value for key, value in kept.items() if key.startswith(f"{name}:")}
        if id(weight) in trained and parts:
            optimizer.state[weight] = {kind: value.clone() if value.dim() == 0 else padded(value, weight) for kind, value in parts.items()}


def padded(value: Tensor, weight: Tensor) -> Tensor:
    """A copy with as many rows as a weight, zeros at the end."""
    whole = torch.zeros_like(weight)
    whole[: len(value)] = value
    return whole


def just(step: Step) -> None:
    """Take a step, and do nothing about it."""
    step()


def falling(optimizer: torch.optim.Optimizer, end_factor: float, steps: int, take: Take = just) -> Take:
    """What `take` does, and after it rates that fall linearly to a share of what they were at the last step; 1: they stay."""
    if end_factor == 1:
        return take
    fall = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, end_factor, total_iters=steps)

    def take_and_fall(step: Step) -> None:
        take(step)
        fall.step()

    return take_and_fall


def descend(
    optimizer: torch.optim.Optimizer,
    loss_at: Callable[[int], Tensor],
    steps: int,
    take: Take = just,
    look: Look | None = None,
) -> Facts:
    """Minimise a loss.

    Args:
        optimizer: of the parameters, which are changed in place.
        loss_at: the loss of a step, with its own draws.
        steps: how many.
        take: calls the optimizer's step once; what must look at the weights before and after it stands around that call.
        look: called after each step with its number, from 1.

    Returns:
        steps, and the loss over the first and the last tenth of them.
    """
    losses: list[Tensor] = []
    for step in range(steps):
        loss = loss_at(step)
        optimizer.zero_grad()
        loss.backward()
        take(optimizer.step)
        losses.append(loss.detach())
        if look:
            look(step + 1)
    tenth = max(1, steps // 10)
    first, last = (float(torch.stack(part).mean()) for part in (losses[:tenth], losses[-tenth:]))
    return {"steps": steps, "loss_first": round(first, 6), "loss_last": round(last, 6)}
