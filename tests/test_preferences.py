"""Trainers of TRL that learn from judged attempts, and RLOO: what they are given, and what they do to the policy."""

import random
from pathlib import Path
from random import Random

import pytest
import torch
from days import a_round, contents, day, saved

from sleepwake import recipe as recipes
from sleepwake.domains.language.domain import Language, build
from sleepwake.domains.language.families import families
from sleepwake.domains.language.likelihood import chosen, over_answers
from sleepwake.domains.language.preferences import easy_pairs, judged_pairs
from sleepwake.domains.language.problems import Batch, Line, Problem
from sleepwake.records import Verdicts
from sleepwake.roles import Guard

FAMILIES = families(Guard(), ("copy", "reverse", "formats"))
RECIPE = Path(__file__).parent.parent / "recipes" / "language" / "tiny-grpo.toml"
KINDS = {
    "rloo": ('sleep.rehearse={type="rloo", steps=2, prompts=4, generations=2, longest=8}',),
    "dpo": ('sleep.rehearse={type="dpo", steps=20, batch=8, rate=1e-2, easy=0}', "dreamer.attempts=4"),
    "kto": ('sleep.rehearse={type="kto", steps=20, batch=8, rate=1e-2, easy=0}', "dreamer.attempts=4"),
}


def made(kind: str, *changes: str) -> Language:
    return build(recipes.load(RECIPE, ["wake.steps=40", *KINDS[kind], *changes], 100), "cpu", ())


def test_pairs_by_hand() -> None:
    one, other, third = Problem("copy", "12"), Problem("copy", "34"), Problem("reverse", "56")
    batch = Batch((Line(one, "12", 1), Line(one, "21", 2), Line(one, "1", 1), Line(other, "3", 1), Line(third, "65", 1)))
    verdicts = Verdicts((1.0, 0.0, None, 0.2, 0.9), ("",) * 5)
    assert judged_pairs(batch, verdicts, FAMILIES) == [(one, "12", "21")], "no accepted attempt at the second, nothing worse at the third"
    total = Problem("formats", "21+93")
    said = Batch((Line(total, "150"), Line(total, "+051"), Line(total, "151")))
    told = judged_pairs(said, Verdicts((1.0, 0.0, 0.0), ("",) * 3), FAMILIES)
    assert told == [(total, "150", "151")], "the same in another format is not worse"
    lines = [Line(one, "12"), Line(other, "34"), Line(third, "65")]
    assert easy_pairs(lines, Random(0)) == [(one, "12", "34"), (other, "34", "12")]


@pytest.mark.parametrize(("kind", "fast"), [("rloo", "lora"), ("dpo", "full"), pytest.param("kto", "lora", marks=pytest.mark.slow)])
def test_a_round_repeats_and_leaves_nothing_behind(tmp_path: Path, kind: str, fast: str) -> None:
    domain = made(kind, f'learner.fast="{fast}"')
    mind = domain.mind()
    day(domain, mind)
    dusk = saved(mind, tmp_path / "dusk")
    torch_state, python_state = torch.random.get_rng_state(), random.getstate()
    names = set(mind.learner.model.state_dict())
    ends = []
    for place in range(2):
        again = domain.mind()
        again.load(dusk)
        material, verdicts, facts = a_round(domain, again, dusk)
        assert len(verdicts) == len(material) > 0
        assert facts["steps"] == (2 if kind == "rloo" else 20)
        assert set(again.learner.model.state_dict()) == names
        ends.append(contents(saved(again, tmp_path / f"end-{place}")))
    assert ends[0] == ends[1]
    assert torch.equal(torch_state, torch.random.get_rng_state())
    assert python_state == random.getstate()


@pytest.mark.parametrize(
    ("kind", "changes"),
    [("dpo", ("sleep.rehearse.imitate=0",)), ("dpo", ()), pytest.param("kto", ("sleep.rehearse.steps=120",), marks=pytest.mark.slow)],
)
def test_what_was_accepted_becomes_likelier_than_what_was_not(kind: str, changes: tuple[str, ...]) -> None:
    """Ten problems, the right answer accepted and a wrong one rejected: the mean margin of their log-probabilities grows.

    DPO by itself makes both less likely (seen: -6.3 to -14.6); imitation holds the accepted one up. Seen: 1.7 nats of margin for DPO, 5.7 for KTO.
    """
    domain = made(kind, "sleep.rehearse.steps=40", *changes)
    mind = domain.mind()
    day(domain, mind)
    problems = [Problem("copy", f"{at}{9 - at}") for at in range(10)]
    lines = tuple(line for problem in problems for line in (Line(problem, problem.text, 1), Line(problem, problem.text[::-1] + "0", 1)))
    verdicts = Verdicts((1.0, 0.0) * 10, ("",) * 20)

    def likely() -> tuple[float, float]:
        means = over_answers(mind.learner, lines, chosen)
        sums = [mean * (len(line.answer or "") + 1) for mean, line in zip(means, lines, strict=True)]
        return sum(sums[::2]) / 10, sum(sums[1::2]) / 10

    good, bad = likely()
    domain.rehearsal.rehearse(mind, lambda: mind, Batch(lines), verdicts, 1.0, 3)
    now_good, now_bad = likely()
    if kind == "dpo" and not changes:
        assert now_good > good + 0.5
    else:
        assert now_good - now_bad > good - bad + 0.2
