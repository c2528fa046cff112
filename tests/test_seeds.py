from hypothesis import given
from hypothesis import strategies as st

from sleepwake.seeds import seed

parts = st.lists(st.one_of(st.integers(0, 10**9), st.text(max_size=8)), max_size=4)


@given(st.integers(0, 10**9), parts)
def test_a_seed_is_a_function_of_its_place(root: int, position: list[int | str]) -> None:
    assert seed(root, *position) == seed(root, *position)
    assert 0 <= seed(root, *position) < 2**63


@given(st.integers(0, 10**6), parts, parts)
def test_different_places_have_different_seeds(root: int, a: list[int | str], b: list[int | str]) -> None:
    assert (seed(root, *a) == seed(root, *b)) == (a == b)


def test_a_seed_is_the_same_on_every_machine() -> None:
    # resuming on another machine must draw the same numbers; this value was computed once and must never change
    assert seed(0, 1, "wake", "wake", "learner") == 3070437111702105395
