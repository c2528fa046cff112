"""Supervised steps on lines: weights of the loss, batches without waste, AdamW. Letters: B lines, T tokens, V
vocabulary.
"""

from collections.abc import Callable, Sequence
from math import cos, pi

import torch
from torch import Tensor, nn
from torch.nn import functional

from sleepwake.domains.language.codec import Row, padded
from sleepwake.domains.language.problems import Line, ProblemWeight
from sleepwake.records import Facts, Look

CHUNK = 32
"""Lines a forward pass. A batch is sorted by length and cut into chunks, so that short lines aren't padded to the
longest; on a CPU this is nearly half of the time, and the gradient is the same."""

Loss = Callable[[Sequence[Line], Tensor, Tensor], Tensor]
"""From lines, their tokens_BT (padded on the right) and weight_BT of predicting each token, the weighted sum of the
loss."""


def cross_entropy(model: nn.Module) -> Loss:
    """Next-token cross-entropy of a model, weighted."""

    def loss(lines: Sequence[Line], tokens_BT: Tensor, weight_BT: Tensor) -> Tensor:
        logits_BTV = model(input_ids=tokens_BT, use_cache=False).logits[:, :-1].float()
        nats_BT = functional.cross_entropy(logits_BTV.flatten(0, 1), tokens_BT[:, 1:].flatten(), reduction="none")
        weight_BT = weight_BT[:, 1:]
        return (nats_BT.view_as(weight_BT) * weight_BT).sum()

    return loss


def train(
    model: nn.Module,
    draw: Callable[[int], Sequence[Line]],
    row: Callable[[Line], Row],
    pad: int,
    steps: int,
    rate: float,
    warmup: int,
    problem_weight: ProblemWeight,
    loss: Loss | None = None,
    look: Look | None = None,
    chunk: int = CHUNK,
) -> Facts:
    """AdamW on drawn lines, with linear warm-up, then a cosine down to a tenth of the rate; gradients are clipped to
    norm 1.

    Args:
        model: its parameters that require gradients are trained.
        draw: the lines of a step, by its number.
        row: how a line is written in tokens.
        pad: the token of padding.
        steps: optimizer steps.
        rate: peak learning rate.
        warmup: steps of warm-up.
        problem_weight: weight of the problem's tokens, of all lines or by the line.
        loss: cross-entropy unless given.
        chunk: lines a forward pass.
        look: called after each step with its number, from 1.

    Returns:
        Mean loss of the first and the last tenth, steps, lines and tokens seen.
    """
    device = next(model.parameters()).device
    loss = loss or cross_entropy(model)
    weight = problem_weight if callable(problem_weight) else lambda line: problem_weight
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=rate, betas=(0.9, 0.98), weight_decay=0.01)
    model.train()
    losses, samples, tokens = [], 0, 0
    for step in range(steps):
        lines = sorted(((line, row(line)) for line in draw(step)), key=lambda pair: len(pair[1].tokens))
        chunks = [lines[at : at + chunk] for at in range(0, len(lines), chunk)]
        weighed = [padded([written for _, written in part], pad, [weight(line) for line, _ in part], device) for part in chunks]
        total = float(sum(weight_BT[:, 1:].sum() for _, weight_BT in weighed))
        value = 0.0
        for part, (tokens_BT, weight_BT) in zip(chunks, weighed, strict=True):
            share = loss([line for line, _ in part], tokens_BT, weight_BT) / total
            share.backward()
            value += float(share.detach())
        nn.utils.clip_grad_norm_(trained, 1.0)
        factor = min(1.0, (step + 1) / max(1, warmup)) * (0.1 + 0.45 * (1 + cos(pi * step / steps)))
        for group in optimizer.param_groups:
            group["lr"] = rate * factor
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(value)
        samples += len(lines)
        tokens += sum(len(written.tokens) for _, written in lines)
        if look:
            look(step + 1)
    model.eval()
    tenth = max(1, steps // 10)
    return {
        "loss_first": round(sum(losses[:tenth]) / tenth, 6),
        "loss_last": round(sum(losses[-tenth:]) / tenth, 6),
        "steps": steps,
        "samples": samples,
        "tokens": tokens,
    }
