"""How lines are written in tokens: what a learner, its trainers and its judges need to know of its tokenizer."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor


class Row(NamedTuple):
    """A line in tokens, its end included; the answer begins at `answer`."""

    tokens: list[int]
    answer: int


class Codec(Protocol):
    """Text to tokens and back. Texts of prompts hold special tokens as the tokenizer writes them.

    Attributes:
        tokenizer: what trainers of transformers and TRL are given; it makes of a prompt's text the same tokens as `encode`.
        pad: the token of padding.
        end: the token that ends an answer.
    """

    tokenizer: Any
    pad: int
    end: int

    def prompt(self, prefix: str, problem: str) -> str:
        """What stands before the answer to a problem of the family with this prefix."""
        ...

    def opening(self, prefix: str) -> str:
        """What stands before a problem that the model is to write itself."""
        ...

    def encode(self, prompt: str) -> list[int]:
        """A prompt's or an opening's tokens."""
        ...

    def row(self, prompt: str, answer: str) -> Row:
        """A prompt with its answer and the end."""
        ...


def padded(rows: Sequence[Row], pad: int, problem_weight: float | Sequence[float], device: torch.device) -> tuple[Tensor, Tensor]:
    """tokens_BT, padded on the right (causal attention never looks there, so no mask is needed), and weight_BT of predicting each token:
    1 for an answer's and the end, less for a problem's (of all rows or by the row), 0 for the beginning and padding.
    """
    longest = max(len(row.tokens) for row in rows)
    weights = [problem_weight] * len(rows) if isinstance(problem_weight, float) else problem_weight
    tokens_BT = torch.tensor([[*row.tokens, *[pad] * (longest - len(row.tokens))] for row in rows], device=device)
    weight_BT = torch.tensor(
        [
            [0.0, *[of_problem] * (row.answer - 1), *[1.0] * (len(row.tokens) - row.answer), *[0.0] * (longest - len(row.tokens))]
            for row, of_problem in zip(rows, weights, strict=True)
        ],
        device=device,
    )
    return tokens_BT, weight_BT
