"""Supervised rehearsal: dreams that are tried on a copy of the learner, lines that wait, families drawn evenly, which problems are taught."""

from collections.abc import Callable, Sequence
from random import Random
from statistics import fmean
from typing import Any

import pytest
import torch
from days import day

from sleepwake import recipe as recipes
from sleepwake import recipebook
from sleepwake.domains.language import improvement
from sleepwake.domains.language.characters import Characters
from sleepwake.domains.language.domain import build
from sleepwake.domains.language.improvement import improving
from sleepwake.domains.language.problems import Batch, Line, Problem
from sleepwake.domains.language.rehearsal_settings import Tried
from sleepwake.records import Verdicts


def lines(n: int, seed: int, right: bool) -> list[Line]:
    draws = Random(seed)
    texts = ["".join(draws.choices("0123456789", k=3)) for _ in range(n)]
    return [Line(Problem("copy", text), text if right else "".join(draws.choices("0123456789", k=5))) for text in texts]


@pytest.fixture(scope="module")
def learner() -> Characters:
    """Half taught to copy, so that more copying improves it and noise does not."""
    found: Characters = build(recipes.load(recipebook.find("language/tiny"), [], 100), "cpu", ()).mind().learner
    day = lines(300, 5, right=True)
    found.practise(lambda step: Random(step).choices(day, k=32), 120, 5e-3, 10, 0.1)
    return found


def test_groups_that_improve_are_kept_and_others_left(learner: Characters, monkeypatch: pytest.MonkeyPatch) -> None:
    """Groups of right copies alone and of noise alone: what is asked is right, so that the first pay and the others don't."""
    good, bad = lines(400, 1, right=True), lines(400, 2, right=False)
    monkeypatch.setattr(improvement, "HELD", 0.25)
    before = {key: value.clone() for key, value in learner.lasting_state().items()}
    chosen = Tried(groups=4, steps=20, batch=32)
    kept, told = improving(learner, good, good, chosen, 1e-3, 3)
    assert told["paid"] >= 0.75
    assert told["samples"] == 4 * 20 * 32, "trying counts towards the budget"
    assert set(kept) <= set(good)
    asked = improving(learner, bad, lines(400, 9, right=True), chosen, 1e-3, 3)
    assert asked[1]["paid"] <= 0.5, "noise helps with noise at best"
    assert all(torch.equal(value, before[key]) for key, value in learner.lasting_state().items()), "only copies are trained"


def test_where_nothing_pays_nothing_is_kept(learner: Characters) -> None:
    bad = lines(20, 2, right=False)
    kept, told = improving(learner, bad, lines(200, 7, right=True), Tried(groups=2, steps=20, batch=16), 3e-2, 1)
    assert told["paid"] == 0.0
    assert kept == []


def test_a_round_in_which_nothing_pays_trains_nothing_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    rehearsed = rehearsal(monkeypatch, "sleep.rehearse.tried.groups=2", easy=[], paying=False)
    assert rehearsed["paid"] == 0.0
    assert "improved" in rehearsed["skipped"]
    assert "steps" not in rehearsed


def test_a_round_tells_how_many_lines_it_really_had(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there are no easy lines others stand in for them; where there is no practice, easy ones."""
    told = rehearsal(monkeypatch, easy=[])
    assert (told["accepted"], told["easy"], told["practice"], told["steps"]) == (20, 0, 0, 5)
    told = rehearsal(monkeypatch, easy=lines(7, 3, right=True))
    assert (told["easy"], told["practice"]) == (7, 0)


@pytest.mark.parametrize(("found", "told"), [(4, {"skipped": "14 accepted, fewer than 16"}), (8, {"accepted": 18, "steps": 5})])
def test_accepted_lines_wait_until_there_are_enough(found: int, told: dict[str, Any]) -> None:
    """Ten lines were left at the level that is practised; those of a level that is passed no longer wait for anything."""
    domain = build(recipes.load(recipebook.find("language/tiny"), ["sleep.rehearse.least=16"], 100), "cpu", ())
    mind, accepted = domain.mind(), tuple(lines(found, 4, right=True))
    mind.challenger.levels = {"copy": 3}
    mind.challenger.practice.add("copy", 3, lines(10, 6, right=True))
    mind.challenger.practice.add("copy", 2, [Line(Problem("copy", str(n)), str(n)) for n in range(10, 40)])
    _, _, facts = domain.rehearsal.rehearse(mind, lambda: mind, Batch(accepted), Verdicts((1.0,) * found, ("",) * found), 1.0, 1)
    assert {name: facts.get(name) for name in told} == told


@pytest.mark.parametrize(("balance", "share"), [(0.0, 0.1), (0.5, 0.25), (1.0, 0.5)])
def test_families_are_drawn_as_evenly_as_is_asked(balance: float, share: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two lines of a slow family beside eighteen: by hand, 2 x 2 ** -b / (2 x 2 ** -b + 18 x 18 ** -b); of 4,000 draws within 0.03."""
    changes = ["sleep.rehearse.fresh=1", "sleep.rehearse.easy=0", f"sleep.rehearse.balance={balance}"]
    domain = build(recipes.load(recipebook.find("language/tiny"), changes, 100), "cpu", ())
    accepted = [Line(Problem("reverse", "12"), "21"), Line(Problem("reverse", "13"), "31"), *lines(18, 4, right=True)]
    mind, drawn = domain.mind(), []

    def noted(draw: Callable[[int], Sequence[Line]], *_: object) -> dict[str, int]:
        while len(drawn) < 4000:
            drawn.extend(draw(len(drawn)))
        return {"samples": 0, "tokens": 0}

    monkeypatch.setattr(mind.learner, "practise", noted)
    domain.rehearsal.rehearse(mind, lambda: mind, Batch(tuple(accepted)), Verdicts((1.0,) * 20, ("",) * 20), 1.0, 1)
    assert sum(line.problem.family == "reverse" for line in drawn) / len(drawn) == pytest.approx(share, abs=0.03)


@pytest.mark.parametrize("learns", ["all", "day"])
def test_accepted_lines_teach_their_problems_where_asked_to(learns: str) -> None:
    """Where only problems that begin with a 7 were accepted, a learner that is taught to write them begins six of ten so; one that is
    taught their answers, and problems of the day's levels, one or two of ten, as before.
    """
    changes = [f"sleep.rehearse.{said}" for said in ("steps=150", "rate=2e-3", "easy=0.2")]
    changes += ["wake.problem_weight=1", f'dreamer.learns="{learns}"']
    domain = build(recipes.load(recipebook.find("language/tiny"), changes, 100), "cpu", ())
    mind = domain.mind()
    day(domain, mind)
    accepted = tuple(Line(Problem("copy", f"7{at:03}"), f"7{at:03}") for at in range(100))
    mind.challenger.levels = {"copy": 4}
    domain.rehearsal.rehearse(mind, lambda: mind, Batch(accepted), Verdicts((1.0,) * 100, ("",) * 100), 1.0, 1)
    sevens = fmean(text.startswith("7") for text in mind.learner.write("copy", 400, 8, 1))
    assert sevens > 0.4 if learns == "all" else sevens < 0.25


def test_consolidation_teaches_the_problems_that_rehearsal_does() -> None:
    """Where consolidation alone taught long problems, writing changed so much at the end of a night that the day's levels were lost."""
    domain: Any = build(recipes.load(recipebook.find("language/tiny"), ['dreamer.learns="day"'], 100), "cpu", ())
    for stage in (domain.rehearsal, domain.consolidation):
        assert [stage.problem_weight(Line(Problem("copy", text))) for text in ("1", "12", "123")] == [0.1, 0.1, 0.0]


def rehearsal(monkeypatch: pytest.MonkeyPatch, *changes: str, easy: list[Line], paying: bool = True) -> dict[str, Any]:
    """The facts of a round of twenty accepted lines and no practice."""
    monkeypatch.setattr("sleepwake.domains.language.rehearsal.easy_lines", lambda *_: easy)
    if not paying:
        monkeypatch.setattr(improvement, "_mean", lambda *_: 0.0)
    domain = build(recipes.load(recipebook.find("language/tiny"), changes, 100), "cpu", ())
    mind, accepted = domain.mind(), tuple(lines(20, 4, right=True))
    _, _, facts = domain.rehearsal.rehearse(mind, lambda: mind, Batch(accepted), Verdicts((1.0,) * 20, ("",) * 20), 1.0, 1)
    return dict(facts)
