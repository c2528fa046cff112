"""Judging in words and by comparison, and notes that a fitted chat model edits, replays and chooses by night."""

import json
from pathlib import Path
from random import Random
from typing import Any

import chat_models
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from sleepwake import recipe as recipes
from sleepwake import recipebook
from sleepwake.cli import app
from sleepwake.domains.language import judge_settings, notes, rubrics
from sleepwake.domains.language.domain import build
from sleepwake.domains.language.families import families
from sleepwake.domains.language.notes import rho, standing
from sleepwake.domains.language.pairs import IN_WORDS, InWords, Pairs
from sleepwake.domains.language.pairwise import Pairwise
from sleepwake.domains.language.problems import Batch, Line, Problem
from sleepwake.domains.language.rubrics import Rubrics
from sleepwake.errors import RecipeError
from sleepwake.records import Verdicts
from sleepwake.roles import Guard

CPU = torch.device("cpu")
RIGHT = ("Is it right?",)
SMALL = (
    "threads=1", "stream.examples=100", "stream.kept=4", "stream.tests=16", "stream.frontier_tests=20", "learner.rank=4", "learner.longest=16",
    "dreamer.pool=40", "dreamer.shortest=8", "dreamer.quality=0", "dreamer.alike=1.0", "dreamer.longest=40",
    "challenger.problems=8", "wake.steps=1", "wake.batch=4", "wake.rate=1e-6", "policy.nights=1", "policy.ungrounded=0",
    'stream.sets.gsm8k={path="sums.jsonl", extract="number"}',
)  # fmt: skip
NOTES = (
    "sleep.rounds=2", "dreamer.attempts=2", 'judge.rubrics=["Is it right?"]', "sleep.rehearse.temperature=0", "sleep.rehearse.longest=40",
)  # fmt: skip


@pytest.fixture
def said(tmp_path: Path) -> list[str]:
    chat_models.questions(tmp_path, 4)
    return [*SMALL, *NOTES, f'learner.model={{type="folder", folder="{chat_models.fitted_to_notes()}"}}']


@pytest.fixture
def mind(said: list[str], tmp_path: Path) -> Any:
    with CPU:
        found = build(recipes.load(recipebook.find("language/notes-gpu"), said, 0), "cpu", (tmp_path,)).mind()
    found.learner.known = ("gsm8k",)
    return found


def problem(first: int, second: int) -> Problem:
    return Problem("gsm8k", f"What is {first} plus {second}?")


# ------------------------------------------------------------------------------------------------------------------- rubrics, notes


def test_rubrics_must_all_pass(mind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = Batch((Line(problem(1, 2), "It is 3."), Line(problem(1, 3), "I do not know."), Line(problem(2, 2), "It is 4.")))
    judge: Rubrics = mind.judge
    judge.ask(mind.learner)
    assert judge.verdicts(lines, 0).accepted == (True, False, True)
    monkeypatch.setattr("sleepwake.domains.language.rubrics.yes", lambda learner, texts: [0.9, 0.2, 0.3, 0.8, 0.7, 0.6])
    judge.rubrics = (*RIGHT, "Is it short?")  # this model would say the same of it, so what it says is told by hand
    assert judge.rewards(lines, 0) == [0.2, 0.3, 0.6], "the least of each answer's two"
    assert rubrics.ASK.format(rubric=RIGHT[0], problem="P", answer="A") == "Is it right? Say Yes or No.\n\nProblem: P\nAnswer: A"


def test_rho_is_never_nothing() -> None:
    assert (rho(0, 0), rho(0, 1), rho(3, 3)) == (1.0, 0.5, 1.0)


def test_failures_edit_the_reasoner_s_notes_and_easy_wins_the_challenger_s(mind: Any) -> None:
    material = Batch((Line(problem(1, 1), "I do not know."), Line(problem(1, 2), "It is 3."), Line(problem(3, 1), "I do not know.")))
    verdicts = Verdicts((0.2, 1.0, 0.1), ("", "", ""))
    edit = notes.Edit(recipes.load(recipebook.find("language/notes-gpu"), NOTES, 0).sleep.rehearse, 1, 0.1)  # type: ignore[union-attr]
    _, _, facts = edit.rehearse(mind, lambda: mind, material, verdicts, 1.0, 0)
    assert facts["edited"] == 2
    assert standing(mind.learner) == {"reasoner": {"gsm8k": "Count on.\n"}, "challenger": {"gsm8k": "Ask more.\n"}}
    assert mind.learner.notebook["hard"] == [["gsm8k", problem(3, 1).text]], "the one with the lowest reward"
    assert mind.learner.notebook["easy"] == [["gsm8k", problem(1, 2).text]]
    assert mind.learner.prompt(problem(0, 0)).startswith("<|im_start|>user\nCount on.\nWhat")
    assert mind.learner.opening("gsm8k").endswith("Ask more.\n")
    edit.settings = edit.settings.model_copy(update={"longest": 3})
    edit.rehearse(mind, lambda: mind, material, verdicts, 1.0, 1)
    assert standing(mind.learner)["reasoner"] == {"gsm8k": "Count on.\n"}, "what is too long isn't taken"


def test_the_best_notes_of_the_night_stay(mind: Any) -> None:
    """Notes that make the model say nothing come last, and lose to those before them."""
    learner = mind.learner
    rounds = [{"reasoner": {"gsm8k": text}, "challenger": {}} for text in ("", "Count on.\n", "Write: ")]
    learner.notebook = {"rounds": rounds, "hard": [list(problem(1, 1)), list(problem(3, 1))], "easy": [list(problem(1, 2))]}
    learner.contexts = {"gsm8k": "Write: "}
    facts = notes.Replay(None, 1, 0.1).consolidate(mind, mind, 0)  # type: ignore[arg-type]
    assert facts["chosen"] == 1, facts
    assert learner.contexts == {"gsm8k": "Count on.\n"}
    assert learner.notebook["scores"] == facts["rounds"], "the night's notes are kept with what they were worth"
    assert "skipped" in notes.Replay(None, 1, 0.1).consolidate(mind, mind, 0)  # type: ignore[arg-type]
    assert facts["rounds"][1]["product"] > max(facts["rounds"][0]["product"], facts["rounds"][2]["product"])


def test_a_night_of_notes_from_end_to_end(said: list[str], tmp_path: Path) -> None:
    """The scripted model knows no sum without the note and most with it; nothing is trained at night."""
    out = tmp_path / "run"
    asked = [part for line in said for part in ("--set", line)]
    with CPU:
        result = CliRunner().invoke(app, ["run", "language/notes-gpu", "--data", str(tmp_path), "--out", str(out), *asked])
    assert result.exit_code == 0, result.output
    events = [json.loads(line) for line in (out / "journal.jsonl").read_text().splitlines()]
    scores = [event["scores"][0] for event in events if event["event"] == "evaluated" and event.get("what") == "scores"]
    chosen = next(event["facts"] for event in events if event["event"] == "staged" and event["stage"] == "consolidate")
    assert scores[1] <= 0.1, "after the wake"
    assert chosen["notes"]["reasoner"]["gsm8k"] == "Count on.\n"
    assert scores[-1] >= 0.6, "in the morning"
    saved = json.loads((sorted(out.glob("*-morning"))[-1] / "learner/learner.json").read_text())
    assert len(saved["notebook"]["rounds"]) == 3, "two rounds' notes and those before them are kept in the run folder"


# ------------------------------------------------------------------------------------------------------------------- pairs

NAMES = ("copy", "sum", "pairs")
FAMILIES = families(Guard(), NAMES)


@given(level=st.integers(1, 9), seed=st.integers(0, 10**6))
def test_a_pair_has_one_right_answer(level: int, seed: int) -> None:
    one: Any = FAMILIES["pairs"]
    text = one.sample(level, Random(seed))
    answer = one.solve(text)
    assert one.well_formed(text)
    assert one.level(text) == level
    assert one.answer_formed(answer)
    assert one.verify(text, answer)
    assert not one.verify(text, "2" if answer == "1" else "1")
    prefix, question, first, second = one.parts(text)
    assert one.verify(f"{prefix}{question}+{second}+{first}", "2" if answer == "1" else "1"), "the order turns it round"
    assert one.verify(f"{prefix}{question}+{first}+{first}", "1") is None
    assert not one.well_formed(f"{prefix}{question}+{first}+{first}")


class Knower:
    """Says which answer to a copy is right, and prefers what stands first where both are wrong."""

    def prompt(self, problem: Problem) -> str:
        return problem.text


def test_a_chat_model_is_trained_to_judge_in_words(tmp_path: Path) -> None:
    """A round of GRPO with half of its prompts judgements; what is right in them nobody knows, so no audit counts them."""
    chat_models.questions(tmp_path)
    said = [
        *SMALL, "morning.floors={}", "dreamer.attempts=4", "dreamer.temperature=1.5",
        'judge={type="pairwise", shortest=0, threshold=0.3}', "sleep.rounds=1", "sleep.rehearse.judging=0.5",
        "sleep.rehearse.steps=1", "sleep.rehearse.prompts=8", "sleep.rehearse.generations=4", "sleep.rehearse.longest=16",
        f'learner.model={{type="folder", folder="{chat_models.fitted()}"}}',
    ]  # fmt: skip
    with CPU:
        domain = build(recipes.load(recipebook.find("language/gsm8k-gpu"), said, 0), "cpu", (tmp_path,))
        mind = domain.mind()
        mind.learner.open(domain.tasks[0], 1)
        mind.judge.ask(mind.learner.copy())
        material = mind.dreamer.dream(mind.challenger.propose(mind, 1), mind.learner, 1)
        verdicts = mind.judge.verdicts(material, 1)
        sampled, found, _ = domain.rehearsal.rehearse(mind, lambda: mind, material, verdicts, 1.0, 1)
    words = {line.problem for line in sampled.lines if line.problem.family == IN_WORDS}
    assert 0 < len(words) <= 4, "half of eight prompts"
    assert all(problem.text.startswith("Which answer to the problem is right?") for problem in words)
    told = [(line.answer, at) for line, at in zip(sampled.lines, found.rewards, strict=True) if line.problem in words]
    assert {answer for answer, at in told if at} <= {"1", "2"}, "what is no judgement earns nothing"
    assert any(answer not in ("1", "2") for answer, _ in told), "and this model, which nobody taught to judge, says other things"
    assert domain.audit(mind, sampled, found)["unknown"] >= sum(line.problem in words for line in sampled.lines)


def test_a_set_of_questions_can_t_have_the_name_of_judgements(said: list[str]) -> None:
    named = ['stream.sets.judging={path="sums.jsonl", extract="number"}', 'stream.tasks=[["gsm8k"], ["judging"]]']
    with pytest.raises(RecipeError, match=r"write: \[stream.sets.judgements\]"):
        recipes.load(recipebook.find("language/notes-gpu"), [*said, *named], 0)


@pytest.fixture
def judge(monkeypatch: pytest.MonkeyPatch) -> Pairwise:
    pairs = Pairs(Guard())

    def shares(_: Any, prompts: list[str], words: tuple[str, str]) -> list[list[float]]:
        sure = {"1": 0.9, "2": 0.1, "": 0.7}
        return [[sure[pairs._answer(text)], 1 - sure[pairs._answer(text)]] for text in prompts]

    monkeypatch.setattr("sleepwake.domains.language.pairwise.shares", shares)
    one = Pairwise(judge_settings.Pairwise(type="pairwise"), FAMILIES, Guard(), lambda: None)  # type: ignore[arg-type, return-value]
    one.ask(Knower())  # type: ignore[arg-type]
    return one


def copies(*answers: str) -> Batch:
    return Batch(tuple(Line(Problem("copy", "123"), answer) for answer in answers))


def test_who_wins_comparisons_is_accepted(judge: Pairwise) -> None:
    verdicts = judge.verdicts(copies("124", "123", "133"), 0)
    assert verdicts.accepted == (False, True, False)
    assert verdicts.rewards[1] == pytest.approx(0.9)
    assert judge.metrics()["flips"] == pytest.approx(1 / 3, abs=1e-6), "of the two wrong ones whichever stands first is preferred"
    assert judge.ranks[Problem("copy", "123")]["124"] == pytest.approx((0.1 + 0.5) / 2), "the mean over both orders"


def test_a_win_by_length_counts_for_little_or_nothing(judge: Pairwise) -> None:
    assert judge.rewards(copies("123", "1"), 0) == [0.0, 0.0]
    assert judge.rewards(copies("123", "1234567"), 0) == [0.0, 0.0]
    judge.shortest = 0.5
    assert judge.rewards(copies("123", "12"), 0)[0] == pytest.approx(0.9 * 2 / 3)


def test_one_attempt_can_t_be_compared(judge: Pairwise) -> None:
    assert judge.rewards(copies("123"), 0) == [None]


def test_judgements_are_rewarded_where_they_agree_with_the_ranking(judge: Pairwise) -> None:
    material = copies("124", "123", "133")
    judge.verdicts(material, 0)
    asked = judge.judgements(material)
    assert len(asked) == 4, "the two wrong ones are ranked alike"
    assert Problem("pairs", "c123+124+123") in asked
    lines = Batch(tuple(Line(Problem("pairs", text), said) for text in ("c123+124+123", "c123+123+133") for said in ("1", "2")))
    assert judge.rewards(lines, 0) == [0.0, 1.0, 1.0, 0.0]
    judge.rewards(copies("123", "999"), 0)
    assert judge.rewards(lines, 0) == [0.0, 1.0, 1.0, 0.0], "what is sampled later takes nothing away"
    assert judge.rewards(Batch((Line(Problem("pairs", "c9+9+8"), "1"),)), 0) == [None], "of what was not compared nothing is known"
    assert not judge.can_tell(asked[0])


def test_judgements_in_words_are_rewarded_where_they_agree_with_the_ranking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a snapshot that prefers the larger number."""
    one = Pairwise(judge_settings.Pairwise(type="pairwise"), {**families(Guard(), ("copy",)), IN_WORDS: InWords()}, Guard(), lambda: None)  # type: ignore[arg-type, return-value]
    texts: list[str] = []

    def shares(_: Any, prompts: list[str], words: tuple[str, str]) -> list[list[float]]:
        texts.extend(prompts)
        answers = [[line[3:] for line in text.splitlines() if line[:3] in ("1: ", "2: ")] for text in prompts]
        return [[0.9, 0.1] if int(first) > int(second) else [0.1, 0.9] for first, second in answers]

    monkeypatch.setattr("sleepwake.domains.language.pairwise.shares", shares)
    one.ask(Knower())  # type: ignore[arg-type]
    one.verdicts(copies("124", "123"), 0)
    assert texts[0] == "Which answer to the problem is right? Say 1 or 2.\n\nProblem: 123\n1: 124\n2: 123"
    asked = one.judgements(copies("124", "123"))
    assert [problem.text for problem in asked] == texts, "in both orders"
    lines = Batch(tuple(Line(problem, said) for problem in asked for said in ("1", "2", "both")))
    assert one.scores(lines, 0) == [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]


def test_pairs_are_no_practice_by_themselves() -> None:
    assert [name for name in NAMES if FAMILIES[name].practised] == ["copy", "sum"]
    assert not InWords().practised


def test_the_judge_is_trained_beside_the_actor(tmp_path: Path) -> None:
    """A round of GRPO with a third of its prompts judgements: they are asked, and rewarded by agreement."""
    said = [
        "learner.width=32", "learner.layers=2", "learner.heads=2", "wake.steps=150", "wake.rate=5e-3", "stream.examples=800",
        "stream.levels=2", "stream.tests=10", "stream.frontier_tests=20", "stream.frontier_cap=3", "challenger.problems=16", "dreamer.pool=40",
        "sleep.rehearse.steps=1", "sleep.rehearse.passes=1", "sleep.rehearse.prompts=9", "sleep.rehearse.generations=4", "sleep.rehearse.recall=0",
        "sleep.rehearse.judging=0.34", "sleep.rounds=1", "judge.threshold=0.2",
    ]  # fmt: skip
    domain = build(recipes.load(recipebook.find("language/serl"), said, 0), "cpu", ())
    mind = domain.mind()
    mind.learner.open(domain.tasks[0], 1)
    mind.learner.learn(domain.tasks[0], domain.examples(domain.tasks[0]), None, 1)
    mind.judge.ask(mind.learner.copy())
    challenges = mind.challenger.propose(mind, 1)
    assert {challenge.family for challenge in challenges} <= {"copy", "sum"}
    material = mind.dreamer.dream(challenges, mind.learner, 1)
    verdicts = mind.judge.verdicts(material, 1)
    sampled, _, facts = domain.rehearsal.rehearse(mind, lambda: mind, material, verdicts, 1.0, 1)
    asked = {line.problem.family for line in sampled.lines}
    assert "pairs" in asked, (facts, len(mind.judge.judgements(material)))
