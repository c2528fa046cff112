from dataclasses import replace
from pathlib import Path

import pytest

from sleepwake.checkpoint import RunFolder, State
from sleepwake.errors import DamagedRunError, RunFolderError


def commit(folder: RunFolder, state: State, step: int, phase: str = "round", keep: tuple[int, ...] = ()) -> State:
    aside = folder.aside()
    (aside / "learner").mkdir()
    (aside / "learner" / "same.json").write_text("1")
    (aside / "learner" / "step.json").write_text(str(step))
    sealed = folder.seal(step, phase, state)
    journal = folder.path / "journal.jsonl"
    journal.write_text(journal.read_text() + f"{step}\n")
    content = journal.read_bytes()
    from hashlib import sha256

    return folder.count(sealed, (len(content), sha256(content).hexdigest()), state, keep)


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder.create(tmp_path / "run", {"recipe": {}})


def test_kept_are_the_last_two_and_those_that_are_asked_for(folder: RunFolder) -> None:
    state = folder.read_state()
    for step in range(1, 7):
        state = commit(folder, state, step, keep=(2,))
    assert [c.step for c in state.commits] == [2, 5, 6]
    assert sorted(p.name for p in folder.path.iterdir() if p.is_dir()) == ["00002-round", "00005-round", "00006-round"]
    assert folder.verify() == []


def test_unchanged_files_are_hard_links(folder: RunFolder) -> None:
    state = commit(folder, commit(folder, folder.read_state(), 1), 2)
    one, two = (folder.folder(c) / "learner" for c in state.commits)
    assert (one / "same.json").stat().st_ino == (two / "same.json").stat().st_ino
    assert (one / "step.json").stat().st_ino != (two / "step.json").stat().st_ino


def test_a_damaged_newest_commit_falls_back_to_the_one_before(folder: RunFolder) -> None:
    state = commit(folder, commit(folder, folder.read_state(), 1), 2)
    (folder.folder(state.commits[1]) / "learner" / "step.json").unlink()
    back, told = folder.recover()
    assert back.step == 1
    assert "00002-round/learner/step.json" in told[0]


def test_nothing_whole_is_an_error_that_names_the_files(folder: RunFolder) -> None:
    commit(folder, folder.read_state(), 1)
    (folder.path / "journal.jsonl").write_text("other\n")
    with pytest.raises(DamagedRunError, match=r"journal\.jsonl"):
        folder.recover()


def test_what_the_state_does_not_name_does_not_exist(folder: RunFolder) -> None:
    state = commit(folder, folder.read_state(), 1)
    (folder.path / "00002-round").mkdir()  # sealed, but killed before the state counted it
    folder.sweep_out(state)
    assert [p.name for p in folder.path.iterdir() if p.is_dir()] == ["00001-round"]


def test_one_process_at_a_time(folder: RunFolder) -> None:
    with pytest.raises(RunFolderError, match="in use"):
        RunFolder(folder.path)
    folder.release()
    RunFolder(folder.path).release()


def test_a_state_says_by_itself_that_it_was_touched(folder: RunFolder) -> None:
    path = folder.path / "state.json"
    path.write_text(path.read_text().replace('"step": 0', '"step": 1'))
    with pytest.raises(DamagedRunError, match=r"state\.json is damaged"):
        folder.read_state()


def test_overwrite_refuses_what_is_not_ours(tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("years of work")
    with pytest.raises(RunFolderError, match=r"no recipe\.json"):
        RunFolder.refuse(tmp_path / "thesis", overwrite=True)
    assert (tmp_path / "thesis" / "chapter.tex").exists()


def test_state_round_trip(folder: RunFolder) -> None:
    state = commit(folder, folder.read_state(), 1)
    folder.write_state(replace(state, derived={"summary.json": "0"}))
    assert folder.read_state() == replace(state, derived={"summary.json": "0"})
