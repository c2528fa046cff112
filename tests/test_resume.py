"""Stopping and going on: at every phase, by kill -9, and after any file was damaged."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Event
from unittest.mock import Mock

import pytest
from typer.testing import CliRunner

from sleepwake import recipebook, session
from sleepwake.checkpoint import RunFolder
from sleepwake.cli import app
from sleepwake.derived import fingerprint
from sleepwake.errors import DamagedRunError

COMMAND = [sys.executable, "-m", "sleepwake.cli"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of `vision/tiny` that nothing broke."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    result = CliRunner().invoke(app, ["run", "vision/tiny", "--out", str(folder)])
    assert result.exit_code == 0, result.output
    return folder


def test_a_run_that_stops_after_every_phase_is_the_run_that_never_stopped(whole: Path, tmp_path: Path) -> None:
    folder = str(tmp_path / "run")
    assert CliRunner().invoke(app, ["run", "vision/tiny", "--out", folder, "--steps", "1"]).exit_code == 0
    for _ in range(9):
        last = json.loads((tmp_path / "run" / "state.json").read_text())["commits"][-1]["name"]
        command = "wake" if last.endswith("morning") else "sleep"
        assert CliRunner().invoke(app, [command, folder]).exit_code == 0
    assert CliRunner().invoke(app, ["resume", folder]).exit_code == 0
    assert fingerprint(tmp_path / "run") == fingerprint(whole)


def test_steps_one_at_a_time_leave_the_same_journal(whole: Path, tmp_path: Path) -> None:
    folder = str(tmp_path / "run")
    for count in (0, 1, 2):
        command = ["run", "vision/tiny", "--out", folder, "--steps", str(count), "--overwrite"]
        assert CliRunner().invoke(app, command).exit_code == 0
    assert CliRunner().invoke(app, ["resume", folder]).exit_code == 0
    assert fingerprint(tmp_path / "run") == fingerprint(whole)


def test_kill_9_and_resume(whole: Path, tmp_path: Path) -> None:
    """Two kills at random instants of one run; the benchmark `benchmarks/kills.py` makes more."""
    folder, rng = tmp_path / "run", random.Random(0)
    for _ in range(2):
        command = ["resume", str(folder)] if folder.exists() else ["run", "vision/tiny", "--out", str(folder)]
        process = subprocess.Popen([*COMMAND, *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ})
        time.sleep(rng.uniform(2, 7))
        process.send_signal(signal.SIGKILL)
        process.wait()
    command = ["resume", str(folder)] if folder.exists() else ["run", "vision/tiny", "--out", str(folder)]
    assert subprocess.run([*COMMAND, *command], capture_output=True, check=False).returncode == 0
    assert fingerprint(folder) == fingerprint(whole)


def heed_ctrl_c() -> None:
    """Where the tests themselves run in the background, a child inherits that SIGINT is ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_ctrl_c_keeps_the_last_commit_and_names_the_command(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    command = [*COMMAND, "run", "vision/tiny", "--out", str(folder)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, preexec_fn=heed_ctrl_c)
    deadline = time.monotonic() + 60
    while not list(folder.glob("00001-*")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert f"sleepwake resume {folder}" in said
    assert json.loads((folder / "summary.json").read_text())["status"] == "interrupted"
    assert CliRunner().invoke(app, ["status", str(folder), "--verify"]).exit_code == 0


def test_an_interrupt_that_foreign_code_takes_for_its_own_error_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As safetensors does, whose reading turns a Ctrl-C into a ValueError."""
    folder = tmp_path / "run"
    opened = session.start(recipebook.find("vision/tiny"), [], None, folder, False, "cpu", None, 0.0)

    def stop(*_: object) -> None:
        monkeypatch.setattr(session, "interrupted", Event())
        session.interrupted.set()
        raise ValueError("could not determine the shape of object type 'torch.storage.UntypedStorage'")

    monkeypatch.setattr("sleepwake.orchestrator.Orchestrator.run", stop)
    heeded = signal.getsignal(signal.SIGINT)
    try:
        with pytest.raises(KeyboardInterrupt):
            opened.go_on(lambda _: None)
    finally:
        signal.signal(signal.SIGINT, heeded)  # a run that ends ignores what comes after
    assert json.loads((folder / "summary.json").read_text())["status"] == "interrupted"


def test_what_ends_before_the_first_scores_are_known_can_be_gone_on_with(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first scores of a large test set take minutes, and nothing has been journaled until they are known."""
    folder = tmp_path / "run"
    heeded = signal.getsignal(signal.SIGINT)
    try:
        for at, error in enumerate((KeyboardInterrupt(), OSError("no space left"))):
            opened = session.start(recipebook.find("vision/tiny"), [], None, folder, bool(at), "cpu", None, 0.0)
            monkeypatch.setattr(opened.domain, "evaluate", Mock(side_effect=error))
            with pytest.raises(type(error)):
                opened.go_on(lambda _: None)
            (end,) = map(json.loads, (folder / "journal.jsonl").read_text().splitlines())
            assert end["event"] == ("interrupted", "failed")[at]
    finally:
        signal.signal(signal.SIGINT, heeded)
    assert CliRunner().invoke(app, ["status", str(folder), "--verify"]).exit_code == 0
    assert CliRunner().invoke(app, ["resume", str(folder)]).exit_code == 0
    one, other = fingerprint(folder), fingerprint(whole)
    assert one["files"] == other["files"]
    assert [line for line in one["journal"] if line["event"] != "failed"] == other["journal"]


def damaged(content: bytes, how: str) -> bytes | None:
    """The content of a file after an accident; None where it is gone."""
    if how == "delete":
        return None
    if how == "truncate":
        return content[: len(content) // 2]
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


@pytest.mark.parametrize("how", [*(pytest.param(one, marks=pytest.mark.slow) for one in ("delete", "truncate")), "flip"])
def test_damage_to_any_file_is_found_and_told(tmp_path: Path, how: str) -> None:
    """In each file in turn: found by `status --verify`; resume falls back to a whole commit or stops with exit 1, naming the file."""
    origin = tmp_path / "origin"
    assert CliRunner().invoke(app, ["run", "vision/tiny", "--out", str(origin), "--steps", "4"]).exit_code == 0
    names = sorted(str(f.relative_to(origin)) for f in origin.rglob("*") if f.is_file() and f.name != "lock" and f.stat().st_size)
    assert len(names) > 30
    for name in names:
        run = tmp_path / "run"
        shutil.copytree(origin, run, copy_function=shutil.copy)
        content = damaged((run / name).read_bytes(), how)
        (run / name).unlink()  # commits share unchanged files by hard links in a run; here each file is hit alone
        if content is not None:
            (run / name).write_bytes(content)
        found = CliRunner().invoke(app, ["status", str(run), "--verify"])
        assert found.exit_code == 1, name
        assert Path(name).name in found.stderr, name
        goes_on_from_a_whole_commit(run, name)
        shutil.rmtree(run)


def goes_on_from_a_whole_commit(run: Path, damaged_file: str) -> None:
    """What `resume` would do: a commit that is whole, with the journal up to it, or an error that names the file."""
    folder, nothing_whole = RunFolder(run), None
    try:
        state, told = folder.recover()
    except DamagedRunError as error:
        nothing_whole = error
    finally:
        folder.release()
    if nothing_whole is not None:
        assert Path(damaged_file).name in nothing_whole.message
        return
    assert state.last is not None
    assert folder.damage(state.last) == folder.journal_damage(state.journal_bytes, state.journal_sha256) == []
    newest = damaged_file.startswith(sorted(path.name for path in run.glob("0*"))[-1])
    assert not newest or Path(damaged_file).name in "".join(told)


@pytest.mark.parametrize("name", ["state.json", "recipe.json", "journal.jsonl", "newest", "only"])
def test_what_resume_does_about_damage(tmp_path: Path, whole: Path, name: str) -> None:
    run = tmp_path / "run"
    assert CliRunner().invoke(app, ["run", "vision/tiny", "--out", str(run), "--steps", "1" if name == "only" else "4"]).exit_code == 0
    newest = sorted(run.glob("0*"))[-1]
    target = newest / "progress.json" if name in ("newest", "only") else run / name
    target.write_bytes(damaged(target.read_bytes(), "flip") or b"")
    result = CliRunner().invoke(app, ["resume", str(run)])
    if name in ("newest", "journal.jsonl"):  # flipped in its middle, the journal is whole as far as the first commit
        assert result.exit_code == 0, result.output
        assert "recovered" in result.output
        assert target.name in result.output.replace("\n", "")
        assert fingerprint(run)["files"] == fingerprint(whole)["files"]
    else:
        assert result.exit_code == 1, result.output
        assert target.name in result.stderr
