"""Diversity: cases by hand, and laws."""

from math import log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sleepwake import diversity

TEXTS = st.lists(st.text("abc", min_size=1, max_size=6), min_size=2, max_size=8)


def test_formats_by_hand() -> None:
    share = diversity.shares(["code", "words", "code", "code"])
    assert share == {"code": 0.75, "words": 0.25}
    assert diversity.dominant_share(share) == 0.75
    assert diversity.format_entropy(share) == pytest.approx(-0.75 * log(0.75) - 0.25 * log(0.25))
    assert diversity.effective_formats({"a": 0.5, "b": 0.5}) == pytest.approx(2.0)
    assert diversity.effective_formats({"a": 1.0}) == pytest.approx(1.0)


def test_texts_by_hand() -> None:
    assert diversity.distinct_n(["abab", "ab"], 2) == pytest.approx(2 / 4)
    assert diversity.distinct_n(["a"], 2) == 0.0
    assert diversity.self_bleu(["12345", "12345"]) == pytest.approx(1.0)
    assert diversity.self_bleu(["12345", "67890"]) == 0.0
    # of "abc" two of three 1-grams are met, (1 + 1) of (2 + 1) 2-grams, (0 + 1) of (1 + 1) 3-grams
    assert diversity.bleu("abc", ["abd"]) == pytest.approx((2 / 3 * 2 / 3 * 1 / 2) ** (1 / 3))
    assert diversity.vendi(["abc"] * 5) == pytest.approx(1.0)
    assert diversity.vendi(["abc", "xyz", "123"]) == pytest.approx(3.0)
    assert diversity.effective_prompts([[0, 0], [1, 0], [1, 1], [0.2, 0.3]]) == 0.5


@given(TEXTS)
def test_laws(texts: list[str]) -> None:
    effective = diversity.vendi(texts)
    assert 1 - 1e-6 <= effective <= len(set(texts)) + 1e-6
    assert diversity.vendi(texts * 2) == pytest.approx(effective), "copies add nothing"
    assert 0 <= diversity.self_bleu(texts) <= 1 + 1e-9
    assert diversity.self_bleu(texts + texts) >= diversity.self_bleu(texts) - 1e-9
    assert 0 < diversity.distinct_n(texts, 1) <= 1
    share = diversity.shares(texts)
    assert 1 / diversity.effective_formats(share) <= diversity.dominant_share(share) + 1e-9
