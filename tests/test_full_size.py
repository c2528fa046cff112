"""The full-size path, end to end, with tiny models of the same classes: picture folders, a ResNet, a Stable Diffusion on disk."""

import json
from pathlib import Path

import numpy as np
import pytest
from frozen_models import of_latents
from PIL import Image
from typer.testing import CliRunner

from sleepwake.cli import app

CLASSES = ("n01", "n02", "n03", "n04")
SMALL = (
    "threads=1", "domain.kept_probes=2", "stream.size=8", "stream.classes_per_task=2",
    'learner={type="resnet", channels=[4, 8], depths=[1, 1]}', "judge.hidden=[8]",
    "dreamer.prompt_steps=2", "dreamer.dreams=4", "challenger.pairs=3", "wake.steps=3", "wake.batch=4", "wake.replay.budget=8",
    "wake.dreams={batch=4, pool=4}", "sleep.rehearse={type='classes', slots=3, steps=2, batch=4, accept=0.0}",
    "evaluate={remap=true, audit=false}",
)  # fmt: skip


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for name in CLASSES:
        for split, count in (("train", 12), ("val", 4)):
            for place in range(count):
                file = tmp_path / f"mini-imagenet/{split}/{name}/{place}.JPEG"
                file.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(rng.integers(0, 256, (9, 9, 3), dtype=np.uint8)).save(file)
    return tmp_path


def test_mini_imagenet_s_recipe_from_the_first_day_to_the_report(pictures: Path, tmp_path: Path) -> None:
    import torch

    with torch.device("cpu"):
        of_latents(tmp_path / "diffusion")
        sets = [*SMALL, f'dreamer.generator={{type="folder", folder="{tmp_path / "diffusion"}"}}']
        asked = [part for line in sets for part in ("--set", line)]
        out = tmp_path / "run"
        result = CliRunner().invoke(app, ["run", "vision/dream-mini-imagenet", "--data", str(pictures), "--out", str(out), *asked])
    assert result.exit_code == 0, result.output
    summary = json.loads((out / "summary.json").read_text())
    assert summary["status"] == "done"
    assert len(summary["nights"]) == 2
    assert all(row is not None for row in summary["ahead"]["remap"])
    events = [json.loads(line) for line in (out / "journal.jsonl").read_text().splitlines()]
    rehearsed = [event["facts"] for event in events if event.get("stage") == "rehearse"]
    assert [facts["adopted"] for facts in rehearsed] == [3, 2], (
        "all three slots; the next day takes two of them over, which leaves two free"
    )
    assert (out / "report.html").exists()
