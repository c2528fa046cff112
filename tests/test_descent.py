"""What an optimizer knows of past gradients, from day to day; the body's first weights; the precision of matrix products."""

from pathlib import Path

import pytest
import torch
from days import day
from torch import nn

from sleepwake import recipe as recipes
from sleepwake.domains.tensors import set_up
from sleepwake.domains.vision.bodies import located
from sleepwake.domains.vision.descent import Step, adam, descend, falling, moments, recall
from sleepwake.domains.vision.domain import Vision, build
from sleepwake.domains.vision.images import Space
from sleepwake.domains.vision.learners import fresh
from sleepwake.domains.vision.wake_settings import MlpLearner
from sleepwake.errors import DataError, RecipeError

TINY = Path(__file__).parent.parent / "recipes" / "vision" / "tiny.toml"
AWAKE = ("policy.nights=0", 'morning.probes="none"', "stream.tasks=3", "wake.steps=5", "dreamer.steps=5")
KEPT = ('wake.moments="kept"', "dreamer.frozen=false", 'dreamer.moments="kept"', 'wake.replay={type="generated"}')
CPU = torch.device("cpu")
SPACE = Space((1, 2, 2), ("a", "b"), CPU, 0)


def made(*chosen: str) -> Vision:
    return build(recipes.load(TINY, [*AWAKE, *chosen], 100), "cpu", ())


def step(weight_RF: nn.Parameter, optimizer: torch.optim.Optimizer, gradient: float) -> None:
    weight_RF.grad = torch.full_like(weight_RF, gradient)
    optimizer.step()


def test_an_optimizer_that_recalls_goes_on_as_the_one_before() -> None:
    through = nn.Parameter(torch.zeros((2, 3), device=CPU))
    whole = adam([through], 0.1)
    step(through, whole, 1.0)
    cut = nn.Parameter(through.detach().clone())
    kept = moments(whole, [("weight", through)])
    assert sorted(kept) == ["weight:exp_avg", "weight:exp_avg_sq", "weight:step"]
    step(through, whole, -0.3)
    second = adam([cut], 0.1)
    recall(second, [("weight", cut)], kept)
    step(cut, second, -0.3)
    assert torch.equal(cut, through)
    unknowing = nn.Parameter(torch.zeros((2, 3), device=CPU))
    step(unknowing, adam([unknowing], 0.1), -0.3)
    assert unknowing[0, 0] > 0 > through[0, 0], "a fresh Adam goes where the newest gradient points, this one where the first did"


def test_rows_that_came_since_have_no_past() -> None:
    old = nn.Parameter(torch.zeros((2, 3), device=CPU))
    optimizer = adam([old], 0.1)
    step(old, optimizer, 1.0)
    grown = nn.Parameter(torch.zeros((4, 3), device=CPU))
    again = adam([grown], 0.1)
    recall(again, [("weight", grown), ("frozen", old)], moments(optimizer, [("weight", old)]))
    known = moments(again, [("weight", grown)])
    assert torch.equal(known["weight:exp_avg"][:2], moments(optimizer, [("weight", old)])["weight:exp_avg"])
    assert not known["weight:exp_avg"][2:].any()
    assert known["weight:step"] == 1


def test_moments_last_through_a_checkpoint_and_count_as_memory(tmp_path: Path) -> None:
    domain = made(*KEPT)
    mind = domain.mind()
    for index in range(2):
        day(domain, mind, index)
    (tmp_path / "learner").mkdir()
    (tmp_path / "dreamer").mkdir()
    mind.learner.save(tmp_path / "learner")
    mind.dreamer.save(tmp_path / "dreamer")
    again = domain.mind()
    again.learner.load(tmp_path / "learner")
    again.dreamer.load(tmp_path / "dreamer")
    for mine, theirs in ((mind.learner.moments, again.learner.moments), (mind.dreamer.moments, again.dreamer.moments)):
        assert mine.keys() == theirs.keys() != set()
        assert all(torch.equal(mine[key], theirs[key]) for key in mine)
    bare = made(*KEPT[1:2], KEPT[3])
    without = bare.mind()
    for index in range(2):
        day(bare, without, index)
    assert mind.learner.metrics()["bytes"] > 2.9 * without.learner.metrics()["bytes"], "two numbers a weight beside it"
    assert not without.learner.moments


@pytest.mark.parametrize(
    ("chosen", "key"),
    [
        (("wake.restart=true", 'wake.moments="kept"'), "wake.moments"),
        (("dreamer.frozen=true", 'dreamer.moments="kept"'), "dreamer.moments"),
        (("dreamer.frozen=false", "dreamer.restart=true", 'dreamer.moments="kept"'), "dreamer.moments"),
    ],
)
def test_moments_of_fresh_weights_are_refused(chosen: tuple[str, ...], key: str) -> None:
    with pytest.raises(RecipeError, match=key):
        made(*chosen)


def test_a_body_starts_from_another_run(tmp_path: Path) -> None:
    domain = made("stream.tasks=2")
    mind = domain.mind()
    day(domain, mind)
    (tmp_path / "learner").mkdir()
    mind.learner.save(tmp_path / "learner")
    begun = build(recipes.load(TINY, [*AWAKE, 'learner.weights={folder="learner"}'], 101), "cpu", (tmp_path,)).mind().learner.net
    theirs, mine = mind.learner.net.body.state_dict(), begun.body.state_dict()
    assert all(torch.equal(theirs[key], mine[key]) for key in theirs)
    assert not begun.classes, "the body alone, no rows"
    assert not torch.equal(made().mind().learner.net.body.state_dict()["hidden1.0.weight"], mine["hidden1.0.weight"])


def test_a_body_of_another_shape_is_told(tmp_path: Path) -> None:
    settings = MlpLearner.model_validate({"type": "mlp", "hidden": [4], "weights": {"folder": str(tmp_path)}})
    with pytest.raises(DataError, match=r"holds no network\.safetensors"):
        fresh(settings, SPACE, "", 1)
    mind = made().mind()
    mind.learner.save(tmp_path)
    with pytest.raises(DataError, match="another shape"):
        fresh(located(settings, ()), SPACE, "", 1)


def test_the_precision_of_products_is_the_recipe_s() -> None:
    asked = torch.get_float32_matmul_precision()
    try:
        made('matmul_precision="medium"')
        assert torch.get_float32_matmul_precision() == "medium"
        made()
        assert torch.get_float32_matmul_precision() == "highest", "of one recipe, not of the process"
    finally:
        set_up("cpu", torch.get_num_threads(), asked)


def test_rates_fall_linearly_within_a_day() -> None:
    """Four steps down to a half: each is taken at what the rate has fallen to by then, 1, 7/8, 6/8, 5/8 of it."""
    weight_RF = nn.Parameter(torch.zeros((1, 1), device=CPU))
    optimizer = torch.optim.SGD([weight_RF], lr=1.0)
    seen: list[float] = []

    def take(each: Step) -> None:
        each()
        seen.append(-weight_RF.item())

    descend(optimizer, lambda step: weight_RF.sum(), 4, falling(optimizer, 0.5, 4, take))
    assert seen == pytest.approx([1.0, 1.875, 2.625, 3.25])
    assert falling(optimizer, 1.0, 4, take) is take, "a rate that stays needs no schedule"


def test_a_day_whose_rates_fall_ends_with_small_steps() -> None:
    """The last of five steps is taken at a fifth of the rate or so; Adam moves by about the rate."""

    def last_move(*chosen: str) -> float:
        vision = made(*chosen)
        mind, task, seen = vision.mind(), vision.tasks[0], []
        mind.learner.open(task, 1)
        mind.learner.learn(task, vision.examples(task), None, 1, lambda step: seen.append(mind.learner.net.weight_RF.detach().clone()))
        return float((seen[-1] - seen[-2]).abs().mean())

    assert last_move("wake.end_factor=0.01") < 0.5 * last_move()
