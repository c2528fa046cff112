import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sleepwake.journal import SESSION_EVENTS, Journal, read


def quiet(_: dict[str, Any]) -> None:
    pass


@given(st.lists(st.sampled_from(["decided", "staged", "resumed", "committed", "interrupted"]), min_size=1, max_size=12), st.data())
def test_a_journal_cut_back_and_continued_equals_one_that_never_was(
    tmp_path_factory: pytest.TempPathFactory, kinds: list[Any], data: Any
) -> None:
    folder = tmp_path_factory.mktemp("journal")
    whole = Journal(folder / "whole", 0, quiet)
    for index, kind in enumerate(kinds):
        whole.at({"step": index})(kind, value=index)
    whole.sync()

    cut = data.draw(st.integers(0, len(kinds)))
    other = Journal(folder / "cut", 0, quiet)
    for index, kind in enumerate(kinds[:cut]):
        other.at({"step": index})(kind, value=index)
    length, _ = other.sync()
    other.at({"step": 99})("failed", error="never counted")  # what a kill leaves behind the committed length
    other.sync()
    again = Journal(folder / "cut", length, quiet)
    for index, kind in list(enumerate(kinds))[cut:]:
        again.at({"step": index})(kind, value=index)
    again.sync()

    def bare(path: Path) -> list[dict[str, Any]]:
        return [{key: value for key, value in line.items() if key != "timing"} for line in read(path)]

    assert bare(folder / "cut") == bare(folder / "whole")


def test_events_of_a_session_shift_no_numbers(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j", 0, quiet)
    for kind in ("started", "resumed", "decided", "interrupted", "committed"):
        journal.at({"step": 0})(kind)  # type: ignore[arg-type]
    journal.sync()
    assert [line["seq"] for line in read(tmp_path / "j") if line["event"] not in SESSION_EVENTS] == [0, 1, 2]


def test_not_a_number_is_refused(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j", 0, quiet)
    with pytest.raises(ValueError, match="not JSON compliant"):
        journal.at({})("staged", loss=float("nan"))


def test_clock_stands_in_timing_only(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j", 0, quiet)
    journal.at({"step": 3, "phase": "wake"})("woke", seconds=1.5, task="0-1")
    journal.sync()
    line = json.loads((tmp_path / "j").read_text())
    assert line.pop("timing").keys() == {"at", "seconds"}
    assert line == {
        "seq": 0,
        "event": "woke",
        "step": 3,
        "day": None,
        "night": None,
        "round": None,
        "phase": "wake",
        "stage": None,
        "task": "0-1",
    }
