"""Dreams chosen by the size of their gradients."""

from pathlib import Path
from random import Random

import pytest
import torch

from sleepwake import recipe as recipes
from sleepwake.domains.language.characters import Characters
from sleepwake.domains.language.domain import build
from sleepwake.domains.language.importance import chosen, gradient_norms
from sleepwake.domains.language.problems import Line, Problem
from sleepwake.domains.language.tokenizer import EOS, CharacterCodec

RECIPE = Path(__file__).parent.parent / "recipes" / "language" / "tiny.toml"


def learner(fast: str = "full") -> Characters:
    found: Characters = build(recipes.load(RECIPE, [f'learner.fast="{fast}"'], 100), "cpu", ()).mind().learner
    return found


def line(text: str, answer: str) -> Line:
    return Line(Problem("copy", text), answer)


@pytest.mark.parametrize("fast", ["full", "lora"])
def test_norms_are_those_of_the_loss_that_trains(fast: str) -> None:
    one, lines = learner(fast), [line("12", "12"), line("345", "3")]
    one.train_only(fast=True)
    before = {key: value.clone() for key, value in one.model.state_dict().items()}
    norms = gradient_norms(one, lines)
    for text, norm in zip(("c12=12", "c345=3"), norms, strict=True):
        tokens = torch.tensor([[*CharacterCodec().encode(text), EOS]], device="cpu")
        labels = tokens.clone()
        labels[:, : text.index("=") + 2] = -100
        one.model.zero_grad()
        one.model(input_ids=tokens, labels=labels, use_cache=False).loss.backward()
        whole = sum(float(p.grad.square().sum()) for p in one.model.parameters() if p.grad is not None)
        assert norm == pytest.approx(whole**0.5, rel=1e-4)
    assert all(torch.equal(value, before[key]) for key, value in one.model.state_dict().items())


def test_what_is_known_is_left_out_first() -> None:
    """After training on some lines their gradients are the smallest; a fifth of what is kept is drawn from the others."""
    one, draws = learner(), Random(1)
    texts = ["".join(draws.choices("0123456789", k=3)) for _ in range(20)]
    known, new = [line(text, text) for text in texts[:10]], [line(text, text) for text in texts[10:]]
    one.practise(lambda step: known, 150, 5e-3, 10, 0.1)
    kept = chosen(one, [*known, *new], 0.5, 0.0, 3)
    assert kept == new
    some = chosen(one, [*known, *new], 0.5, 0.2, 3)
    assert len(some) == 10
    assert sum(each in new for each in some) >= 8
    assert chosen(one, known, 0.01, 1.0, 3)[0] in known
