"""Stored images: which are kept, and what else is kept with them; the heads that use them; replay of a layer's activations."""

from pathlib import Path
from typing import Any

import pytest
import torch
from test_methods import AWAKE, CPU, TINY, images, lived, made, net_of

from sleepwake import recipe as recipes
from sleepwake.domains.vision import mean_heads, stored
from sleepwake.domains.vision.bodies import inner_space
from sleepwake.domains.vision.learners import faded, load_classifier, save_classifier
from sleepwake.domains.vision.networks import entered
from sleepwake.domains.vision.training import Shuffled, distance, loss_of
from sleepwake.domains.vision.wake_settings import MlpLearner, Wake
from sleepwake.errors import RecipeError


class Plain:
    """A network whose features are the pixels."""

    def features(self, images_NF: torch.Tensor) -> torch.Tensor:
        return images_NF


def test_herding_by_hand() -> None:
    """Mean (1, 0). First the nearest to it: 1; then what brings the running mean nearest to it: (2, 1) and (0, -1) with 1 tie at
    a distance of 1 / sqrt(2), (1, 3) and (1, -3) are further; so the first of the ties, then its mirror image.
    """
    pixels_NF = torch.tensor([[1.0, 3.0], [1.0, 0.0], [2.0, 1.0], [0.0, -1.0], [1.0, -3.0]], device=CPU)
    assert stored.herded(Plain(), pixels_NF, 3).tolist() == [1, 2, 3]  # type: ignore[arg-type]


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
    head.correct(net, labelled.take(new_N), Shuffled(labelled.take(~new_N)), 1)
    after = (net.answer(batch.images_NCHW) == labelled.labels_N).float().mean()
    assert after > before + 0.02
    scale, shift = mean_heads.fitted(
        torch.tensor([[0.0, 2.0], [0.0, 4.0]], device=CPU), torch.tensor([0, 1], device=CPU), torch.tensor([False, True], device=CPU)
    )
    assert (2 * scale + shift).item() < 0 < (4 * scale + shift).item(), "the boundary moves between the two"


@pytest.mark.parametrize("method", ["er-reservoir", "der-plus-plus", "icarl", "bic", "cumulative"])
def test_stored_images_keep_earlier_tasks(method: str) -> None:
    """Three tasks of two digits: without replay a mean of 1/3 is left, with stored images at least 0.75 (an untuned 120 steps a day)."""
    domain = build_method(method)
    _, scores = lived(domain)
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
