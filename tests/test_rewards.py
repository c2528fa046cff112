"""What GRPO and RLOO make of a judge's rewards: they learn what pays, leave abstentions out, and tell how many prompts taught anything."""

import weakref
from pathlib import Path
from typing import Any

import pytest
import torch
from days import day

from sleepwake import recipe as recipes
from sleepwake import session
from sleepwake.domains.language import grpo
from sleepwake.domains.language.domain import Language, build
from sleepwake.domains.language.filtered import Filtered
from sleepwake.domains.language.grpo import Reward
from sleepwake.domains.language.judges import Rewards
from sleepwake.domains.language.likelihood import chosen, over_answers
from sleepwake.domains.language.problems import Batch, Line, Problem
from sleepwake.domains.language.trainers import trained
from sleepwake.errors import RecipeError
from sleepwake.records import Verdicts
from sleepwake.roles import Mind

RECIPE = Path(__file__).parent.parent / "recipes" / "language" / "tiny-grpo.toml"
PROBLEMS = [Problem("copy", f"{at}{9 - at}") for at in range(10)]
SETTINGS = "steps=8, prompts=10, generations=8, longest=4, rate=1e-2, easy=0, beta=0"


def made(kind: str, *changes: str) -> Language:
    rehearse = f'sleep.rehearse={{type="{kind}", {SETTINGS}}}'
    return build(recipes.load(RECIPE, ["wake.steps=40", 'learner.fast="full"', rehearse, *changes], 100), "cpu", ())


def rehearsed(domain: Language, mind: Mind) -> dict[str, Any]:
    """The facts of a round on ten problems."""
    lines = tuple(Line(problem) for problem in PROBLEMS)
    _, _, facts = domain.rehearsal.rehearse(mind, lambda: mind, Batch(lines), Verdicts((1.0,) * 10, ("",) * 10), 1.0, 3)
    return dict(facts)


@pytest.fixture(scope="module")
def dusk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mind after a short day."""
    domain, folder = made("grpo"), tmp_path_factory.mktemp("dusk")
    mind = domain.mind()
    with torch.device("meta"):
        day(domain, mind)
    mind.save(folder)
    return folder


def low(line: Line) -> bool:
    """The first digit is below five."""
    return (line.answer or "9")[0] < "5"


def margin(mind: Mind) -> float:
    """How much likelier, in nats, answers are that begin below five than others that do not, over ten problems."""
    pairs = [(f"{n}1", f"{n + 5}1") for n in range(5)]
    lines = [Line(problem, answer) for problem in PROBLEMS for pair in pairs for answer in pair]
    means = over_answers(mind.learner, lines, chosen)
    return 3 * (sum(means[::2]) - sum(means[1::2])) / (len(PROBLEMS) * len(pairs))


@pytest.mark.parametrize("kind", ["grpo", "rloo"])
def test_what_pays_becomes_likelier_than_what_does_not(kind: str, dusk: Path) -> None:
    """Seen: -0.07 nats before, 1.2 after."""
    domain = made(kind)
    mind = domain.mind()
    mind.load(dusk)
    mind.judge.rewards = lambda attempts, seed: [float(low(line)) for line in attempts.lines]
    before = margin(mind)
    facts = rehearsed(domain, mind)
    assert facts["steps"] == 8
    assert margin(mind) > before + 0.3
    assert facts["effective_prompts"] > 0.5


@pytest.mark.parametrize("kind", ["grpo", "rloo"])
def test_minibatches_are_steps_on_parts_of_what_was_sampled(kind: str, dusk: Path) -> None:
    """Two samplings of eighty attempts in place of eight, as many optimizer steps. Seen: -0.07 nats before, 0.65 after."""
    domain = made(kind, "sleep.rehearse.steps=2", "sleep.rehearse.minibatches=4")
    mind = domain.mind()
    mind.load(dusk)
    asked: list[int] = []
    mind.judge.rewards = lambda attempts, seed: asked.append(1) or [float(low(line)) for line in attempts.lines]  # type: ignore[func-returns-value]
    before = margin(mind)
    facts = rehearsed(domain, mind)
    assert (facts["steps"], facts["samples"], len(asked)) == (8, 160, 3), "the judge is asked at each sampling, and of all at the end"
    assert margin(mind) > before + 0.2


@pytest.mark.parametrize("minibatches", [1, 4])
def test_filtered_attempts_would_have_moved_nothing(minibatches: int, dusk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of the problems pay nothing whatever is said. Without the divergence term what is trained on the rest alone ends where all would
    have led; in parts, whose rows are others then, it teaches as well."""
    rows: list[int] = []
    loss = Filtered._compute_loss
    monkeypatch.setattr(Filtered, "_compute_loss", lambda self, *of: rows.append(len(of[1]["advantages"])) or loss(self, *of))
    ends: list[dict[str, torch.Tensor]] = []
    for filtered in ("true", "false"):
        domain = made("grpo", f"sleep.rehearse.filter={filtered}", f"sleep.rehearse.minibatches={minibatches}", "sleep.rehearse.steps=1")
        mind = domain.mind()
        mind.load(dusk)
        mind.judge.rewards = lambda attempts, seed: [float(low(line) and line.problem.text < "50") for line in attempts.lines]
        before = margin(mind)
        facts = rehearsed(domain, mind)
        assert 0.0 < facts["effective_prompts"] < 0.7
        assert margin(mind) > before
        ends.append(mind.learner.lasting_state())
    assert len(rows) == minibatches
    assert sum(rows) < 80 * facts["effective_prompts"] + minibatches, "of eighty attempts"
    if minibatches == 1:
        for name, value in ends[0].items():
            torch.testing.assert_close(value, ends[1][name], rtol=0, atol=1e-4)


@pytest.mark.parametrize("fast", ["full", "lora"])
def test_where_all_attempts_tell_something_filtering_changes_nothing(fast: str) -> None:
    """Divergence, three passes, and two reference policies."""
    ends: list[dict[str, torch.Tensor]] = []
    for filtered in ("true", "false"):
        changes = (f"sleep.rehearse.filter={filtered}", "sleep.rehearse.passes=3", "sleep.rehearse.beta=0.5", "sleep.rehearse.steps=2")
        domain = made("grpo", *changes, f'learner.fast="{fast}"')
        mind = domain.mind()
        with torch.device("meta"):
            day(domain, mind)
        mind.judge.rewards = lambda attempts, seed: [sum(map(ord, line.answer or "")) % 97 / 97 for line in attempts.lines]
        assert rehearsed(domain, mind)["effective_prompts"] == 1.0
        ends.append({name: value.clone() for name, value in mind.learner.model.state_dict().items()})
    for name, value in ends[0].items():
        torch.testing.assert_close(value, ends[1][name], rtol=0, atol=1e-4)


def test_where_nothing_tells_nothing_moves(dusk: Path) -> None:
    domain = made("grpo", "sleep.rehearse.filter=true", "sleep.rehearse.minibatches=4", "sleep.rehearse.effective=0.1")
    mind = domain.mind()
    mind.load(dusk)
    mind.judge.rewards = lambda attempts, seed: [1.0] * len(attempts)
    mind.judge._formed = lambda problem, answer: True
    before = {key: value.clone() for key, value in mind.learner.lasting_state().items()}
    facts = rehearsed(domain, mind)
    assert (facts["effective_prompts"], facts["exhausted"]) == (0.0, True)
    assert all(torch.equal(value, before[key]) for key, value in mind.learner.lasting_state().items())


def test_a_night_ends_once_too_few_prompts_teach_anything(tmp_path: Path) -> None:
    """Rewards of the metamorphic judge never differ at all prompts of a learner that the day taught so little."""
    changes = ["policy.nights=2", "wake.steps=40", "sleep.rehearse.steps=2", "sleep.rehearse.effective=1.0"]
    assert session.start(RECIPE, changes, 100, tmp_path / "run", False, "cpu", None, 0.0).go_on(lambda _: None)
    events = session.committed(tmp_path / "run")
    assert [event["phase"] for event in events if event["event"] == "committed"] == ["wake", *2 * ["round", "consolidate", "morning"]]
    reasons = [event["reason"] for event in events if event["event"] == "decided" and event["action"] == "close"]
    assert len([reason for reason in reasons if "differ in reward" in reason]) >= 2, reasons


def test_attempts_end_where_the_recipe_says(dusk: Path) -> None:
    """Problems of two digits are prompts of five tokens, with the beginning, the family and the sign."""
    longest = {}
    for said in ("longest=20", "longest=20, margin=1", "longest=3, margin=1"):
        domain = made("grpo", f'sleep.rehearse={{type="grpo", steps=1, prompts=10, generations=8, easy=0, {said}}}')
        mind = domain.mind()
        mind.load(dusk)
        told: list[int] = []
        mind.judge.rewards = lambda attempts, seed, told=told: (
            told.extend(len(line.answer) for line in attempts.lines) or [0.0] * len(attempts)
        )
        mind.judge._formed = lambda problem, answer: True
        rehearsed(domain, mind)
        longest[said] = max(told)
    assert longest["longest=20"] > 6, "after so short a day some run on"
    assert (longest["longest=20, margin=1"], longest["longest=3, margin=1"]) == (6, 3)


def test_trainers_are_let_go(dusk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a GPU a model a round that stays would fill its memory; the last one may stay until the next one ends."""
    domain, run = made("grpo", "sleep.rehearse.steps=1"), weakref.WeakSet[Any]()
    mind = domain.mind()
    mind.load(dusk)
    mind.judge.rewards = lambda attempts, seed: [float(low(line)) for line in attempts.lines]
    monkeypatch.setattr(grpo, "trained", lambda trainer: [run.add(trainer), run.add(trainer.model), trained(trainer)])
    for _ in range(4):
        rehearsed(domain, mind)
        assert 0 < len(run) <= 2


def test_minibatches_must_be_whole() -> None:
    with pytest.raises(RecipeError, match=r"sleep.rehearse.prompts x generations = 80 is no(.|\n)*write: prompts = 12"):
        made("grpo", "sleep.rehearse.minibatches=3", "sleep.rehearse.accumulate=4")


@pytest.mark.parametrize("kind", ["grpo", "rloo"])
@pytest.mark.parametrize("told", [1.0, None])
def test_an_abstention_teaches_nothing(kind: str, told: float | None, dusk: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What begins below five pays as ever, or nothing is told; of the others the judge can't tell: no two rewards differ, and no weight moves."""
    domain = made(kind)
    mind = domain.mind()
    mind.load(dusk)
    mind.judge.rewards = lambda attempts, seed: [told if low(line) else None for line in attempts.lines]
    mind.judge._formed = lambda problem, answer: True
    before = {key: value.clone() for key, value in mind.learner.lasting_state().items()}
    facts = rehearsed(domain, mind)
    assert all(torch.equal(value, before[key]) for key, value in mind.learner.lasting_state().items())
    assert (facts["steps"], facts["reward"], facts["effective_prompts"]) == (8, told, 0.0)
    assert not caplog.records, "an abstention is no mistake"


@pytest.mark.parametrize("kind", ["grpo", "rloo"])
@pytest.mark.parametrize("said", ["temperature=0.001", "top_p=0.01"])
def test_attempts_are_sampled_as_the_recipe_says(kind: str, said: str, dusk: Path) -> None:
    """All but greedily, so that no two of a problem's attempts differ while the weights stand still."""
    domain = made(kind, f"sleep.rehearse.{said}")
    mind = domain.mind()
    mind.load(dusk)
    told: list[int] = []
    mind.judge.rewards = lambda attempts, seed: told.append(len(attempts)) or [None] * len(attempts)  # type: ignore[func-returns-value]
    mind.judge._formed = lambda problem, answer: True
    rehearsed(domain, mind)
    assert max(told) <= len(PROBLEMS), "of eighty attempts at temperature 1 more than ten differ"


def test_the_metamorphic_judge_abstains_on_whole_problems(dusk: Path) -> None:
    """So that its abstentions never stand in one group with rewards, but for malformed answers, which all earn 0."""
    domain = made("grpo")
    mind = domain.mind()
    said = {"1": "1", "2": "2"}
    mind.judge.snapshot = type("Half", (), {"answer": staticmethod(lambda asked: [said.get(one.text, "") for one in asked])})()
    problems = [Problem("copy", text) for text in ("12", "34")]
    batch = Batch(tuple(Line(problem, answer) for problem in problems for answer in ("12", "34", "1", "")))
    rewards: Rewards = mind.judge.scores(batch, 1)
    assert rewards == [1.0, 0.0, 0.0, 0.0, None, None, None, 0.0]


def test_effective_prompts_by_hand() -> None:
    """Two of four: the rewards of the first differ, of the second not, of the third only one is told, of the last one answer is worth more."""
    reward = Reward(None, None, 0.0, 0)  # type: ignore[arg-type]
    reward.given = [1.0, 0.0, 1.0, 1.0, None, 1.0, 0.5, 0.6]
    assert reward.effective(2) == 0.5
    reward.given = [None, None]
    assert reward.effective(2) == 0.0
