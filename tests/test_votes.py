"""Votes of peers that learned the same day from other seeds."""

from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch

from sleepwake import recipe as recipes
from sleepwake import recipebook
from sleepwake.domains.language.domain import build
from sleepwake.domains.language.problems import Batch, Line, Problem

SMALL = ('judge={type="votes", peers=3}', 'stream.tasks=[["copy"]]', "stream.levels=2", "wake.steps=250", "stream.examples=1000")


@pytest.fixture(scope="module")
def judge() -> Any:
    domain = build(recipes.load(recipebook.find("language/tiny"), SMALL, 100), "cpu", ())
    one = domain.mind().judge
    one.learn(domain.tasks[0], domain.examples(domain.tasks[0]), None, 1)
    return one


def test_peers_are_others(judge: Any) -> None:
    states = [torch.cat([value.flatten() for value in peer.lasting.state_dict().values()]) for peer in judge.peers]
    assert not any(torch.equal(one, other) for at, one in enumerate(states) for other in states[at + 1 :])


def test_votes_are_shares_of_peers_and_most_right_answers_get_them(judge: Any) -> None:
    """250 steps of copying one and two digits: nearly all of it is learned by each peer, so votes for what is right and none else."""
    draws = Random(1)
    texts = ["".join(draws.choices("0123456789", k=2)) for _ in range(40)]
    right = Batch(tuple(Line(Problem("copy", text), text) for text in texts))
    wrong = Batch(tuple(Line(Problem("copy", text), text[0] + str((int(text[1]) + 1) % 10)) for text in texts))
    rewards, others = judge.rewards(right, 0), judge.rewards(wrong, 0)
    assert set(rewards) <= {0.0, 1 / 3, 2 / 3, 1.0, None}
    assert sum((reward or 0.0) >= judge.threshold for reward in rewards) >= 30
    assert sum((reward or 0.0) >= judge.threshold for reward in others) <= 2


def test_where_nobody_says_anything_it_abstains(judge: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for peer in judge.peers:
        monkeypatch.setattr(peer, "answer", lambda problems: ["" for _ in problems])
    assert judge.rewards(Batch((Line(Problem("copy", "12"), "12"),)), 0) == [None]


def test_peers_are_saved(judge: Any, tmp_path: Path) -> None:
    judge.save(tmp_path)
    again = build(recipes.load(recipebook.find("language/tiny"), SMALL, 100), "cpu", ()).mind().judge
    again.load(tmp_path)
    asked = [Problem("copy", text) for text in ("12", "7", "90")]
    assert [peer.answer(asked) for peer in again.peers] == [peer.answer(asked) for peer in judge.peers]
    assert again.metrics() == judge.metrics()
