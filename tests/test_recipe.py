"""Recipes: 40 mistakes that users make, overrides, and that what is shown loads again as the same recipe."""

import json
import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from sleepwake import recipe as recipes
from sleepwake import recipebook
from sleepwake.cli import app
from sleepwake.errors import RecipeError

# (shipped recipe, override, path that the message must name, what it must tell to write)
MISTAKES = [
    ("vision/tiny", "wake.steps=0", "wake.steps", "steps = 400"),
    ("vision/tiny", "wake.steps=-5", "wake.steps", "steps = 400"),
    ("vision/tiny", 'wake.steps="many"', "wake.steps", "steps = 400"),
    ("vision/tiny", "wake.steps=1.5", "wake.steps", "steps = 400"),
    ("vision/tiny", "wake.stepz=10", "wake.stepz", "steps = 400"),
    ("vision/tiny", "wake.lr=0", "wake.lr", "lr = 0.001"),
    ("vision/tiny", 'wake.optimizer="adamw"', "wake.optimizer", 'optimizer = "adam"'),
    ("vision/tiny", 'wake.replay={type="generatd"}', "wake.replay.type", "none, exact, noise, generated"),
    ("vision/tiny", "wake.replay={}", "wake.replay.type", 'wake.replay.type = "none"'),
    ("vision/tiny", 'wake.replay={type="exact",budget=-1}', "wake.replay.budget", "budget = 0"),
    ("vision/tiny", 'wake.replay={type="exact",unit="megabytes"}', "wake.replay.unit", 'unit = "images"'),
    ("vision/tiny", 'wake.replay={type="noise",target="firm"}', "wake.replay.target", 'target = "soft"'),
    ("vision/tiny", 'domain.type="audio"', "domain.type", 'type = "vision"'),
    ("vision/tiny", "domain={}", "domain.type", 'type = "language"'),
    ("vision/tiny", 'stream.type="cifar"', "stream.type", "digits, npz, idx, folder"),
    ("vision/tiny", 'stream={type="npz"}', "stream.data", 'data = "data"'),
    ("vision/tiny", "stream.classes_per_task=0", "stream.classes_per_task", "classes_per_task = 2"),
    ("vision/tiny", 'learner.type="transformer"', "learner.type", "mlp, cnn"),
    ("vision/tiny", "learner.hidden=64", "learner.hidden", "hidden = [256, 256]"),
    ("vision/tiny", "learner.hidden=[]", "learner.hidden", "hidden = [256, 256]"),
    ("vision/tiny", "learner.hidden=[0]", "learner.hidden.0", "hidden"),
    ("vision/tiny", "dreamer.latent=0", "dreamer.latent", "latent = 8"),
    ("vision/tiny", "dreamer.forzen=true", "dreamer.forzen", "frozen = true"),
    ("vision/tiny", 'judge={type="peers",confidence=0.2}', "judge.confidence", "confidence = 0.5"),
    ("vision/tiny", 'judge.type="jury"', "judge.type", "peers, novelty, self, random, oracle"),
    ("vision/tiny", "challenger.easy=1.5", "challenger.easy", "easy = 0.8"),
    ("vision/tiny", "sleep.rounds=0", "sleep.rounds", "rounds = 3"),
    ("vision/tiny", 'sleep.stages=["dream","challenge"]', "sleep.stages", 'stages = ["challenge", "dream"]'),
    ("vision/tiny", 'sleep.stages=["challenge","judge"]', "sleep.stages", 'stages = ["challenge", "dream", "judge"]'),
    ("vision/tiny", 'sleep.stages=["challenge","dream","dream"]', "sleep.stages", 'stages = ["challenge", "dream"]'),
    ("vision/tiny", 'sleep.stages=["consolidate","challenge","dream"]', "sleep.stages", '"dream", "consolidate"]'),
    ("vision/tiny", 'sleep.stages=["nap"]', "sleep.stages.0", "'challenge', 'dream'"),
    ("vision/tiny", "morning.tolerance=2", "morning.tolerance", "tolerance = 0.02"),
    ("vision/tiny", 'morning.probes="stored"', "morning.probes", 'probes = "dreamed"'),
    ("vision/tiny", 'policy={type="pressure",lower=0.7}', "policy", "lower = 0.2"),
    ("vision/tiny", 'policy.type="circadian"', "policy.type", "schedule, pressure"),
    ("vision/tiny", "budget.seconds=60", "budget.seconds", "known here: steps, samples, tokens"),
    ("vision/tiny", "threads=0", "threads", "threads = 1"),
    ("vision/tiny", 'name="My Run"', "name", "name ="),
    ("vision/tiny", "seed=-1", "seed", "seed = 0"),
    ("vision/tiny", 'judge={type="self"}', "morning.probes", 'morning.probes = "kept"'),
    ("language/tiny", 'stream.tasks=[["revers"]]', "stream.tasks: 'revers' is no family", "one of reverse, copy"),
    (
        "language/tiny",
        'judge.type="majorty"',
        "judge.type",
        "metamorphic, majority, self-certainty, cycle, pairwise, votes, rubrics, random, oracle",
    ),
    ("language/context-codes", 'wake.context=["cod1"]', "wake.context names 'cod1'", "one of lookup, code1"),
    ("language/context-codes", 'sleep.stages=["challenge"]', "sleep.consolidate.type", 'stages = ["consolidate"]'),
    ("language/tiny", "dreamer.attempts=0", "sleep.rehearse.type", "dreamer.attempts = 4"),
    ("language/serl", 'stream.tasks=[["reverse", "pairs"]]', "judge.type", '"copy", "sum", "pairs"'),
    ("language/gsm8k-gpu", 'dreamer.ask="Is {text} clear?"', "dreamer.ask", "{question}"),
    ("language/gsm8k-gpu", 'stream.sets.gsm8k.hub="a/b"', "stream.sets.gsm8k", 'path = "questions.jsonl"'),
    ("language/tiny", "learner.heads=5", "learner", "width"),
    ("language/tiny", 'morning.probes="none"', "morning.probes", 'probes = "kept"'),
    ("language/tiny", 'sleep.rehearse={type="ppo"}', "sleep.rehearse.type", "supervised, grpo"),
    ("language/tiny", 'stream.tasks=["reverse"]', "stream.tasks.0", 'tasks = [["reverse", "copy", "sum"]]'),
    ("language/tiny", "wake.steps", "--set wake.steps", "--set wake.steps=100"),
    ("language/tiny", "stream.kept=400", "stream.kept: 400 of the 400 lines of a level", "write: kept = 100"),
]


@pytest.mark.parametrize(("name", "setting", "path", "write"), MISTAKES, ids=[m[1] for m in MISTAKES])
def test_a_mistake_is_told_with_its_path_and_the_line_to_write(name: str, setting: str, path: str, write: str) -> None:
    result = CliRunner().invoke(app, ["check", name, "--set", setting])
    assert result.exit_code == 2
    assert f"{path}" in result.stderr
    assert write in result.stderr
    assert "Traceback" not in result.stderr


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    file = tmp_path / "bad.toml"
    text = recipebook.find("vision/tiny").read_text()
    file.write_text(
        text.replace("[wake]\nsteps = ", "[wake]\nsteps = -").replace("rounds = 2", "runds = 2").replace("seed = 0", 'seed = "x"')
    )
    with pytest.raises(RecipeError) as told:
        recipes.load(file)
    for path in ("wake.steps", "sleep.runds", "seed"):
        assert path in told.value.message
    assert "3 mistakes" in told.value.message


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("name = [", "is not TOML"),
        ("name = tiny", "is not TOML"),
        ("", "domain.type"),
        ('domain = "vision"', "domain.type"),
        (None, "no recipe"),
    ],
)
def test_files_that_are_no_recipes(tmp_path: Path, content: str | None, words: str) -> None:
    file = tmp_path / "r.toml"
    if content is not None:
        file.write_text(content)
    result = CliRunner().invoke(app, ["check", str(file)])
    assert result.exit_code == 2
    assert words in result.stderr
    assert "hint:" in result.stderr


@pytest.mark.parametrize("setting", ["wake.steps", "=3", "wake..steps=3", "policy.type=pressure", "seed.x.y=1"])
def test_overrides_that_are_none(setting: str) -> None:
    result = CliRunner().invoke(app, ["check", "vision/tiny", "--set", setting])
    assert result.exit_code == 2
    assert "--set" in result.stderr


@pytest.mark.parametrize("name", recipebook.names())
def test_every_shipped_recipe_loads_opens_with_what_it_shows_and_survives_being_shown(name: str, tmp_path: Path) -> None:
    file = recipebook.find(name)
    loaded = recipes.load(file)
    assert loaded.name == file.stem
    opening = file.read_text().split("\nname")[0]
    assert all(word in opening.lower() for word in ("cost:", "command:", "expect:"))
    shown = tmp_path / "shown.toml"
    shown.write_text(recipebook.show(loaded))
    assert recipes.load(shown) == loaded


@pytest.mark.parametrize("name", recipebook.names())
def test_overrides_that_a_recipe_tells_of_load(name: str) -> None:
    """Overrides that stand beside each other in the opening words belong together."""
    file = recipebook.find(name)
    words = " ".join(line.removeprefix("#").strip() for line in file.read_text().split("\nname")[0].splitlines())
    for group in re.findall(r"--set (?:'[^']+'|\S+)(?: --set (?:'[^']+'|\S+))*", words):
        recipes.load(file, [quoted or bare.rstrip(").,:;") for quoted, bare in re.findall(r"--set (?:'([^']+)'|(\S+))", group)])


def test_every_setting_has_a_meaning() -> None:
    def fields(schema: dict) -> list[str]:
        known = [*schema["$defs"].values()]
        return [
            f"{model['title']}.{name}"
            for model in known
            for name, field in model.get("properties", {}).items()
            if "description" not in field and "$ref" not in field
        ]

    assert fields(recipes.schema()) == []


@given(st.integers(1, 10**6), st.floats(1e-6, 1, allow_nan=False), st.lists(st.integers(1, 512), min_size=1, max_size=4))
def test_overrides_arrive(steps: int, lr: float, hidden: list[int]) -> None:
    settings = [f"wake.steps={steps}", f"wake.lr={lr}", f"learner.hidden={json.dumps(hidden)}"]
    loaded = recipes.load(recipebook.find("vision/tiny"), settings)
    assert (loaded.wake.steps, loaded.wake.lr, list(loaded.learner.hidden)) == (steps, lr, hidden)


def test_differences_name_the_fields() -> None:
    tiny = recipes.load(recipebook.find("vision/tiny"))
    other = recipes.load(recipebook.find("vision/tiny"), ["wake.steps=7", "seed=3"])
    steps = f"wake.steps: {tiny.wake.steps} -> 7"
    assert recipes.differences(recipes.resolved(tiny), recipes.resolved(other)) == ["seed: 0 -> 3", steps]


def test_schema_is_one(tmp_path: Path) -> None:
    schema = recipes.schema()
    assert {"VisionRecipe", "LanguageRecipe"} <= schema["$defs"].keys()


def test_recipes_are_toml_that_the_standard_library_reads() -> None:
    for name in recipebook.names():
        assert tomllib.loads(recipebook.find(name).read_text())["name"]
