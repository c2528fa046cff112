"""A look into a run's dreams: as many as asked, of the commit that was asked for, and nothing changed."""

from pathlib import Path

import pytest
import torch
from days import contents
from PIL import Image
from typer.testing import CliRunner

from sleepwake.cli import app
from sleepwake.domains.vision.challengers import Challenge, dreamt
from sleepwake.domains.vision.images import Space
from sleepwake.domains.vision.pictures import ACCEPTED, FRAME, GAP, MARGIN, REJECTED, SIZE, contact_sheet
from sleepwake.records import Verdicts


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "run"
    with torch.device("cpu"):
        result = CliRunner().invoke(app, ["run", "vision/tiny", "--out", str(folder), "--steps", "3"])
    assert result.exit_code == 0, result.output
    return folder


@pytest.mark.parametrize(("chosen", "count"), [([], 32), (["--n", "5"], 5), (["--n", "7", "--step", "1"], 7)])
def test_as_many_as_asked_of_the_commit_asked_for(run: Path, tmp_path: Path, chosen: list[str], count: int) -> None:
    before = contents(run)
    sheet = tmp_path / "sheet.png"
    result = CliRunner().invoke(app, ["dream", str(run), "--out", str(sheet), *chosen])
    assert result.exit_code == 0, result.output
    assert f"of {count} accepted" in result.output
    assert sheet.read_bytes().startswith(b"\x89PNG")
    assert contents(run) == before


def test_a_commit_that_is_not_kept_is_told(run: Path) -> None:
    result = CliRunner().invoke(app, ["dream", str(run), "--step", "7"])
    assert result.exit_code == 2
    assert "keeps no commit of step 7" in result.output
    assert "--step 1 or 2 or 3" in result.output


def test_the_sheet_that_a_night_left(run: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.png"
    result = CliRunner().invoke(app, ["dream", str(run), "--night", "1", "--out", str(sheet)])
    assert result.exit_code == 0, result.output
    (left,) = run.glob("00003-*/pictures/00003-dreams.png")  # the last round of three commits
    assert sheet.read_bytes() == left.read_bytes()
    result = CliRunner().invoke(app, ["dream", str(run), "--night", "2"])
    assert result.exit_code == 2
    assert "has dreamed in 1 nights, not in a night 2" in result.output
    result = CliRunner().invoke(app, ["dream", str(run), "--night", "1", "--n", "3"])
    assert result.exit_code == 2
    assert "leave --n and --step out" in result.output


def test_rows_are_as_many_as_challenges_and_frames_tell_verdicts(tmp_path: Path) -> None:
    """Twenty pairs of two dreams each: the first accepted, the second not."""
    space = Space(shape=(1, 4, 4), classes=tuple("abcde"), device=torch.device("cpu"), seed=0)
    pairs = [Challenge(shape, lure, 0.5) for shape in range(5) for lure in range(5) if shape != lure]
    material = dreamt(pairs, [torch.zeros((2, 1, 4, 4), device="cpu")] * len(pairs))
    verdicts = Verdicts((1.0, 0.0) * len(pairs), ("", "texture") * len(pairs))
    (told,) = contact_sheet(tmp_path / "p" / "sheet.png", space, material, verdicts, {})
    with Image.open(tmp_path / "p" / "sheet.png") as sheet:
        cell = SIZE + 2 * FRAME + 2
        assert sheet.height == 20 * cell
        left = MARGIN + 2 * cell + GAP
        frames = {(sheet.getpixel((left, row * cell)), sheet.getpixel((left + cell, row * cell))) for row in range(20)}
    assert frames == {(ACCEPTED, REJECTED)}
    assert "20 of 40 accepted" in told["caption"]
