"""Challengers that draw levels: scores by hand, what is drawn, and their state."""

from collections import Counter
from pathlib import Path
from random import Random

import pytest
from pydantic import TypeAdapter

from sleepwake.domains.language import night_settings
from sleepwake.domains.language.curricula import LEAST, SCORES, Curriculum, Tried
from sleepwake.domains.language.families import families
from sleepwake.domains.language.problems import Batch, Challenge, Line, Problem
from sleepwake.records import Verdicts
from sleepwake.roles import Guard, Mind

FAMILIES = families(Guard(), ("copy", "sum"))
KINDS = ("uncertainty", "learnability", "progress", "prioritised")
CHOSEN = TypeAdapter(night_settings.Challenger)


class Known:
    known = ("copy",)


MIND = Mind(Known(), None, None, None, None, None)  # type: ignore[arg-type]


def observed(one: Curriculum, shares: dict[int, float]) -> None:
    """Ten problems a level of which a share was accepted."""
    draws = Random(0)
    tried = [
        (share, at, Line(Problem("copy", "".join(draws.choices("0123456789", k=level))), "1"))
        for level, share in shares.items()
        for at in range(10)
    ]
    verdicts = Verdicts(tuple(float(at < round(10 * share)) for share, at, _ in tried), ("",) * len(tried))
    one.observe([Challenge("copy", level, 10) for level in shares], Batch(tuple(line for _, _, line in tried)), verdicts)


@pytest.mark.parametrize(
    ("kind", "share", "before", "score"),
    [
        ("uncertainty", 0.5, 0.0, 1.0), ("uncertainty", 0.9, 0.9, 0.2), ("uncertainty", 0.0, 0.0, 0.0),
        ("learnability", 0.1, 0.1, 0.9), ("learnability", 0.0, 0.5, 0.0), ("learnability", 1.0, 0.0, 0.0),
        ("progress", 0.2, 0.6, 0.4), ("progress", 0.9, 0.9, 0.0),
        ("prioritised", 0.25, 0.0, 0.75),
    ],
)  # fmt: skip
def test_scores_by_hand(kind: str, share: float, before: float, score: float) -> None:
    assert SCORES[kind](Tried(share, before, 1)) == pytest.approx(score)


@pytest.mark.parametrize("kind", KINDS)
def test_levels_open_from_the_first_to_a_little_above_hope(kind: str) -> None:
    one = Curriculum(CHOSEN.validate_python({"type": kind, "width": 3, "ahead": 2, "problems": 30}), FAMILIES, 5)
    assert [challenge[:3] for challenge in one.propose(MIND, 0)] == [("copy", 5, 15), ("copy", 6, 15)], "two above the last of the day"
    observed(one, {5: 0.9, 6: 0.5})
    assert one.level() == {"copy": 6}, "five is passed"
    seen = {challenge.level for seed in range(60) for challenge in one.propose(MIND, seed)}
    assert seen == {5, 6, 7, 8}
    assert len(one.propose(MIND, 1)) == 3
    observed(one, {6: 0.9, 7: 0.0})
    assert one.level() == {"copy": 7}
    assert [(challenge.level, challenge.problems) for challenge in one.propose(MIND, 3)] == [
        (challenge.level, challenge.problems) for challenge in one.propose(MIND, 3)
    ], "the same seed draws the same"


@pytest.mark.parametrize(("kind", "often"), [("uncertainty", 6), ("learnability", 6), ("progress", 5), ("prioritised", 6)])
def test_what_pays_is_drawn_most(kind: str, often: int) -> None:
    """Level 5 fell from all to four fifths; half of level 6 is solved, as before; 7 and 8 were never solved."""
    one = Curriculum(CHOSEN.validate_python({"type": kind, "width": 1, "ahead": 2, "problems": 30}), FAMILIES, 5)
    one.propose(MIND, 0)
    for shares in ({5: 1.0, 6: 0.5, 7: 0.0, 8: 0.0}, {5: 0.8, 6: 0.5, 7: 0.0, 8: 0.0}):
        observed(one, shares)
    drawn = Counter(challenge.level for seed in range(300) for challenge in one.propose(MIND, seed))
    assert drawn.most_common(1)[0][0] == often
    assert set(drawn) == {5, 6, 7, 8}, f"each keeps a weight of {LEAST}, or its rank's"


def test_state_is_saved_and_read(tmp_path: Path) -> None:
    one = Curriculum(night_settings.Prioritised(type="prioritised"), FAMILIES, 5)
    one.propose(MIND, 0)
    observed(one, {5: 0.9, 6: 0.4})
    one.save(tmp_path)
    again = Curriculum(night_settings.Prioritised(type="prioritised"), FAMILIES, 5)
    again.load(tmp_path)
    assert (again.tried, again.levels, again.shares, again.rounds) == (one.tried, one.levels, one.shares, one.rounds)
    assert again.practice.lines == one.practice.lines
    assert all(again.propose(MIND, seed) == one.propose(MIND, seed) for seed in range(5))
