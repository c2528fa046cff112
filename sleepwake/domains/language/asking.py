"""Questions put to a chat model that it answers with one of a few words: how likely each is, read off without sampling."""

from collections.abc import Sequence

import torch

from sleepwake.domains.language.learners import TextLearner
from sleepwake.domains.language.likelihood import chosen, over_rows


def shares(learner: TextLearner, prompts: Sequence[str], words: Sequence[str]) -> list[list[float]]:
    """The probability of each word as the whole answer, given that it is one of them; a row for each prompt.

    Args:
        learner: who is asked.
        prompts: as the learner's codec writes them.
        words: the answers to choose from.
    """
    rows = [learner.codec.row(prompt, word) for prompt in prompts for word in words]
    means = over_rows(learner, rows, chosen)
    logs = torch.tensor([mean * (len(row.tokens) - row.answer) for mean, row in zip(means, rows, strict=True)], device="cpu")
    told: list[list[float]] = logs.view(-1, len(words)).softmax(-1).tolist()
    return told


def yes(learner: TextLearner, questions: Sequence[str]) -> list[float]:
    """How surely each question, free text in the user's turn, is answered with "Yes" rather than with "No", in [0, 1]."""
    prompts = [learner.codec.prompt("", question) for question in questions]
    return [row[0] for row in shares(learner, prompts, ("Yes", "No"))] if prompts else []
