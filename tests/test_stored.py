"""Stored images: which are kept, and what else is kept with them; the heads that use them; replay of a layer's activations."""

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from test_methods import AWAKE, CPU, SPACE, TINY, images, lived, made, net_of
from torch.nn import functional

from sleepwake import recipe as recipes
from sleepwake.domains.vision import mean_heads, stored
from sleepwake.domains.vision.bodies import inner_space
from sleepwake.domains.vision.images import Batch, Space
from sleepwake.domains.vision.learners import faded, load_classifier, save_classifier, terms
from sleepwake.domains.vision.networks import entered
from sleepwake.domains.vision.training import Answered, Shuffled, distance, loss_of
from sleepwake.domains.vision.wake_settings import ExactReplay, MlpLearner, NearestMeanHead, Wake
from sleepwake.errors import RecipeError
from sleepwake.records import Task
from sleepwake.seeds import seed as seed_at

NOBODY: Any = SimpleNamespace(learner=SimpleNamespace(net=None))
"""A mind that a memory need not ask."""


class Plain:
    """A network whose features are the pixels, as vectors of length 1."""

    def __init__(self, classes: int = 0) -> None:
        self.classes, self.means_RF = list(range(classes)), None
        self.weight_RF = torch.zeros((classes, 2), device=CPU)

    def features(self, images_NF: torch.Tensor) -> torch.Tensor:
        return functional.normalize(images_NF)


def towards(*degrees: float) -> torch.Tensor:
    """Vectors in the plane at these angles."""
    radians = torch.tensor(degrees, device=CPU).deg2rad()
    return torch.stack([radians.cos(), radians.sin()], dim=1)


def test_herding_by_hand() -> None:
    """At -40, 0, 10 and 60 degrees, lengths don't count: the mean lies at 7.0 degrees. 10 is nearest to it; with 0 it makes 5.0, nearest
    again. Then -40 makes -9.7 and 60 makes 22.7: 16.7 and 15.7 away, so 60 comes before -40, although it is itself further away.
    """
    pixels_NF = towards(-40, 0, 10, 60) * torch.tensor([[3.0], [0.1], [1.0], [7.0]], device=CPU)
    assert stored.herded(Plain(), pixels_NF, 4).tolist() == [2, 1, 3, 0]  # type: ignore[arg-type]
    assert stored.herded(Plain(), pixels_NF, 2).tolist() == [2, 1], "fewer are the first of more"


def test_herding_minds_an_image_without_features() -> None:
    dead_NF = torch.cat([torch.zeros((1, 2), device=CPU), towards(0, 90)])
    assert sorted(stored.herded(Plain(), dead_NF, 3).tolist()) == [0, 1, 2]  # type: ignore[arg-type]


def test_a_smaller_share_keeps_the_first_exemplars() -> None:
    """After a day the budget is parted among more classes: what stays of an earlier class are its first exemplars, in their order."""
    domain = made('wake.replay={type="exact", target="hard", keep="herding", budget=60}', "wake.steps=5")
    mind, before = domain.mind(), dict[int, torch.Tensor]()
    for task in domain.tasks[:2]:
        examples = domain.examples(task)
        mind.learner.open(task, task.index)
        mind.learner.learn(task, examples, None, task.index)
        mind.memory.store(mind, task, examples, task.index)
        before = before or dict(mind.memory.images)
    assert {len(images) for images in before.values()} == {30}
    for name, first in before.items():
        assert torch.equal(mind.memory.images[name], first[:15])


def kept(mode: str, budget: int, **more: Any) -> Any:
    text = "".join(f", {key}={value}" for key, value in more.items())
    domain = made(f'wake.replay={{type="exact", target="hard", keep="{mode}", budget={budget}{text}}}', "wake.steps=5")
    return lived(domain)[0].memory


def test_a_reservoir_is_a_uniform_sample_of_all_that_came() -> None:
    """Tasks of unequal sizes keep unequal shares, and a class's share is near its part of the stream (six sigmas of a binomial)."""
    domain = made('wake.replay={type="exact", target="hard", keep="reservoir", budget=120}', "wake.steps=1", "stream.first_classes=6")
    memory = lived(domain)[0].memory
    there = {name: len(domain.examples(task).labels_N) for task in domain.tasks for name in [task.index]}
    held = {task.index: sum(len(memory.images[name]) for name in domain.space.ids(task.parts)) for task in domain.tasks}
    assert sum(held.values()) == 120
    whole = sum(there.values())
    for task, count in held.items():
        part = there[task] / whole
        assert abs(count - 120 * part) < 6 * (120 * part * (1 - part)) ** 0.5


def test_every_item_has_the_same_chance_of_the_reservoir() -> None:
    """Inclusion over 400 seeds of 12 of 60 items that came on three days, 30, 20 and 10 of them: a chi-square of 59 degrees of freedom.

    An item is in with chance 12 / 60, and items of one draw are drawn without replacement, so sum (count - mean)^2 / variance times
    59 / 60 is near chi-square: below 98.3 in 999 of 1000 cases. Seeds are fixed.
    """
    days, budget, seeds = ((0, 30), (1, 20), (2, 10)), 12, 400
    space = Space((1, 1, 1), ("a", "b", "c"), CPU, 0, tasks=((0,), (1,), (2,)))
    settings = ExactReplay(type="exact", target="hard", keep="reservoir", budget=budget)
    counts = torch.zeros(60, device=CPU)
    for seed in range(seeds):
        memory, first = stored.ExactMemory(settings, space), 0
        for name, size in days:
            pixels = torch.arange(first, first + size, device=CPU) / 255  # each item is known by its grey
            examples = Batch(pixels[:, None, None, None], torch.full((size,), name, device=CPU))
            memory.store(NOBODY, Task(name, space.classes[name], (space.classes[name],)), examples, seed_at(seed, name))
            first += size
        greys = torch.cat([part.flatten() for part in memory.images.values()]).long()
        assert len(greys) == budget
        counts[greys] += 1
    share = budget / 60
    square = ((counts - seeds * share) ** 2 / (seeds * share * (1 - share))).sum().item() * 59 / 60
    assert square < 98.3
    by_day, expected = (
        torch.stack([part.sum() for part in counts.split([30, 20, 10])]),
        torch.tensor([30, 20, 10], device=CPU) * seeds * share,
    )
    square = ((by_day - expected) ** 2 / expected).sum().item() * 59 / 48  # hypergeometric: variance is (60 - 12) / 59 of multinomial
    assert square < 13.8, "no day is favoured: 2 degrees of freedom, 999 of 1000 cases"


def test_bytes_count_what_lies_beside_an_image() -> None:
    """Four grey pixels, four logits of 4 bytes and a chance of 8: 28 bytes; 100 bytes hold three such items, or 25 images alone."""
    text = {"type": "exact", "budget": 100, "unit": "bytes"}
    assert stored.ExactMemory(ExactReplay(**text), SPACE).budget == 25
    assert stored.ExactMemory(ExactReplay(**text, target="logits", keep="reservoir"), SPACE).budget == 3


@pytest.mark.parametrize("mode", ["balanced", "reservoir", "herding"])
def test_what_is_stored_is_saved_exactly(mode: str, tmp_path: Path) -> None:
    memory = kept(mode, 60, **({} if mode == "herding" else {"dark": 0.5}))
    assert sum(len(part) for part in memory.images.values()) == 60
    memory.save(tmp_path)
    twin = type(memory)(memory.settings, memory.space)
    twin.load(tmp_path)
    first, second = memory.all(), twin.all()
    assert sorted(first.labels_N.tolist()) == sorted(second.labels_N.tolist())
    assert all(torch.equal(memory.images[name], twin.images[name]) for name in memory.images)
    assert all(torch.equal(memory.chances[name], twin.chances[name]) for name in memory.chances)


def test_stored_logits_by_hand() -> None:
    """Distances 1 and 3 from the two that were known: the mean square is 5, and the unknown one doesn't count."""
    stored_NR = torch.tensor([[0.0, 1.0, torch.nan]], device=CPU)
    assert distance(torch.tensor([[1.0, 4.0, 9.0]], device=CPU), stored_NR).item() == 5.0


def test_dark_experience_by_hand() -> None:
    """Logits (0, ln 3) with label 1: CE = -ln(3/4). Stored (2, ln 3): mean square 2. With dark = 0.5 and r = 0.5 the replayed part of the loss
    is 0.5 (CE + 0.5 x 2); the day's part, with label 0, 0.5 x -ln(1/4).
    """
    net = net_of(2)
    with torch.no_grad():
        net.weight_RF.zero_()
        net.bias_R.copy_(torch.tensor([0.0, math.log(3)], device=CPU))
    told = torch.tensor([[2.0, math.log(3), torch.nan, torch.nan]], device=CPU)
    pixels = torch.ones((1, 1, 2, 2), device=CPU)
    old = Batch(pixels, torch.tensor([1], device=CPU), logits_NK=told, dark=0.5)
    assert loss_of(net, old).item() == pytest.approx(-math.log(0.75) + 0.5 * 2)
    wake = Wake(ratio=0.5, replay=ExactReplay(type="exact", target="logits", dark=0.5))
    day, replayed = terms(wake, SPACE, Task(1, "cd", ("c", "d")), Batch(pixels, torch.tensor([0], device=CPU)), Shuffled(old))
    parts = [term.weight * loss_of(net, term.source.draw(1, 0)).item() for term in (day, replayed)]
    assert parts == pytest.approx([0.5 * math.log(4), 0.5 * (math.log(4 / 3) + 1)])


def test_logits_are_those_of_the_day_that_stored_them() -> None:
    domain = made('wake.replay={type="exact", target="logits", keep="reservoir", budget=60, dark=2.0}', "wake.steps=20")
    mind, _ = lived(domain)
    batch = mind.memory.all()
    assert batch.logits_NK is not None
    assert len(batch.logits_NK) == 60
    first = torch.isin(batch.labels_N, torch.tensor(domain.space.ids(domain.tasks[0].parts), device=CPU))
    later = domain.space.ids(domain.tasks[1].parts)
    assert batch.logits_NK[first][:, later].isnan().all(), "classes that came later had no row yet"
    plain = loss_of(mind.learner.net, batch.take(torch.arange(60, device=CPU)))
    squares = distance(mind.learner.net(batch.images_NCHW), batch.logits_NK[:, mind.learner.net.classes])
    without = loss_of(mind.learner.net, type(batch)(batch.images_NCHW, batch.labels_N))
    assert torch.allclose(plain, without + 2.0 * squares)


def test_means_by_hand() -> None:
    """Class 0 is stored at 80 and 100 degrees: its mean points to 90. The day taught class 1 at 0 and, at twice the length, 60: 30. The stored
    image of class 1 doesn't count beside the day's, and class 2 has none.
    """
    net = Plain(classes=3)
    held = Batch(towards(80, 100, 200), torch.tensor([0, 0, 1], device=CPU))
    day = Batch(torch.cat([towards(0), 2 * towards(60)]), torch.tensor([1, 1], device=CPU))
    head = mean_heads.NearestMean(NearestMeanHead(type="nearest-mean"))
    solver = net_of(3)
    head.end(net, day, Answered(Shuffled(held), [solver], 2.0), 0, False, 1)  # type: ignore[arg-type]
    assert net.means_RF is not None
    assert torch.allclose(net.means_RF[:2], towards(90, 30), atol=1e-6)
    assert net.means_RF[2].isnan().all()


def test_answers_go_by_means_that_outlive_a_commit(tmp_path: Path) -> None:
    domain = build_method("icarl")
    mind, _ = lived(domain)
    net = mind.learner.net
    assert net.means_RF is not None
    mind.learner.save(tmp_path)
    twin = domain.mind().learner
    twin.load(tmp_path)
    assert torch.equal(twin.net.means_RF, net.means_RF)
    pixels = domain.examples(domain.tasks[0]).images_NCHW
    nearest_N = (net.features(pixels) @ net.means_RF.T).argmax(dim=1)
    assert torch.equal(twin.net.answer(pixels), torch.tensor(net.classes, device=CPU)[nearest_N]), "of length 1: nearest is most alike"
    assert torch.equal(net.response(pixels), twin.net.response(pixels))
    assert not torch.equal(net.response(pixels).argmax(dim=1), net.answer(pixels)), "the response is that of the rows"


def test_nearest_mean_by_hand(tmp_path: Path) -> None:
    net = net_of(3)
    batch = images(3)
    net.means_RF = net.features(batch.images_NCHW)[[2, 0, 1]]
    assert net.answer(batch.images_NCHW).tolist() == [1, 2, 0]
    assert net.answer(batch.images_NCHW, only=[1])[0].item() == 1
    save_classifier(net, tmp_path)
    twin = load_classifier(net.settings, net.space, tmp_path)
    assert torch.equal(twin.means_RF, net.means_RF)  # type: ignore[arg-type]
    twin.grow([0, 1, 2, 3], 1)
    assert twin.answer(batch.images_NCHW).tolist() == [1, 2, 0], "a class without a mean is never the answer"
    assert net.only([1, 2]).means_RF.shape[0] == 2  # type: ignore[union-attr]


def test_bias_correction_takes_a_bias_away() -> None:
    """Logits that tell classes apart, but for 3 added to the new ones: the fit takes about 3 off, and folding gives the same answers."""
    net = net_of()
    batch = images(400)
    with torch.no_grad():
        net.weight_RF *= 10
        net.bias_R -= net(batch.images_NCHW).mean(dim=0)
        labelled = type(batch)(batch.images_NCHW, net(batch.images_NCHW).argmax(dim=1))
        net.bias_R[2:] += 3
    head = mean_heads.BiasCorrected(recipes.load(TINY, [*AWAKE, 'wake.replay={type="exact"}', 'wake.head={type="bic"}']).wake.head)
    new_N = labelled.labels_N >= 2
    assert new_N.any()
    assert not new_N.all()
    before = (net.answer(batch.images_NCHW) == labelled.labels_N).float().mean()
    with torch.no_grad():
        biased_NR = net(batch.images_NCHW)
    head.correct(net, labelled.take(new_N), Shuffled(labelled.take(~new_N)), 1)
    after = (net.answer(batch.images_NCHW) == labelled.labels_N).float().mean()
    assert after > before + 0.02
    with torch.no_grad():
        mended_NR = net(batch.images_NCHW)
    assert torch.equal(mended_NR[:, :2], biased_NR[:, :2]), "rows of earlier classes stay"
    scale = (mended_NR[0, 2] - mended_NR[1, 2]) / (biased_NR[0, 2] - biased_NR[1, 2])
    shift = mended_NR[0, 2] - scale * biased_NR[0, 2]
    assert torch.allclose(mended_NR[:, 2:], scale * biased_NR[:, 2:] + shift, atol=1e-4), "folding gives the scaled logits, for both rows"
    scale, shift = mean_heads.fitted(
        torch.tensor([[0.0, 2.0], [0.0, 4.0]], device=CPU), torch.tensor([0, 1], device=CPU), torch.tensor([False, True], device=CPU)
    )
    assert (2 * scale + shift).item() < 0 < (4 * scale + shift).item(), "the boundary moves between the two"


@pytest.mark.parametrize("method", ["er-reservoir", "der-plus-plus", "icarl", "bic", "cumulative"])
def test_stored_images_keep_earlier_tasks(method: str) -> None:
    """Three tasks of two digits: without replay only the last is left, a mean of 1/3; with stored images at least 0.75 (120 steps a day)."""
    _, without = lived(made('dreamer={type="none"}'))
    assert sum(without) / 3 < 0.4
    _, scores = lived(build_method(method))
    assert sum(scores) / 3 > 0.75


def build_method(method: str) -> Any:
    from sleepwake.domains.vision.domain import build

    asked = [line for line in AWAKE if "replay" not in line]
    return build(recipes.load(TINY, [*asked, *overrides(method)], 100), "cpu", ())


def overrides(method: str) -> list[str]:
    """A method's own [wake], as overrides."""
    from sleepwake import methods

    def plain(value: Any) -> str:
        if isinstance(value, dict):
            return "{" + ", ".join(f"{key}={plain(part)}" for key, part in value.items()) + "}"
        return f'"{value}"' if isinstance(value, str) else str(value).lower()

    return [f"wake.{key}={plain(value)}" for key, value in methods.known("vision")[method]["wake"].items()]


# ---------------------------------------------------------------------------------------------------------------- latent replay


def test_a_batch_may_enter_after_a_layer() -> None:
    net, batch = net_of(), images(6)
    inner = entered(batch, net, "hidden1")
    assert inner.images_NCHW.shape == (6, 8)
    assert torch.equal(net(inner.images_NCHW, "hidden1"), net(batch.images_NCHW))
    assert torch.equal(loss_of(net, inner), loss_of(net, batch))
    space = inner_space(MlpLearner(hidden=[8]), net.space, "hidden1")
    assert (space.shape, space.pixels, space.layer) == ((8,), 8, "hidden1")


LATENT = [
    'dreamer={type="none"}', 'judge={type="none"}', "policy.nights=0", 'morning.probes="none"', "stream.tasks=3", "wake.steps=150",
    "learner.hidden=[64, 64]", 'wake.layer="hidden1"', "wake.body_lr=1e-4",
]  # fmt: skip
NIGHTS = ["policy.nights=1", 'morning.probes="kept"', 'judge={type="peers"}', 'dreamer={type="vae"}']
CVAE = 'dreamer={type="cvae", frozen=false, likelihood="squared", beta=0.1, guide=0.01, latent=16, steps=300, hidden=[64]}'


@pytest.mark.parametrize(
    ("chosen", "least"),
    [
        (['wake.replay={type="exact", target="hard"}'], 0.55),
        ([CVAE, 'wake.replay={type="generated", target="hard"}'], 0.55),
    ],
)
def test_latent_replay_keeps_earlier_tasks(chosen: list[str], least: float) -> None:
    """Without replay a mean of 1/3 is left of three tasks (measured 0.33); replayed activations must keep clearly more."""
    from sleepwake.domains.vision.domain import build

    domain = build(recipes.load(TINY, [*LATENT, *chosen], 100), "cpu", ())
    mind, scores = lived(domain)
    assert sum(scores) / 3 > least
    task = domain.tasks[2]
    source = mind.memory.source(mind, task, domain.examples(task), 1)
    drawn = source.draw(10, 1)
    assert drawn.layer == "hidden1"
    assert drawn.images_NCHW.shape == (10, 64)
    assert (drawn.images_NCHW >= 0).all()


def test_random_activations_stay_within_the_ninetieth_percentile() -> None:
    from sleepwake.domains.vision.domain import build

    noise = 'wake.replay={type="noise", distribution="uniform", labels="random", target="hard", mode="negative"}'
    domain = build(recipes.load(TINY, [*LATENT, noise], 100), "cpu", ())
    mind, _ = lived(domain)
    examples = domain.examples(domain.tasks[2])
    drawn = mind.memory.source(mind, domain.tasks[2], examples, 1).draw(50, 1)
    activations = entered(examples, mind.learner.net, "hidden1").images_NCHW
    share = (activations <= drawn.images_NCHW.max()).float().mean()
    assert 0.85 < share < 0.95


@pytest.mark.parametrize(
    ("chosen", "word"),
    [
        (['wake.layer="hidden9"', 'wake.replay={type="exact"}'], "hidden9"),
        (['wake.replay={type="none"}'], "no activations"),
        (['wake.replay={type="exact"}', "policy.nights=1", 'morning.probes="kept"', 'judge={type="peers"}'], "no images"),
        (['wake.replay={type="exact"}', "wake.restart=true"], "fresh learner"),
        ([CVAE.replace("squared", "bernoulli"), 'wake.replay={type="generated"}'], "probabilities"),
        (['wake.layer=""', 'wake.replay={type="exact"}', 'dreamer={type="vae", guide=1.0}'], "conditional"),
        (['dreamer={type="wgan"}', 'wake.replay={type="generated"}'], "draws pixels"),
        (['wake.layer=""', 'wake.replay={type="none"}', 'wake.head={type="nearest-mean"}'], "means of stored"),
        (
            [*NIGHTS, 'wake.layer=""', 'wake.replay={type="exact"}', 'wake.head={type="nearest-mean"}'],
            "means of stored",
        ),
        (['wake.layer=""', 'wake.replay={type="exact", keep="herding"}', 'stream.scenario="domain"'], "classes come again"),
        (['wake.layer=""', 'wake.replay={type="none"}', 'wake.head={type="bic"}'], "replayed ones"),
    ],
)
def test_combinations_without_meaning_are_refused(chosen: list[str], word: str) -> None:
    with pytest.raises(RecipeError, match=word):
        recipes.load(TINY, [*LATENT, *chosen])


def test_rates_fade_with_the_days() -> None:
    wake = Wake(schedule="fading")
    assert faded(Wake(), 9) == 1.0
    assert faded(wake, 1) == pytest.approx(1 - 1 / (1 + 2.718281828459045**6.5))
    assert faded(wake, 20) == 0.1


def test_the_first_day_may_have_steps_and_a_rate_of_its_own() -> None:
    plain, wake = Wake(steps=7, lr=0.1, body_lr=0.01), Wake(steps=7, lr=0.1, body_lr=0.01, first={"steps": 9, "lr": 0.5})
    assert [plain.steps_of(day) for day in (0, 1)] == [7, 7]
    assert [plain.rates_of(day) for day in (0, 1)] == [(0.1, 0.1), (0.01, 0.1)]
    assert [wake.steps_of(day) for day in (0, 1)] == [9, 7]
    assert [wake.rates_of(day) for day in (0, 1)] == [(0.5, 0.5), (0.01, 0.1)]
    domain = made("wake.steps=3", "wake.first.steps=5")
    mind, taken = domain.mind(), []
    for task in domain.tasks[:2]:
        mind.learner.open(task, 1)
        taken.append(mind.learner.learn(task, domain.examples(task), None, 1)["steps"])
    assert taken == [5, 3]


def test_images_of_a_class_that_comes_again_join_those_that_are_there() -> None:
    """Two days that share their labels: joint training needs the images of both (they once replaced each other)."""
    domain = made(
        'wake.replay={type="exact", target="hard"}', 'stream.scenario="domain"', "stream.tasks=2", "wake.steps=1", 'dreamer={type="none"}'
    )
    stored_images = lived(domain)[0].memory.images
    assert sum(len(part) for part in stored_images.values()) == sum(len(domain.examples(task)) for task in domain.tasks)
