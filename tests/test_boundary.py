"""What sampling reaches: formulas against brute force, laws, and a null band that a base against itself stays within."""

from itertools import combinations, product
from math import inf
from statistics import fmean

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sleepwake.boundary import cover, crossover, gain, guessed, ledger, mcnemar, mean_pass, pass_at_k
from sleepwake.domains.language.families import families
from sleepwake.roles import Guard

COUNTS = st.integers(4, 9).flatmap(
    lambda n: st.tuples(st.just(n), st.lists(st.tuples(st.integers(0, n), st.integers(0, n)), min_size=1, max_size=6))
)


@given(st.integers(1, 8).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(1, n))))
def test_pass_at_k_is_the_share_of_all_choices_that_hold_a_right_one(case: tuple[int, int, int]) -> None:
    n, right, k = case
    samples = [True] * right + [False] * (n - right)
    assert pass_at_k(n, right, k) == pytest.approx(fmean(any(choice) for choice in combinations(samples, k)))


@given(COUNTS)
def test_laws(case: tuple[int, list[tuple[int, int]]]) -> None:
    n, pairs = case
    before, after = ([pair[at] for pair in pairs] for at in (0, 1))
    reach = [mean_pass(n, after, k) for k in range(1, n + 1)]
    assert reach == sorted(reach), "more samples never reach less"
    assert reach[0] == pytest.approx(sum(after) / n / len(after))
    assert reach[-1] == pytest.approx(cover(n, after, 1 / n)), "with all samples, whatever was solved once"
    parts = gain(n, before, after)
    assert parts.acquired + parts.sharpened == pytest.approx(mean_pass(n, after, 1) - mean_pass(n, before, 1))
    assert parts.acquired >= 0
    told = ledger(n, before, after, n // 2, seed=0)
    assert told.newly - told.lost == pytest.approx(len(pairs) * (mean_pass(n, after, n // 2) - mean_pass(n, before, n // 2)))
    where = crossover(n, before, after)
    assert (where is None) == all(mean_pass(n, before, 2**i) < mean_pass(n, after, 2**i) for i in range(n.bit_length()))


def test_by_hand() -> None:
    """Of four samples: one problem never solved and now always, one solved twice and still so."""
    assert pass_at_k(4, 2, 2) == pytest.approx(5 / 6)
    assert (gain(4, [0, 2], [4, 2]).acquired, gain(4, [0, 2], [4, 2]).sharpened) == (0.5, 0.0)
    assert cover(4, [0, 2, 4], 0.5) == pytest.approx(2 / 3)
    told = ledger(4, [0, 2], [4, 2], 2, seed=0)
    assert told.newly == pytest.approx(1 + 1 / 6 * 5 / 6)
    assert told.lost == pytest.approx(5 / 6 * 1 / 6)
    assert ledger(4, [0, 2], [4, 2], 2, seed=0, floors=[0.0, 1.0]).newly == 1.0, "what guesses reach is no gain"
    assert ledger(4, [0, 0], [4, 1], 2, seed=0, floors=[0.5, 0.25]).newly == pytest.approx(1 + (1 / 2 - 1 / 4) / (1 - 1 / 4))
    assert ledger(4, [0], [1], 2, seed=0, floors=[0.6]).newly == 0.0, "fewer than by guessing"
    assert crossover(4, [0, 2], [4, 2]) is None
    assert crossover(4, [1, 1], [2, 0]) == 1
    assert crossover(8, [1, 1, 1], [8, 0, 0]) == 4, "sharper on one, and lost on two"


@pytest.mark.parametrize("hits", [1, 4], ids="{} right answers".format)
def test_a_base_is_seldom_outside_its_own_band(hits: int) -> None:
    """Of 80 pairs without a gain two may seem to have one, more than seven once in a thousand times. A band from the base's own samples
    parted in two let 14 and 13 pass.
    """
    chance = np.random.default_rng(hits)
    chances_I = chance.exponential(size=30)
    chances_I *= hits / 512 / chances_I.sum()
    outside = 0
    for seed in range(80):
        before, after = (chance.binomial(512, chances_I).tolist() for _ in range(2))
        outside += ledger(512, before, after, 256, seed).outside
    assert outside <= 7


def test_a_real_gain_is_outside() -> None:
    """A hundred problems with chances around one in 256: sampling alone makes some of them come and go."""
    chance = np.random.default_rng(0)
    rare_I = chance.uniform(0, 1 / 128, 100)
    before, again, better = (chance.binomial(512, chances_I).tolist() for chances_I in (rare_I, rare_I, rare_I + 0.02))
    assert ledger(512, before, again, 256, seed=1).band > 5, "the band is not nothing"
    assert not ledger(512, before, again, 256, seed=1).outside
    assert ledger(512, before, better, 256, seed=1).outside
    assert ledger(512, [0] * 10, [0] * 5 + [1] * 5, 256, seed=1).band > 0, "though the base alone never changes"
    assert ledger(512, [0] * 10, [0] * 10, 256, seed=1).band == 0.0


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=12))
def test_mcnemar_by_tossing_all_coins(pairs: list[tuple[bool, bool]]) -> None:
    """Of all ways in which the problems that changed could have changed, the share that is at least as lopsided."""
    before, after = ([int(pair[at]) * 3 for pair in pairs] for at in (0, 1))
    changed = [now for was, now in pairs if was != now]
    tosses = [abs(2 * sum(toss) - len(changed)) for toss in product((0, 1), repeat=len(changed))]
    assert mcnemar(before, after) == pytest.approx(fmean(toss >= abs(2 * sum(changed) - len(changed)) for toss in tosses))


def test_guesses_by_hand() -> None:
    assert guessed(1, 4) == pytest.approx(0.25)
    assert guessed(2, 2) == pytest.approx(0.75)
    assert guessed(256, inf) == 0.0
    assert guessed(256, 1) == 1.0


@pytest.mark.parametrize("name", ["reverse", "copy", "sort", "sum", "parity", "addition", "formats"])
@pytest.mark.parametrize("level", [1, 2])
def test_choices_are_the_answers_of_all_problems(name: str, level: int) -> None:
    family = families(Guard(), (name,))[name]
    texts = ["".join(digits) for digits in product("0123456789", repeat=level)]
    texts = [f"{one}+{other}" for one, other in product(texts, repeat=2)] if name in ("addition", "formats") else texts
    answers = {family.value(family.solve(text)) for text in texts if family.well_formed(text)}
    assert family.choices(level) == len(answers)
