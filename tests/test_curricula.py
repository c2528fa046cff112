"""Challengers that draw levels: scores by hand, what is drawn, and their state."""

from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest
from days import contents
from pydantic import TypeAdapter

from sleepwake.domains import load_class
from sleepwake.domains.language import challenger_settings
from sleepwake.domains.language.curricula import LEAST, SCORES, Curriculum, Tried, Uncertainty
from sleepwake.domains.language.even import Even
from sleepwake.domains.language.families import families
from sleepwake.domains.language.problems import Batch, Challenge, Line, Problem
from sleepwake.domains.language.settings import CLASSES
from sleepwake.records import Verdicts
from sleepwake.roles import Guard, Mind

FAMILIES = families(Guard(), ("copy", "sum"))
KINDS = ("uncertainty", "learnability", "progress", "prioritised")
CHOSEN = TypeAdapter(challenger_settings.Challenger)


class Known:
    known = ("copy",)


MIND = Mind(Known(), None, None, None, None, None)  # type: ignore[arg-type]


def made(kind: str, **chosen: Any) -> Any:
    """A challenger with its settings, whose first level is 5."""
    return load_class(CLASSES["challenger"][kind])(CHOSEN.validate_python({"type": kind, **chosen}), FAMILIES, 5)


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
    one = made(kind, width=3, ahead=2, problems=30)
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
    one = made(kind, width=1, ahead=2, problems=30, **({"copies": 0.0} if kind == "uncertainty" else {}))
    one.propose(MIND, 0)
    for shares in ({5: 1.0, 6: 0.5, 7: 0.0, 8: 0.0}, {5: 0.8, 6: 0.5, 7: 0.0, 8: 0.0}):
        observed(one, shares)
    drawn = Counter(challenge.level for seed in range(300) for challenge in one.propose(MIND, seed))
    assert drawn.most_common(1)[0][0] == often
    assert set(drawn) == {5, 6, 7, 8}, f"each keeps a weight of {LEAST}, or its rank's"


@pytest.mark.parametrize("kind", KINDS)
def test_state_is_saved_and_read(kind: str, tmp_path: Path) -> None:
    one = made(kind)
    one.propose(MIND, 0)
    observed(one, {5: 0.9, 6: 0.4})
    one.save(tmp_path)
    again = made(kind)
    again.load(tmp_path)
    (tmp_path / "again").mkdir()
    again.save(tmp_path / "again")
    assert contents(tmp_path / "again") == {name: content for name, content in contents(tmp_path).items() if "again" not in name}
    assert (again.tried, again.levels, again.shares, again.rounds) == (one.tried, one.levels, one.shares, one.rounds)
    assert again.practice.lines == one.practice.lines
    assert all(again.propose(MIND, seed) == one.propose(MIND, seed) for seed in range(5))


def level_of(one: Uncertainty, texts: list[str], share: float) -> None:
    """A round of these problems at one level, of which a share was accepted."""
    tried = Batch(tuple(Line(Problem("copy", text), "1") for text in texts))
    verdicts = Verdicts(tuple(float(at < round(share * len(texts))) for at in range(len(texts))), ("",) * len(texts))
    one.observe([Challenge("copy", len(texts[0]), len(texts))], tried, verdicts)


def test_near_copies_of_anything_set_before_are_worth_less(tmp_path: Path) -> None:
    """Half of both levels is solved; three of four problems of the second round of level 6 are near-copies of the first round's."""
    one = made("uncertainty")
    one.propose(MIND, 0)
    level_of(one, ["12345", "67890"], 0.5)
    level_of(one, ["246801", "135799", "864208", "975311"], 0.5)
    assert (one.score("copy", 5), one.score("copy", 6)) == (1.0, 1.0)
    level_of(one, ["246801", "135798", "864208", "555555"], 0.5)
    assert one.close == {"copy": {"5": 0.0, "6": 0.75}}
    assert one.score("copy", 6) == pytest.approx(0.25)
    one.save(tmp_path)
    again = made("uncertainty")
    again.load(tmp_path)
    assert again.archive == one.archive
    assert len(again.archive["copy"]) == 10
    level_of(again, ["67890", "12345"], 0.5)
    assert again.score("copy", 5) == 0.0, "the whole archive counts, of earlier nights too"
    freely = made("uncertainty", copies=0.0)
    freely.load(tmp_path)
    assert freely.score("copy", 6) == 1.0


@pytest.mark.parametrize("level", [1, 5])
def test_even_challenges_never_get_harder(level: int) -> None:
    one: Even = made("even", problems=10, level=level)
    assert one.propose(MIND, 0) == (Challenge("copy", level, 10),)
    digits, recalled = ("12345"[:level], "67890"[:level]), "123"  # of another level
    lines = tuple(Line(Problem("copy", text), text) for text in (*digits, recalled))
    told = one.observe(one.propose(MIND, 1), Batch(lines), Verdicts((1.0, 0.0, 1.0), ("", "", "")))
    assert told == {"shares": {"copy": {str(level): 0.5}}, "level": {"copy": level, "sum": level}}
    assert one.propose(MIND, 2) == (Challenge("copy", level, 10),)
    assert one.practice.lines == {("copy", level): lines[:1]}
