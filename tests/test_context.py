"""Days in context: codes and look-ups, what stands before a prompt, and nights that take it into the weights."""

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sleepwake import recipe as recipes
from sleepwake import recipebook, session
from sleepwake.domains.language.codec import padded
from sleepwake.domains.language.codes import LETTERS, Code1, Code2, Lookup
from sleepwake.domains.language.distillation import alike, last_logs, word
from sleepwake.domains.language.domain import build
from sleepwake.domains.language.families import families
from sleepwake.domains.language.likelihood import chosen, over_answers
from sleepwake.domains.language.problems import Line, Problem
from sleepwake.roles import Guard

RECIPE = recipebook.find("language/context-codes")
SMALL = (
    "learner.width=32", "learner.layers=2", "learner.heads=2", "wake.steps=20", "stream.examples=400", "stream.tests=10",
    "stream.frontier_tests=20", 'stream.tasks=[["lookup"], ["code1"], ["code2"]]', 'wake.context=["code1", "code2"]',
    "sleep.consolidate.steps=5", "sleep.consolidate.each=10", "stream.frontier_cap=5",
)  # fmt: skip
FAMILIES = families(Guard(), ("lookup", "code1", "code2"))


@given(level=st.integers(1, 9), seed=st.integers(0, 10**6), name=st.sampled_from(list(FAMILIES)))
def test_codes_are_families_like_others(level: int, seed: int, name: str) -> None:
    one, draws = FAMILIES[name], Random(seed)
    problem = one.sample(level, draws)
    answer = one.solve(problem)
    assert one.well_formed(problem)
    assert one.level(problem) == level == len(answer) // 2
    assert one.answer_formed(answer)
    assert one.verify(problem, answer)
    assert not one.verify(problem, answer[:-1])
    wrong = answer[:-1] + LETTERS[(LETTERS.index(answer[-1]) + 1) % 6]
    assert one.answer_formed(wrong)
    assert not one.verify(problem, wrong)
    longer = one.compose(iter([problem] * 20), level + 3)
    assert one.well_formed(longer)
    assert one.level(longer) == level + 3


def test_a_lookup_reads_the_table_and_not_the_name() -> None:
    one = Lookup(Guard())
    assert one.solve("3r0o7pc4+703") == "7p0o3r"
    assert not one.well_formed("3r0o7pc4+1"), "one isn't in the table"
    assert Code1(Guard()).solve("0123456789") != Code2(Guard()).solve("0123456789")


def test_a_code_s_lines_are_told_as_a_lookup_begins() -> None:
    """The table before the code's prompt is, to the character, a lookup's problem: that is why the first day helps."""
    lookup, code = FAMILIES["lookup"], FAMILIES["code1"]
    lines = [Line(Problem("code1", digit), code.solve(digit)) for digit in "7301"]
    told = code.context(lines)
    assert told.startswith(lookup.prefix)
    problem = f"{told}{code.prefix}130".removeprefix(lookup.prefix)
    assert lookup.well_formed(problem)
    assert lookup.solve(problem) == code.solve("130")


def small(*changes: str) -> Any:
    return build(recipes.load(RECIPE, [*SMALL, *changes], 100), "cpu", ())


def test_a_day_in_context_trains_nothing_and_stands_before_every_prompt(tmp_path: Path) -> None:
    domain = small()
    mind = domain.mind()
    learner = mind.learner
    for task in domain.tasks[:2]:
        learner.open(task, 1)
    before = learner.lasting_state()
    facts = learner.learn(domain.tasks[1], domain.examples(domain.tasks[1]), None, 1)
    assert facts["steps"] == 0
    assert all(torch.equal(before[key], value) for key, value in learner.lasting_state().items())
    told = learner.contexts["code1"]
    assert len(told) == 1 + 2 * 10, "each digit and its letter"
    assert learner.prompt(Problem("code1", "12")) == f"<bos>{told}c1+12="
    assert learner.opening("code1") == f"<bos>{told}c1+"
    assert learner.prompt(Problem("code2", "12")) == "<bos>c2+12=", "only its own"
    learner.save(tmp_path)
    other = domain.mind().learner
    other.load(tmp_path)
    assert other.contexts == learner.contexts == learner.copy().contexts


def test_lines_are_weighed_from_their_end() -> None:
    """What two learners write alike are the last tokens; of answers their log-probabilities are those that `over_answers` means."""
    learner, teacher = small().mind().learner, small().mind().learner
    lines = [Line(Problem("code1", "12"), "1r2o"), Line(Problem("code2", "3"), "3p"), Line(Problem("code1", "7"), "7s")]
    teacher.contexts = {"code1": "o1r2s7a"}
    for line in lines:
        one, other = learner.row(line), teacher.row(line)
        assert alike(one, other) == len(one.tokens) - 1, "all that is predicted"
        assert alike(one, other._replace(tokens=[*other.tokens[:-1], 9])) == 0
    for told in (learner, teacher):
        rows = [told.row(line) for line in lines]
        counts = [len(row.tokens) - row.answer for row in rows]
        with torch.no_grad():
            logs = last_logs(told, rows, counts)
        tokens = [token for row in rows for token in row.tokens[row.answer :]]
        assert logs.shape == (len(tokens), 21)
        said = iter(logs[range(len(tokens)), tokens].tolist())
        sums = [sum(next(said) for _ in range(n)) for n in counts]
        means = over_answers(told, lines, chosen)
        assert sums == pytest.approx([mean * n for mean, n in zip(means, counts, strict=True)], abs=1e-4)


def test_of_problems_the_teacher_s_word_is_all_that_is_taught() -> None:
    """A learner has nothing to learn from itself but, where `hard` says so, its answers' own tokens; from another it learns problems too."""
    learner, other = (build(recipes.load(RECIPE, SMALL, seed), "cpu", ()).mind().learner for seed in (100, 101))
    lines = [Line(Problem("code1", "12"), "1r2o"), Line(Problem("code2", "3"), "3p")]

    def loss(teacher: Any, hard: float, problem_weight: float) -> float:
        tokens_BT, weight_BT = padded([learner.row(line) for line in lines], learner.codec.pad, problem_weight, learner.device)
        with torch.no_grad():
            return float(word(learner, teacher, hard)(lines, tokens_BT, weight_BT))

    means = over_answers(learner, lines, chosen)
    nats = -sum(mean * (len(line.answer or "") + 1) for mean, line in zip(means, lines, strict=True))
    twin = learner.copy()
    for weight in (0.0, 0.5):
        assert loss(twin, 0.0, weight) == pytest.approx(0.0, abs=1e-4)
        assert loss(twin, 1.0, weight) == pytest.approx(nats, rel=1e-4)
    assert loss(other, 1.0, 0.5) > loss(other, 1.0, 0.0) + 1e-3


def test_a_night_takes_the_context_away(tmp_path: Path) -> None:
    """Sixty steps are enough to write digits and an end. (A rolled-back night loads dusk's commit, contexts and all.)"""
    said = [*SMALL, "wake.steps=60", "wake.rate=1e-2", "morning.tolerance=1.0"]
    opened = session.start(RECIPE, said, 100, tmp_path / "run", False, "cpu", None, 0.0)
    opened.go_on(lambda _: None, 8)  # two days, each with its night: round, consolidation, morning
    events = [json.loads(line) for line in (tmp_path / "run" / "journal.jsonl").read_text().splitlines()]
    first, second = [event["facts"] for event in events if event["event"] == "staged" and event["stage"] == "consolidate"]
    assert first["skipped"] == "no day stands in the context"
    assert second["absorbed"] == ["code1"]
    assert second["loss_last"] < second["loss_first"]
    dusk, morning = (
        json.loads(sorted((tmp_path / "run").glob(f"*-{phase}"))[-1].joinpath("learner/learner.json").read_text())["contexts"]
        for phase in ("wake", "morning")
    )
    assert list(dusk) == ["code1"]
    assert not morning


@pytest.mark.slow
def test_codes_are_read_then_known(tmp_path: Path) -> None:
    """The recipe with two codes and half of its first day. The model looks up what stands before the prompt (chance is 1/6 a letter) and
    knows it after the night; by far most answers, since seed 100 had all of them at full size.
    """
    said = ["wake.steps=1800", 'stream.tasks=[["lookup"], ["code1"], ["code2"]]', 'wake.context=["code1", "code2"]']
    opened = session.start(RECIPE, said, 100, tmp_path / "run", False, "cpu", None, 0.0)
    opened.go_on(lambda _: None, None)
    events = [json.loads(line) for line in (tmp_path / "run" / "journal.jsonl").read_text().splitlines()]
    scores = [event["scores"] for event in events if event["event"] == "evaluated" and event.get("what") == "scores"]
    assert scores[-1][1] >= 0.9
    assert scores[-1][2] >= 0.9
