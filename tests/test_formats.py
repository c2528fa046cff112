"""Answers in several formats: rules, values, the guard that keeps formats, and the floors that roll a collapse back."""

import math
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sleepwake import recipe as recipes
from sleepwake import recipebook, session
from sleepwake.domains.language.families import families
from sleepwake.domains.language.formats import FORMATS, SHARES, Formats, carries
from sleepwake.domains.language.judge_settings import Majority as MajoritySettings
from sleepwake.domains.language.judges import Majority
from sleepwake.domains.language.monitors import form_shares
from sleepwake.domains.language.niche import by_family, guarded
from sleepwake.domains.language.problems import Batch, Line, Problem
from sleepwake.errors import RecipeError
from sleepwake.morning import Gate, watched
from sleepwake.roles import Guard

GUARD = Guard()
FAMILIES = families(GUARD, ("formats", "addition", "copy"))
SUMS = Formats(GUARD)
WRITTEN = {"plain": "150", "worked": "10+150", "marked": "+051"}
"""12 + 39 = 51, lowest digit first 21 + 93 = 150."""


def test_formats_by_hand() -> None:
    assert carries("21+93") == "10"
    for name, text in WRITTEN.items():
        assert SUMS.form(text) == name
        assert SUMS.value(text) == "150"
        assert SUMS.verify("21+93", text)
    assert not SUMS.verify("21+93", "+150")


@given(st.integers(1, 12), st.integers(0, 1000))
def test_every_answer_of_a_day_says_the_sum_and_follows_one_rule(level: int, seed: int) -> None:
    problem = SUMS.sample(level, Random(seed))
    answer = SUMS.solve(problem)
    assert SUMS.value(answer) == FAMILIES["addition"].solve(problem)
    assert SUMS.verify(problem, answer)
    assert sum(bool(rule.fullmatch(answer)) for rule in FORMATS.values()) == 1
    assert SUMS.solve(problem) == answer, "a problem has one answer in the day's data"


def test_the_day_shows_formats_in_their_shares() -> None:
    draws = Random(1)
    seen = [SUMS.form(SUMS.solve(SUMS.sample(4, draws))) for _ in range(4000)]
    for name, hundredths in SHARES.items():
        assert abs(seen.count(name) / 4000 - hundredths / 100) < 0.03, "four standard errors of the commonest"


@pytest.mark.parametrize("text", ["", "+", "1+", "1+2+3", "a", "++1"])
def test_what_follows_no_rule_is_malformed(text: str) -> None:
    assert not SUMS.answer_formed(text)
    assert SUMS.form(text) == ""


def test_a_vote_counts_what_answers_say() -> None:
    problem = Problem("formats", "21+93")
    attempts = Batch((Line(problem, "11+150", 2), Line(problem, "+051", 2), Line(problem, "151", 3)))
    rewards = Majority(MajoritySettings(type="majority"), FAMILIES, GUARD, None).rewards(attempts, 1)
    assert rewards == [pytest.approx(4 / 7), pytest.approx(4 / 7), 0.0]


def test_shares_of_formats_leave_malformed_answers_out() -> None:
    problem = Problem("formats", "21+93")
    lines = tuple(Line(problem, text, votes) for text, votes in (("150", 3), ("+051", 1), ("", 5), ("1+2+3", 2)))
    assert form_shares(Batch(lines), FAMILIES) == {"plain": 0.75, "marked": 0.25}
    assert form_shares(Batch((Line(Problem("copy", "12"), "12"),)), FAMILIES) == {}
    assert form_shares(Batch((Line(problem, "150"),)), FAMILIES) == {"plain": 1.0}, "where all is plain, that is told"
    assert by_family([problem, problem], ["", "plain"]) == {"formats": {"plain": 1.0}}


PLAIN, MARKED = "plain", "marked"
rewarded = st.lists(st.tuples(st.sampled_from(["21+93", "11+11"]), st.sampled_from([PLAIN, MARKED, ""]), st.sampled_from([0.0, 0.5, 1.0, None])),
                    min_size=1, max_size=40)  # fmt: skip


@given(rewarded)
def test_no_format_gains_by_being_right_more_often(drawn: list[tuple[str, str, float | None]]) -> None:
    """At each problem all formats earn the same in the mean, and within a format differences are what they were."""
    drawn = [(text, name, reward if name else 0.0) for text, name, reward in drawn]
    problems, forms = [Problem("formats", text) for text, *_ in drawn], [name for _, name, _ in drawn]
    rewards = [reward for *_, reward in drawn]
    told = guarded(problems, forms, rewards, by_family(problems, forms), {}, 0.0)
    for text in {text for text, *_ in drawn}:
        means, values = [], {}
        for name in (PLAIN, MARKED):
            places = [at for at, one in enumerate(drawn) if one[:2] == (text, name) and one[2] is not None]
            if places:
                means.append(sum(told[at] or 0.0 for at in places) / len(places))
                values[name] = [(told[at] or 0.0) - (rewards[at] or 0.0) for at in places]
        assert means == pytest.approx([means[0]] * len(means)) if means else True
        for shifts in values.values():
            assert shifts == pytest.approx([shifts[0]] * len(shifts))
    for at, (_, name, reward) in enumerate(drawn):
        if not name or reward is None:
            assert told[at] == reward, "malformed answers and abstentions stay as they were"


def test_what_is_rarer_than_at_dusk_earns_more() -> None:
    """A half each at dusk, three quarters and one quarter now: log(0.51 / 0.76) and log(0.51 / 0.26)."""
    problems = [Problem("formats", text) for text in ("21+93", "11+11")]
    usual = {"formats": {PLAIN: 0.5, MARKED: 0.5}}
    asked, forms = [*problems, *problems], [PLAIN, PLAIN, PLAIN, MARKED]
    told = guarded(asked, forms, [1.0, 0.0, 1.0, 0.0], by_family(asked, forms), usual, 2.0)
    assert told == pytest.approx([1 - 0.7978, -0.7978, 1 - 0.7978, 1.3475], abs=1e-3)
    told = guarded([problems[0]], ["worked"], [0.0], {"formats": {"worked": 1.0}}, usual, 2.0)
    assert told == pytest.approx([2 * math.log(0.01 / 1.01)]), "what dusk never wrote is held down, and not without end"


def test_a_floor_refuses_a_collapse_and_nothing_else() -> None:
    word, before = Gate(True, "no probe fell"), {"format:plain": 0.5, "format:marked": 0.2, "vendi": 20.0}
    floors = {"format": 0.5}
    assert watched(word, before, {"format:plain": 0.9, "format:marked": 0.1, "vendi": 1.0}, floors) == word, "half is left"
    assert not watched(word, before, {"format:plain": 1.0, "vendi": 20.0}, floors).accepted, "gone, so no longer named"
    assert watched(word, {"format:marked": 0.01}, {}, floors) == word, "too rare to be watched"
    refused = watched(word, before, {**before, "vendi": 9.0}, {"vendi": 0.5})
    assert not refused.accepted
    assert "vendi 20.000 -> 9.000 (floor 10.000)" in refused.reason
    lost = watched(Gate(False, "lost: x"), before, {**before, "vendi": 9.0}, {"vendi": 0.5})
    assert lost.reason.startswith("lost: x; collapsed")


def test_a_guarded_night_runs_from_its_first_round_and_a_floor_is_journaled(tmp_path: Path) -> None:
    """Dusk is asked for in the first round already: formats are compared with its shares, answers held near its own."""
    changes = ['stream.tasks=[["formats"]]', 'learner.fast="full"', 'sleep.rehearse.anchor="dusk"', "sleep.rehearse.niche=1",
               "morning.floors={format=0.01, vendi=1.0}", "sleep.rehearse.steps=2"]  # fmt: skip
    opened = session.start(recipebook.find("language/tiny-grpo"), changes, 100, tmp_path / "run", False, "cpu", None, 0.0)
    assert opened.go_on(lambda _: None)
    events = session.committed(tmp_path / "run")
    rounds = [event for event in events if event["event"] == "gated" and event["kind"] == "round"]
    assert len(rounds) == 2
    for event in rounds:
        before, after = event["monitors"]["before"], event["monitors"]["after"]
        assert {"vendi", "variety", "distinct_3", "effective_formats", "format:plain"} <= set(before)
        assert event["undone"] or after["vendi"] >= before["vendi"], "a floor of 1 lets nothing be lost"
    facts = next(event["facts"] for event in events if event["event"] == "staged" and event["stage"] == "rehearse")
    assert len(facts["formats"]["formats"]) == 2


@pytest.mark.parametrize(("recipe", "floors"), [("vision/tiny", "{vendi=0.5}"), ("language/tiny", "{format=0.5}")])
def test_floors_that_could_never_act_are_refused(recipe: str, floors: str) -> None:
    with pytest.raises(RecipeError, match="floors"):
        recipes.load(recipebook.find(recipe), [f"morning.floors={floors}"])
