"""A look into a run's dreams: as many as asked, of the commit that was asked for, and nothing changed."""

from pathlib import Path

import pytest
from days import contents
from typer.testing import CliRunner

from sleepwake.cli import app


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch

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
