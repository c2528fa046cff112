"""A challenger that writes problems: what they are worth, what it learns, and what crosses a night."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from days import contents, day, saved

from sleepwake import recipe as recipes
from sleepwake import session
from sleepwake.domains.language.domain import Language, build
from sleepwake.domains.language.learned_challenger import Learned
from sleepwake.domains.language.problems import Batch, Problem
from sleepwake.errors import RecipeError
from sleepwake.roles import Mind

RECIPE = Path(__file__).parent.parent / "recipes" / "language" / "tiny.toml"
LEARNED = "challenger={type='learned', problems=12, steps=3, prompts=4, generations=8, attempts=4}"


def made(*changes: str) -> Language:
    return build(recipes.load(RECIPE, [LEARNED, *changes], 100), "cpu", ())


class Answers:
    """Right as often as the first digit says, of four attempts."""

    known = ("copy",)

    def attempt(self, problems: Sequence[Problem], temperatures: Sequence[float], seed: int) -> list[list[str]]:
        return [[problem.text] * int(problem.text[0]) + ["0"] * (4 - int(problem.text[0])) for problem in problems]


class Exact:
    threshold = 0.5

    def can_tell(self, problem: Problem) -> bool:
        return len(problem.text) > 1

    def scores(self, material: Batch, seed: int) -> list[float | None]:
        return [float(line.answer == line.problem.text) for line in material.lines]


MIND = Mind(Answers(), None, None, Exact(), None, None)  # type: ignore[arg-type]


def test_worth_by_hand() -> None:
    one: Learned = made().mind().challenger
    one.archive = {"copy": []}
    texts = ["11", "22", "44", "01", "3", "2r", None, "22"]
    problems = [Problem("copy", text) if text else None for text in texts]
    told = one.worth(MIND, problems, 1)
    assert told == [0.75, 0.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], "half solved; always; never; no parts; malformed; no end; said before"
    one.archive = {"copy": ["1111"]}
    assert one.worth(MIND, [Problem("copy", "11")], 1) == [0.75 * 0.5], "half of the longer text is new"
    one.archive = {"copy": ["12", *(["99999"] * 100)]}
    assert one.worth(MIND, [Problem("copy", "12")], 1) == [0.0], "the oldest of the archive counts"


def test_what_it_sets_is_its_own_and_counted_by_level(tmp_path: Path) -> None:
    domain = made()
    mind = domain.mind()
    day(domain, mind, 0)
    commit = saved(mind, tmp_path / "commit")
    before = {key: value.clone() for key, value in mind.learner.model.state_dict().items()}
    with domain.guard.night():
        mind.judge.freeze(commit)
        challenges = mind.challenger.propose(mind, 3)
        problems = mind.dreamer.problems(challenges, mind.learner, 4)
    assert all(torch.equal(value, before[key]) for key, value in mind.learner.model.state_dict().items()), "the learner is only asked"
    assert challenges
    assert {problem.text for problem in problems} == {text for challenge in challenges for text in challenge.texts}
    for family, level, count, texts in challenges:
        assert count == len(texts) == len(set(texts))
        assert all(domain.families[family].well_formed(text) and domain.families[family].level(text) == level for text in texts)
        assert set(texts) <= set(mind.challenger.archive[family])
    assert any(value.abs().sum() > 0 for key, value in mind.challenger.adapter.items() if "lora_B" in key), "it was trained"


def test_what_it_writes_and_attempts_counts_towards_the_budget(tmp_path: Path) -> None:
    settings = [LEARNED, "policy.nights=1", "sleep.rounds=1"]
    session.start(RECIPE, settings, 100, tmp_path / "run", False, "cpu", None, 0.0).go_on(lambda _: None)
    events = [json.loads(line) for line in (tmp_path / "run" / "journal.jsonl").read_text().splitlines()]
    facts = [event["facts"] for event in events if event["event"] == "staged"]
    facts += [told for event in events if event["event"] == "woke" for told in event["facts"].values()]
    written = next(told["challenger"] for told in facts if "challenger" in told)
    assert written["samples"] > 3 * 4 * 8, "steps x prompts x generations, and attempts at them"
    (last,) = (tmp_path / "run").glob("*-morning")
    used = json.loads((last / "progress.json").read_text())["used"]
    for unit in ("samples", "tokens"):
        assert used[unit] == sum(told.get(unit, 0) for told in facts) + written[unit]


def test_state_crosses_a_night(tmp_path: Path) -> None:
    """Two rounds in one mind, and the second in a mind that was loaded between: the same problems."""
    domain = made()
    mind, again = domain.mind(), domain.mind()
    day(domain, mind, 0)
    with domain.guard.night():
        mind.judge.freeze(saved(mind, tmp_path / "dusk"))
        mind.challenger.propose(mind, 3)
        between = saved(mind, tmp_path / "between")
        again.load(between)
        assert contents(saved(again, tmp_path / "again")) == contents(between)
        for one in (mind, again):
            one.judge.freeze(between)
        assert mind.challenger.propose(mind, 5) == again.challenger.propose(again, 5)


def test_a_rollback_to_the_first_dusk_leaves_nothing_of_the_night(tmp_path: Path) -> None:
    domain = made()
    mind = domain.mind()
    day(domain, mind, 0)
    dusk = saved(mind, tmp_path / "dusk")
    with domain.guard.night():
        mind.judge.freeze(dusk)
        mind.challenger.propose(mind, 3)
    mind.load(dusk)
    assert contents(saved(mind, tmp_path / "again")) == contents(dusk)


def test_it_needs_a_learner_without_a_lora() -> None:
    with pytest.raises(RecipeError, match="fast"):
        made('learner.fast="lora"')


@pytest.mark.slow
def test_it_learns_what_pays(tmp_path: Path) -> None:
    """Where problems pay that end in 7, forty steps make most problems end in 7; at first one in ten does."""
    domain = made("stream.tasks=[['copy']]", "wake.steps=100", "challenger.steps=40", "challenger.prompts=8", "challenger.rate=5e-3")
    mind: Any = domain.mind()
    day(domain, mind, 0)
    mind.challenger.worth = lambda mind, problems, seed: [float(bool(problem and problem.text.endswith("7"))) for problem in problems]
    with domain.guard.night():
        mind.judge.freeze(saved(mind, tmp_path / "dusk"))
        mind.challenger.propose(mind, 3)
    assert mind.challenger.paid["worth_first"] < 0.25
    assert mind.challenger.paid["worth_last"] > 0.5
