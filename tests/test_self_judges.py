"""Judges that ask a snapshot about the attempt itself, on a copier that was really trained."""

from pathlib import Path
from random import Random

import pytest
import torch

from sleepwake import recipe as recipes
from sleepwake.domains.language import judge_settings
from sleepwake.domains.language.characters import Characters
from sleepwake.domains.language.domain import build
from sleepwake.domains.language.ensembles import Ensemble
from sleepwake.domains.language.families import families
from sleepwake.domains.language.judges import Opinions
from sleepwake.domains.language.likelihood import certainty, chosen, over_answers
from sleepwake.domains.language.problems import Batch, Line, Problem
from sleepwake.domains.language.self_judges import Cycle, SelfCertainty
from sleepwake.domains.language.tokenizer import BOS, EOS, CharacterCodec
from sleepwake.roles import Guard

RECIPE = Path(__file__).parent.parent / "recipes" / "language" / "tiny.toml"
GUARD = Guard()
FAMILIES = families(GUARD, ("copy",))


def lines(n: int, level: int, seed: int = 0) -> list[Line]:
    draws, copy = Random(seed), FAMILIES["copy"]
    return [Line(Problem("copy", text), copy.solve(text)) for text in (copy.sample(level, draws) for _ in range(n))]


@pytest.fixture(scope="module")
def copier() -> Characters:
    """Copies three digits nearly always: 300 steps of 32 lines."""
    learner: Characters = build(recipes.load(RECIPE, [], 100), "cpu", ()).mind().learner
    taught = lines(2000, 3)
    learner.practise(lambda step: Random(step).sample(taught, 32), 300, 3e-3, 20, 0.1)
    assert sum(learner.right(lines(50, 3, seed=1))) >= 45
    return learner


def test_measures_of_answers_are_what_each_line_gives_by_itself(copier: Characters) -> None:
    lines = [Line(Problem("copy", text), said) for text, said in (("123", "123"), ("7", "7"), ("12345", "1"))]
    for measure in (chosen, certainty):
        found = over_answers(copier, lines, measure)
        for (problem, answer, _), mean in zip(lines, found, strict=True):
            text = f"c{problem.text}={answer}"
            tokens = torch.tensor([[*CharacterCodec().encode(text), EOS]], device="cpu")
            with torch.no_grad():
                logs = copier.model(input_ids=tokens).logits[:, :-1].log_softmax(-1)
            start = text.index("=") + 1  # of tokens after the beginning, the sign's place predicts the first of the answer
            assert tokens[0, 0] == BOS
            assert mean == pytest.approx(measure(logs, tokens[:, 1:])[0, start:].mean().item(), abs=1e-4)


def test_certainty_of_known_distributions() -> None:
    """Nothing where all four tokens are as likely; by hand where one has 0.7 and three 0.1."""
    even = torch.full((1, 1, 4), 0.25, device="cpu").log()
    token = torch.zeros((1, 1), dtype=torch.int64, device="cpu")
    assert certainty(even, token).item() == pytest.approx(0.0, abs=1e-6)
    skewed = torch.tensor([[[0.7, 0.1, 0.1, 0.1]]], device="cpu")
    by_hand = sum(0.25 * torch.log(0.25 / p) for p in skewed[0, 0]).item()
    assert certainty(skewed.log(), token).item() == pytest.approx(by_hand, abs=1e-6)


@pytest.mark.parametrize("givens", [1, 3])
def test_a_cycle_closes_for_right_answers_and_not_for_others(copier: Characters, givens: int) -> None:
    judge = Cycle(judge_settings.Cycle(type="cycle", givens=givens), FAMILIES, GUARD, lambda: copier)
    judge.snapshot = copier
    right = lines(20, 3, seed=2)
    wrong = [Line(line.problem, "".join(str((int(digit) + 5) % 10) for digit in line.answer or "")) for line in right]
    closed, open_ = (judge.rewards(Batch(tuple(batch)), 1) for batch in (right, wrong))
    assert sum(reward or 0 for reward in closed) / 20 > 0.8
    assert sum(reward or 0 for reward in open_) / 20 < 0.3


def test_what_is_well_known_is_sure_and_confident_errors_are_not_seen(copier: Characters) -> None:
    """Its own answers get the higher rewards, beyond what it learned too, where they are wrong: why it is no judge of right and wrong."""
    judge = SelfCertainty(judge_settings.SelfCertainty(type="self-certainty"), FAMILIES, GUARD, lambda: copier)
    judge.snapshot = copier
    right = lines(20, 3, seed=3)
    shifted = [Line(line.problem, "".join(str((int(digit) + 5) % 10) for digit in line.answer or "")) for line in right]
    sure, unsure = (judge.rewards(Batch(tuple(batch)), 1) for batch in (right, shifted))
    assert sum(one > other for one, other in zip(sure, unsure, strict=True) if one is not None and other is not None) >= 18
    beyond = [line.problem for line in lines(20, 6, seed=4)]
    own = [Line(problem, answer) for problem, answer in zip(beyond, copier.answer(beyond), strict=True)]
    errors = [line for line in own if line.answer != FAMILIES["copy"].solve(line.problem.text)]
    assert len(errors) >= 10
    rewards = judge.rewards(Batch(tuple(errors)), 1)
    assert sum(reward or 0 for reward in rewards) / len(errors) > sum(reward or 0 for reward in unsure) / 20


class Says(Opinions):
    """Gives what it was told to."""

    def __init__(self, given: list[float | None]) -> None:
        super().__init__(FAMILIES, 0.5)
        self.given = given

    def rewards(self, attempts: Batch, seed: int) -> list[float | None]:
        return self.given


def test_an_ensemble_abstains_where_its_members_differ() -> None:
    judge = Ensemble(judge_settings.Ensemble(type="ensemble"), FAMILIES, GUARD, lambda: None)  # type: ignore[arg-type, return-value]
    attempts = Batch(tuple(Line(Problem("copy", str(n)), str(n)) for n in range(5)))
    judge.members = [Says([1.0, 0.9, 0.2, None, None]), Says([0.6, 0.1, 0.4, 0.7, None])]
    assert judge.rewards(attempts, 1) == [1.0, None, 0.0, 1.0, None]
    assert judge.verdicts(attempts, 1).accepted == (True, False, False, True, False)
