"""One suite that every role, judge, generator and method passes: a new type in a settings union is tested without a new test.

Each type replaces its section in the domain's tiny recipe; the run makes a day and a round, and what it wrote is looked at.
"""

import filecmp
import json
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import chat_models
import numpy as np
import pytest
import torch

from sleepwake import mistakes, recipebook, session
from sleepwake import recipe as recipes
from sleepwake.records import Progress
from sleepwake.roles import Guard, NightBreachError
from sleepwake.sleep import STAGES

SECTIONS = ("learner", "dreamer", "challenger", "judge", "wake.replay", "wake.penalty", "wake.head", "sleep.rehearse", "sleep.consolidate")
QUICK = {
    "vision": ["stream.tasks=1", "sleep.rounds=1"],
    "language": ["sleep.rounds=1", "wake.steps=75"],
}
KEPT = 'morning.probes="kept"'  # dreamed probes need two judges with seeds of their own
LENIENT = 'judge={type="random"}'  # accepts something of whoever can do nothing yet, so that there is something to rehearse
AWAKE = ["policy.nights=0", 'morning.probes="none"', 'wake.replay={type="none"}', "dreamer.steps=5"]
NIGHTLESS = {"none", "slda", "ridge", "generative", "feedback"}
"""Types without which no night is possible: they are tested awake."""
STORED = 'wake.replay={type="exact"}'
HEADS = {"nearest-mean": [*(line for line in AWAKE if "replay" not in line), STORED], "bic": [STORED]}
"""What a head needs beside its name."""
HERE = Path(__file__).parent
NEEDED = {
    "ewc": "strength=10",
    "si": "strength=10",
    "generative": "vae={steps=200, hidden=[32]}",
    "wgan": "channels=[8], steps=60",
    "mobilenet": "width=0.01, least=16",
    "resnet": 'channels=[4, 8], depths=[1, 1], norm="renorm"',
    "rloo": "beta=0, steps=2, prompts=4, generations=2, longest=8",
    "dpo": "steps=2, batch=8",
    "kto": "steps=2, batch=8",
    "learned": "steps=2, prompts=4, generations=4, problems=8",
    "even": "level=3",
    "self-certainty": "threshold=0.01",
    "pairwise": "threshold=0.01",
    "rubrics": "threshold=1e-9",
    "magpie": "pool=40, attempts=4, longest=12, alike=1.0",
    "absorb": "steps=4, batch=16, each=10",
    "seed": "larger={width=48, layers=2, heads=2}, seed_steps=5, polish=1, imitate=1, each=10, batch=8",
}
BESIDE = {
    "merge": ['learner.fast="lora"'],
    "notes": ['sleep.consolidate={type="replay"}'],
    "absorb": ['stream.tasks=[["reverse"], ["copy"]]', 'wake.context=["copy"]', LENIENT],
    "pretrained": [LENIENT],
    "replay": ['sleep.rehearse={type="notes"}'],
    "feedback": ['learner.feedback={type="decoder", latent=4, hidden=[16]}'],
    "mix": [STORED],
    "pictures": [STORED, KEPT, LENIENT],
    "novelty": ["sleep.rehearse.fewest=1"],
    "magpie": ["wake.steps=60"],
}  # what another section must say for it
STRICT = {"votes", "oracle", "ensemble", "learned"}
"""Types that accept nothing of a language learner that knows next to nothing."""
CHATTING = {"magpie", "rubrics", "pairwise", "notes", "replay"}
"""Types that need a chat model; learning is quick with it."""
ALONE = {
    "diffusion": "vision/tiny-dream",
    "classes": "vision/tiny-classes",
    "grpo": "language/tiny-grpo",
}  # types that need more than their name: their own recipe


def has(model: Any, section: str) -> bool:
    """Whether a domain's recipes have the section."""
    for key in section.split("."):
        models = [model] if isinstance(model, type) else list(mistakes.models(model.annotation))
        model = next((m.model_fields[key] for m in models if key in m.model_fields), None)
        if model is None:
            return False
    return True


def variants() -> list[tuple[str, str, str]]:
    """Each type of each section: (domain, section, type)."""
    found = []
    for domain, model in recipes.RECIPES.items():
        for section in SECTIONS:
            field: Any = model
            if not has(field, section):
                continue
            for key in section.split("."):
                models = [field] if isinstance(field, type) else list(mistakes.models(field.annotation))
                field = next(m.model_fields[key] for m in models if key in m.model_fields)
            found += [(domain, section, tag) for tag, _ in mistakes.tagged(field)]
    return found


@cache
def other_pictures() -> Path:
    """A data set of two classes that no stream has: grey above, grey below."""
    file = Path(tempfile.mkdtemp()) / "others.npz"
    images = np.zeros((40, 8, 8), dtype=np.uint8)
    images[::2, :4], images[1::2, 4:] = 128, 128
    labels = np.arange(40) % 2
    np.savez(file, x_train=images, y_train=labels, x_test=images, y_test=labels)
    return file


def settings_for(domain: str, section: str, tag: str) -> tuple[str, list[str]]:
    """The recipe and the overrides that put one type in."""
    if tag in ALONE:
        return ALONE[tag], []
    recipe = recipes.resolved(recipes.load(recipebook.find(f"{domain}/tiny")))
    here: Any = recipe
    for key in section.split("."):
        here = here[key]
    same = here["type"] == tag
    more = f", {NEEDED[tag]}" if tag in NEEDED else ""
    if tag == "pictures":
        more = f', data="{other_pictures()}"'
    if tag == "pretrained":
        more = f", {pretrained()}"
    if tag == "own":
        more = f', code="{HERE}/own_parts.py:{"Lenient" if domain == "vision" else "Easy"}"'
    other = [] if same else [f'{section}={{type="{tag}"{more}}}']
    kept = [] if same or section != "judge" else [KEPT]
    if section == "wake.head":
        kept = HEADS.get(tag, kept)
    if tag in NIGHTLESS and section in ("learner", "dreamer", "challenger", "judge"):
        kept = [line for line in AWAKE if not line.startswith(section)]
    chat = [f'learner={{type="pretrained", {pretrained()}}}'] if tag in CHATTING else []
    chat += ["wake.steps=20", "wake.rate=1e-2"] if chat or tag == "pretrained" else []
    longer = ["wake.steps=150"] if domain == "language" and tag in STRICT else []
    return f"{domain}/tiny", QUICK[domain] + kept + other + chat + longer + BESIDE.get(tag, [])


def pretrained() -> str:
    """A model on disk, as a recipe names it."""
    return f'model={{type="folder", folder="{chat_models.fitted()}"}}, rank=8, longest=12'


def quiet(_: dict[str, Any]) -> None:
    pass


def run(name: str, settings: list[str], folder: Path, steps: int | None = 2) -> session.Session:
    opened = session.start(recipebook.find(name), settings, None, folder, False, "cpu", None, 0.0, allow_code=True)
    opened.go_on(quiet, steps)
    return opened


@pytest.mark.parametrize(("domain", "section", "tag"), variants())
def test_a_day_and_a_round(domain: str, section: str, tag: str, tmp_path: Path) -> None:
    name, settings = settings_for(domain, section, tag)
    state = torch.random.get_rng_state()
    opened = run(name, settings, tmp_path / "run")
    assert torch.equal(state, torch.random.get_rng_state()), "no random state outlives a call"
    events = [json.loads(line) for line in (tmp_path / "run" / "journal.jsonl").read_text().splitlines()]
    awake = not opened.recipe.policy.most_nights
    assert [event["phase"] for event in events if event["event"] == "committed"] == (["wake"] if awake else ["wake", "round"])
    if not awake:
        a_round(opened, events)
    woke = next(event for event in events if event["event"] == "woke")
    assert 0 < woke["facts"]["learn"]["learned"] <= 1, "a day teaches something"
    sizes = next(event for event in reversed(events) if event["event"] == "committed")["metrics"]
    assert all(role["bytes"] >= 0 for role in sizes.values())

    # a commit loaded into a fresh mind and saved again is the same commit
    last = sorted((tmp_path / "run").glob("0000[12]-*"))[-1]
    mind, again = opened.domain.mind(), tmp_path / "again"
    mind.load(last)
    again.mkdir()
    mind.save(again)
    for role in mind.parts():
        files = [file.relative_to(last) for file in (last / role).rglob("*") if file.is_file()]
        _, different, missing = filecmp.cmpfiles(last, again, [str(file) for file in files], shallow=False)
        assert not different
        assert not missing
    assert Progress.parse(json.loads((last / "progress.json").read_text())).step == int(last.name[:5])


def a_round(opened: session.Session, events: list[dict[str, Any]]) -> None:
    """Every stage has run, and its counts add up."""
    staged = {event["stage"]: event["facts"] for event in events if event["event"] == "staged"}
    assert list(staged) == [stage for stage in opened.recipe.sleep.stages if stage != "consolidate"]
    counts = staged["judge"]
    assert counts["judged"] == counts["accepted"] + counts["rejected"] + counts["abstained"] == staged["dream"]["dreams"] > 0
    assert "skipped" not in staged["rehearse"]
    assert 0 <= staged["rehearse"].get("learned", 0.0) <= 1


@pytest.mark.parametrize("name", ["vision/tiny", "language/tiny"])
def test_equal_runs_are_equal_with_audits_on_and_off(name: str, tmp_path: Path) -> None:
    """Ground truth reaches neither training nor judge nor gate: the same weights whether it is looked at or not."""
    for arm, setting in (("on", "evaluate.audit=true"), ("off", "evaluate.audit=false")):
        run(name, [*QUICK[name.split("/")[0]], setting], tmp_path / arm, None)
    on, off = (
        {m.parent.name: json.loads(m.read_text())["files"] for m in (tmp_path / arm).glob("*/manifest.json")} for arm in ("on", "off")
    )
    assert on == off
    assert on


@pytest.mark.parametrize("name", ["vision/tiny", "language/tiny"])
def test_ground_truth_raises_by_night(name: str, tmp_path: Path) -> None:
    """Tasks' data can't be read while the guard is closed; so a whole night that passes has not read them."""
    opened = session.start(recipebook.find(name), [], None, tmp_path / "run", False, "cpu", None, 0.0)
    opened.folder.release()
    with opened.domain.guard.night():
        with pytest.raises(NightBreachError):
            opened.domain.examples(opened.domain.tasks[0])
        with opened.domain.guard.audit():
            opened.domain.examples(opened.domain.tasks[0])
    opened.domain.examples(opened.domain.tasks[0])


def test_a_guard_opens_for_audits_only() -> None:
    guard = Guard()
    guard.check("by day")
    with guard.night():
        with pytest.raises(NightBreachError, match="the answer"):
            guard.check("the answer")
        with guard.audit():
            guard.check("the answer")


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_says_what_it_needs_and_gives(name: str) -> None:
    known = {"challenges", "dreams", "verdicts"}
    for domain, recipe in recipes.RECIPES.items():
        sleep = recipe.model_fields["sleep"].default
        assert set(STAGES[name].needs(sleep)) <= known, domain  # type: ignore[index]
    assert set(STAGES[name].gives) <= known  # type: ignore[index]
