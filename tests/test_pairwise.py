"""A judge that compares, on duels made by hand: what its audit tells of its own consistency."""

from collections.abc import Sequence

import pytest

from sleepwake.domains.language import judge_settings
from sleepwake.domains.language.families import families
from sleepwake.domains.language.monitors import of_judge
from sleepwake.domains.language.pairwise import Pairwise, cycle_rate, length_bias
from sleepwake.domains.language.problems import Batch, Line, Problem
from sleepwake.roles import Guard
from sleepwake.summary import summarise

GUARD = Guard()
ONE, OTHER = Problem("copy", "123"), Problem("copy", "45")


class ByHand(Pairwise):
    """Says of each two answers what it was told to."""

    def __init__(self, surely: dict[tuple[str, str], float]) -> None:
        super().__init__(judge_settings.Pairwise(type="pairwise"), families(GUARD, ("copy", "pairs")), GUARD, lambda: None)  # type: ignore[arg-type, return-value]
        self.surely = surely

    def _ask(self, duels: Sequence[tuple[Problem, str, str]]) -> list[float]:
        return [self.surely[first, second] for _, first, second in duels]


def batch(problem: Problem, *answers: str) -> Batch:
    return Batch(tuple(Line(problem, answer) for answer in answers))


def test_the_audit_by_hand() -> None:
    """Three answers that beat each other in a circle; then two of different length, told apart mostly by their order, where the longer wins."""
    circle = {("1", "2"): 0.9, ("2", "1"): 0.1, ("2", "3"): 0.8, ("3", "2"): 0.1, ("1", "3"): 0.3, ("3", "1"): 0.6}
    judge = ByHand({**circle, ("45", "4"): 0.9, ("4", "45"): 0.8})
    judge.scores(batch(ONE, "1", "2", "3"), 0)
    told = judge.metrics()
    assert (told["pairs"], told["flips"], told["cycles"], told["length_bias"]) == (3, 0.0, 1.0, None)
    judge.scores(batch(OTHER, "45", "4"), 0)
    assert judge.metrics() == {"bytes": 0, "pairs": 4, "flips": 0.25, "cycles": 1.0, "length_bias": pytest.approx(0.5)}
    assert of_judge(judge.metrics()) == {"flips": 0.25, "cycles": 1.0, "length_bias": pytest.approx(0.5)}
    assert of_judge({"bytes": 0, "members": [{"bytes": 0}, judge.metrics()]}) == of_judge(judge.metrics()), "a member of an ensemble"
    assert of_judge({"bytes": 0}) == {}


def test_circles_by_hand() -> None:
    ordered = {("a", "b"): 0.9, ("b", "c"): 0.9, ("a", "c"): 0.9}
    assert cycle_rate([ordered]) == 0.0
    assert cycle_rate([ordered, {**ordered, ("a", "c"): 0.1}]) == 0.5
    assert cycle_rate([{("a", "b"): 0.1, ("b", "c"): 0.1, ("c", "a"): 0.1}]) == 1.0, "the other way round"
    assert cycle_rate([{**ordered, ("a", "c"): 0.5}]) == 0.0, "who is as good closes no circle"
    assert cycle_rate([{("a", "b"): 0.9, ("b", "c"): 0.9}]) is None, "not compared throughout"


def test_length_bias_by_hand() -> None:
    assert length_bias([(("123", "1"), 0.9), (("1", "123"), 0.2)]) == 1.0
    assert length_bias([(("123", "1"), 0.1), (("1", "123"), 0.9)]) == -1.0
    assert length_bias([(("123", "1"), 0.9), (("1", "123"), 0.9)]) == 0.0
    assert length_bias([(("12", "1"), 0.9), (("1", "2"), 0.9)]) == pytest.approx(0.5**0.5, abs=1e-6)
    assert length_bias([(("12", "21"), 0.9)]) is None
    assert length_bias([]) is None


def test_the_summary_shows_it_of_a_judge_that_compares_alone() -> None:
    recipe = {"name": "x", "domain": {"type": "language"}, "seed": 0}
    audit = {
        "event": "evaluated",
        "what": "judge",
        "day": 0,
        "night": 0,
        "round": 0,
        "judge": "pairwise",
        "flips": 0.25,
        "cycles": None,
        "length_bias": 0.5,
    }
    (row,) = summarise([audit], recipe, "", 0)["judge_audit"]
    assert (row["flips"], row["cycles"], row["length_bias"]) == (0.25, None, 0.5)
    (row,) = summarise([{key: audit[key] for key in ("event", "what", "day", "night", "round")}], recipe, "", 0)["judge_audit"]
    assert "flips" not in row
