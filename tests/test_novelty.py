"""How new a problem is: nearest of an archive, and shares of near-copies."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sleepwake.diversity import distance
from sleepwake.domains.language.novelty import copies, novelty

TEXTS = st.text("0123+", max_size=8)


@given(TEXTS, st.lists(TEXTS.filter(bool), min_size=1, max_size=6))
def test_the_nearest_is_that_of_all_distances(text: str, archive: list[str]) -> None:
    by_hand = min(distance(text, other) / max(len(text), len(other)) for other in archive)
    assert novelty(text, archive) == pytest.approx(by_hand)


def test_nothing_is_old_where_nothing_was_set() -> None:
    assert novelty("12", []) == 1.0


def test_near_copies_by_hand() -> None:
    """One digit changed at the end of six leaves a BLEU of 0.80, four of them 0.27; what was said twice is a copy of itself."""
    assert copies(["123456"], []) == 0.0
    assert copies(["123457", "129999", "654321"], ["123456"]) == pytest.approx(1 / 3)
    assert copies(["987654", "987654"], ["123456"]) == 0.5
    assert copies(["1"], ["1"]) == 1.0
    assert copies([], ["1"]) == 0.0
