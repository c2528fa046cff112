"""Looking while a day goes on, and before it: curves, linear probes, first steps. None of it may change what is learned."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from sleepwake import recipe as recipes
from sleepwake import recipebook, session
from sleepwake.derived import fingerprint
from sleepwake.domains.vision.descent import descend
from sleepwake.domains.vision.domain import build
from sleepwake.domains.vision.images import Batch, Space
from sleepwake.domains.vision.networks import Classifier
from sleepwake.domains.vision.training import Shuffled, Term
from sleepwake.domains.vision.transfer import drawn, probe, speed
from sleepwake.domains.vision.wake_settings import MlpLearner
from sleepwake.errors import RecipeError

CPU = torch.device("cpu")
SPACE = Space(shape=(1, 2, 2), classes=("a", "b", "c"), device=CPU, seed=0)
QUICK = {
    "vision/tiny": ["stream.tasks=2", "sleep.rounds=1"],
    "language/tiny": ["sleep.rounds=1"],
}
LOOKS = {
    "vision/tiny": ["evaluate.within=50", "evaluate.probe=10", "evaluate.speed=20"],
    "language/tiny": ["evaluate.within=100"],
}
AWAKE = ["policy.nights=0", 'morning.probes="none"', 'wake.replay={type="none"}', 'dreamer={type="none"}', 'judge={type="none"}']


def opened(name: str, settings: list[str], folder: Path) -> session.Session:
    return session.start(recipebook.find(name), settings, None, folder, False, "cpu", None, 0.0)


def quiet(_: dict[str, Any]) -> None:
    pass


def summary(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "summary.json").read_text())
    return found


@pytest.fixture(scope="module")
def looked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of `vision/tiny` that was looked at in every way."""
    folder = tmp_path_factory.mktemp("looked") / "run"
    with torch.device("meta"):
        opened("vision/tiny", QUICK["vision/tiny"] + LOOKS["vision/tiny"], folder).go_on(quiet, None)
    return folder


@pytest.mark.parametrize("name", QUICK)
def test_looking_changes_no_weight(name: str, looked: Path, tmp_path: Path) -> None:
    if name == "language/tiny":
        looked = tmp_path / "looked"
        opened(name, QUICK[name] + LOOKS[name], looked).go_on(quiet, None)
    opened(name, QUICK[name], tmp_path / "plain").go_on(quiet, None)
    assert fingerprint(looked)["files"] == fingerprint(tmp_path / "plain")["files"]
    assert summary(looked)["curves"]
    assert summary(tmp_path / "plain")["curves"] == []
    assert summary(tmp_path / "plain")["aaa"] is None


def test_a_curve_ends_where_its_day_ends(looked: Path) -> None:
    """Scored after steps 50, 100 and 150 of 150; nothing moves the weights after the last step, so its scores are the day's."""
    told = summary(looked)
    assert [(at["day"], at["step"]) for at in told["curves"]] == [(day, step) for day in (0, 1) for step in (50, 100, 150)]
    assert [told["curves"][place]["scores"] for place in (2, 5)] == told["before_sleep"]
    assert told["min_acc"] <= min(at["scores"][0] for at in told["curves"][3:])


def test_forward_transfer_is_measured_against_an_untrained_mind(looked: Path) -> None:
    told = summary(looked)
    ahead, untrained = told["ahead"], told["ahead_untrained"]
    for kind in ("gem", "masked", "probe", "speed"):
        assert ahead[kind][0] == untrained[kind][0], "before the first day nothing is learned"
        assert told[f"fwt_{kind}"] == pytest.approx(ahead[kind][1] - untrained[kind][1])
    assert ahead["probe"][1] > 0.7, "two digits of 64 features are nearly linearly separable"
    assert ahead["speed"] != untrained["speed"]


def test_stopped_within_a_day_and_resumed_it_has_the_same_curves(looked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = opened("vision/tiny", QUICK["vision/tiny"] + LOOKS["vision/tiny"], tmp_path / "run")
    evaluate, looks = broken.domain.evaluate, iter(range(100))

    def stumble(mind: Any, seen: int, scope: str) -> Any:
        if seen == 2 and next(looks) == 1:  # the second point of the second day's curve
            raise KeyboardInterrupt
        return evaluate(mind, seen, scope)

    monkeypatch.setattr(broken.domain, "evaluate", stumble)
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # a session that ends so ignores Ctrl-C, and the tests after it must not
    with pytest.raises(KeyboardInterrupt):
        broken.go_on(quiet, None)
    assert len(summary(tmp_path / "run")["curves"]) == 3, "what was not committed does not count"
    session.reopen(tmp_path / "run", None, "cpu", None, print, 0.0).go_on(quiet, None)
    assert summary(tmp_path / "run")["curves"] == summary(looked)["curves"]
    assert fingerprint(tmp_path / "run")["files"] == fingerprint(looked)["files"]


@pytest.mark.parametrize("learner", ["slda", "ridge"])
def test_a_learner_without_steps_has_no_curve(learner: str, tmp_path: Path) -> None:
    settings = [*AWAKE, f'learner={{type="{learner}"}}', "evaluate.within=10"]
    opened("vision/tiny", settings, tmp_path / "run").go_on(quiet, None)
    told = summary(tmp_path / "run")
    assert told["status"] == "done"
    assert told["curves"] == []
    assert told["aaa"] is told["min_acc"] is told["wc_acc"] is None


@pytest.mark.parametrize(
    ("name", "settings", "told"),
    [
        ("vision/tiny", [*AWAKE, 'learner={type="slda"}', "evaluate.probe=5"], "no features"),
        ("vision/tiny", [*AWAKE, 'stream.kind="mixed"', "evaluate.speed=5"], "of one class"),
        ("vision/digits-exact", ['wake.head={type="nearest-mean"}', "evaluate.within=5"], "taken when the day ends"),
        ("language/tiny", ["evaluate.probe=5"], "language has none"),
    ],
)
def test_what_cannot_be_measured_is_refused(name: str, settings: list[str], told: str) -> None:
    with pytest.raises(RecipeError, match=told):
        recipes.load(recipebook.find(name), settings)


def test_the_loop_is_looked_at_after_each_step() -> None:
    weight = torch.nn.Parameter(torch.zeros(1, device=CPU))
    seen: list[tuple[int, float]] = []
    # d/dw of -w is -1: plain descent adds its rate of 0.5 in each step
    descend(torch.optim.SGD([weight], lr=0.5), lambda _: -weight.sum(), 3, look=lambda step: seen.append((step, weight.item())))
    assert seen == [(1, 0.5), (2, 1.0), (3, 1.5)]


def corners(n: int) -> Batch:
    """Images of class 1 with their first pixel lit, and of class 2 with their last: linearly separable."""
    images_NCHW = torch.zeros((2 * n, 1, 2, 2), device=CPU)
    images_NCHW[:n, 0, 0, 0] = 1.0
    images_NCHW[n:, 0, 1, 1] = 1.0
    return Batch(images_NCHW, torch.tensor([1] * n + [2] * n, device=CPU))


def test_a_probe_reads_what_the_features_tell() -> None:
    net = Classifier(MlpLearner(hidden=[16]), SPACE, 0)
    train, test = corners(20), corners(10)
    assert probe(net, train, test, 5, 0) == 1.0
    swapped = Batch(test.images_NCHW, 3 - test.labels_N)
    assert probe(net, train, swapped, 5, 0) == 0.0, "the classes themselves are asked for, not any two groups"
    for parameter in net.body.parameters():
        parameter.data.zero_()
    assert probe(net, train, test, 5, 0) == 0.5, "features that tell nothing"
    one = train.take(train.labels_N == 1)
    assert probe(net, one, test, 5, 0) is None


def test_at_most_so_many_of_each_class_are_drawn_once() -> None:
    labels_N = torch.tensor([2, 1, 1, 2, 1, 1], device=CPU)
    places = drawn(labels_N, 3, seed=0).tolist()
    assert sorted(labels_N[places].tolist()) == [1, 1, 1, 2, 2]
    assert len(set(places)) == 5


def test_speed_is_the_mean_of_ten_looks_at_a_copy() -> None:
    net = Classifier(MlpLearner(hidden=[8]), SPACE, 0)
    net.grow([1, 2], 0)
    before = {name: part.clone() for name, part in net.state_dict().items()}
    scores = iter(range(100))
    terms = [Term(1.0, Shuffled(corners(4)), 4)]
    # scored after steps 2, 4, ..., 20: the scores 0 to 9
    assert speed(net, terms, 20, 0.05, 0, lambda _: next(scores) / 10) == pytest.approx(0.45)
    assert all(torch.equal(part, before[name]) for name, part in net.state_dict().items())
    test = corners(4)
    right = lambda twin: (twin.answer(test.images_NCHW) == test.labels_N).float().mean().item()  # noqa: E731
    assert speed(net, terms, 100, 0.05, 0, right) > 0.8, "two corners are learned within a few steps"


def test_of_a_class_that_is_never_drawn_nothing_is_said() -> None:
    chosen = ("policy.nights=0", 'morning.probes="none"', "stream.tasks=2", "wake.steps=5", "dreamer.steps=5", "dreamer.frozen=false")
    domain = build(recipes.load(recipebook.find("vision/tiny"), chosen, 100), "cpu", ())
    mind, task = domain.mind(), domain.tasks[0]
    mind.learner.open(task, 1)
    mind.dreamer.fit(task, domain.examples(task), None, mind.learner, 1)
    mind.learner.net.bias_R.data = torch.tensor([-1e6, 0.0], device="cpu")
    told = domain.fidelity(mind, 10)
    first, second = (domain.space.classes[name] for name in mind.learner.net.classes)
    assert told["each"][first] is None
    assert told["each"][second] == told["agreement"]


@pytest.mark.slow
def test_draws_of_activations_are_judged_by_what_the_layer_gives() -> None:
    """A generator that has learned a layer's activations is named as it was told far more often than by chance; one that has not, is not."""
    chosen = [
        "policy.nights=0",
        'morning.probes="none"',
        'judge={type="none"}',
        'challenger={type="none"}',
        "stream.tasks=2",
        "wake.steps=200",
    ]
    told = {}
    for steps in (1, 1500):
        dreamer = f'dreamer={{type="cvae", likelihood="squared", steps={steps}, lr=2e-3}}'
        layer = ['wake.layer="hidden1"', 'wake.replay={type="generated", target="hard"}', dreamer]
        domain = build(recipes.load(recipebook.find("vision/tiny"), [*chosen, *layer], 100), "cpu", ())
        mind, task = domain.mind(), domain.tasks[0]
        mind.learner.open(task, 1)
        mind.learner.learn(task, domain.examples(task), None, 1)
        mind.dreamer.fit(task, domain.examples(task), None, mind.learner, 1)
        told[steps] = domain.fidelity(mind, 50)["agreement"]
    assert told[1500] > 0.9, told
    assert told[1] < 0.75, told
