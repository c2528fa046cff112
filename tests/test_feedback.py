"""The generator within the classifier: replay through feedback, and what makes it brain-inspired replay."""

from math import log
from pathlib import Path
from typing import Any

import pytest
import torch
from test_methods import AWAKE, CPU, TINY, images, lived, made

from sleepwake import recipe as recipes
from sleepwake.domains.vision.feedback import FeedbackClassifier, divergences, open_units
from sleepwake.domains.vision.images import Space
from sleepwake.domains.vision.learners import load_classifier, save_classifier
from sleepwake.domains.vision.training import Shuffled, Term, loss_of, part_of, train
from sleepwake.domains.vision.wake_settings import DecoderFeedback, MlpLearner
from sleepwake.errors import RecipeError

SPACE = Space((1, 2, 2), ("a", "b", "c", "d"), CPU, 0, tasks=((0, 1), (2, 3)))
DIGITS = [
    'dreamer={type="feedback"}', 'wake.replay={type="generated", target="soft"}', "wake.steps=600", "learner.hidden=[64, 64]",
]  # fmt: skip
RTF = 'learner.feedback={type="decoder", latent=16, hidden=[64, 64]}'
BIR = 'learner.feedback={type="decoder", latent=16, hidden=[64, 64], prior="class", gate=0.5}'
INTERNAL = [
    'learner.feedback={type="decoder", latent=16, hidden=[64], prior="class", likelihood="squared"}',
    'wake.layer="hidden1"',
    "wake.body_lr=1e-5",
]


def net_of(layer: str = "", **chosen: Any) -> FeedbackClassifier:
    feedback = DecoderFeedback(type="decoder", latent=3, hidden=[6, 8], **chosen)
    net = FeedbackClassifier(MlpLearner(hidden=[5], feedback=feedback), SPACE, layer, 1)
    net.grow(range(4), 2)
    return net


def numbers(*rows: list[float]) -> torch.Tensor:
    return torch.tensor(rows, device=CPU)


# ----------------------------------------------------------------------------------------------------------------------- the loss


def test_divergences_by_hand() -> None:
    """KL(N(1, 1) || N(0, 4)) = log 2 + (1 + 1) / 8 - 1 / 2; from N(0, 1) it is 1 / 2; two dimensions add up."""
    apart_NK = divergences(numbers([1.0, 1.0]), numbers([0.0, 0.0]), numbers([0.0, 0.0], [0.0, 0.0]), numbers([log(4), 0.0], [0.0, 0.0]))
    assert torch.allclose(apart_NK, numbers([log(2) - 0.25 + 0.5, 1.0]))


def test_divergences_are_those_of_torch() -> None:
    parts = [torch.randn((4, 3), generator=torch.Generator("cpu").manual_seed(place), device="cpu") for place in range(4)]
    ours_NK = divergences(*parts)
    q, p = (torch.distributions.Normal(parts[at], (0.5 * parts[at + 1]).exp()) for at in (0, 2))
    assert torch.allclose(ours_NK.diagonal(), torch.distributions.kl_divergence(q, p).sum(dim=1), atol=1e-5)


def test_the_prior_of_one_class_is_its_own_and_of_several_their_mixture() -> None:
    net = net_of(prior="class")
    means_NZ, logs_NZ = torch.zeros((1, 3), device=CPU), torch.zeros((1, 3), device=CPU)
    assert net.prior_means_KZ is not None
    assert net.prior_logs_KZ is not None
    apart_1K = divergences(means_NZ, logs_NZ, net.prior_means_KZ, net.prior_logs_KZ)
    one = net.divergence(means_NZ, logs_NZ, numbers([0.0, 1.0, 0.0, 0.0]))
    assert torch.allclose(one, apart_1K[:, 1])
    half = net.divergence(means_NZ, logs_NZ, numbers([0.5, 0.5, 0.0, 0.0]))
    assert torch.allclose(half, -(0.5 * (-apart_1K[:, 0]).exp() + 0.5 * (-apart_1K[:, 1]).exp()).log())
    half.sum().backward()  # type: ignore[no-untyped-call]
    gradient_KZ = net.prior_means_KZ.grad
    assert gradient_KZ is not None
    assert gradient_KZ.isfinite().all(), "classes that are ruled out have no gradient, rather than none that is a number"
    assert not gradient_KZ[2:].any()


def test_the_bound_of_a_decoder_that_decodes_nothing_by_hand() -> None:
    """Logits of 0 cost log 2 a pixel, and a code of N(0, I) nothing: their sum, a pixel, is log 2."""
    net = net_of()
    with torch.no_grad():
        for part in [*net.code.parameters(), *net.decoder.parameters()]:
            part.zero_()
    batch = images(8)
    bound = net.generative(batch, net.body(batch.images_NCHW), 0)
    assert torch.allclose(bound, torch.tensor(log(2), device=CPU))
    term = Term(1.0, Shuffled(batch), 8, also=net.generative)
    plain = Term(1.0, Shuffled(batch), 8)
    features_NF = net.body(batch.images_NCHW)
    assert torch.allclose(part_of(net, term, batch, features_NF, 3), part_of(net, plain, batch, features_NF, 3) + log(2))
    assert torch.equal(part_of(net, plain, batch, features_NF, 3), loss_of(net, batch))


def test_a_response_says_of_which_classes_an_item_is_but_not_where_tasks_are_told() -> None:
    net, batch = net_of(prior="class"), images(4)
    assert net.likely(batch).tolist() == torch.eye(4, device=CPU).tolist()
    response_NK = torch.full((4, 4), 0.25, device=CPU)
    assert torch.equal(net.likely(batch.aimed(response_NK, 2.0)), response_NK)
    net.space = Space((1, 2, 2), SPACE.classes, CPU, 0, tasks=SPACE.tasks, told=True)
    assert net.likely(batch.aimed(2 * response_NK, 2.0)).tolist() == torch.eye(4, device=CPU).tolist()


# ----------------------------------------------------------------------------------------------------------------------- gates


def test_each_class_has_units_of_its_own() -> None:
    gates_KU = open_units(5, [10, 20], 0.8, 3)
    assert gates_KU[:, :10].sum(dim=1).tolist() == [2] * 5
    assert gates_KU[:, 10:].sum(dim=1).tolist() == [4] * 5
    assert len({tuple(row) for row in gates_KU.tolist()}) == 5, "two of 190 x 4845 subsets are hardly ever equal"
    assert torch.equal(gates_KU, open_units(5, [10, 20], 0.8, 3))
    assert open_units(2, [3], 0.99, 0).sum(dim=1).tolist() == [1, 1], "one unit at least stays open"


def test_a_shut_unit_tells_nothing() -> None:
    """A class's draws move only the weights that lead out of its open units."""
    net = net_of(gate=0.5)
    assert net.gates_KU is not None
    assert net.gates_KU.shape == (4, 14)
    net.decode(torch.ones((2, 3), device=CPU), torch.eye(4, device=CPU)[[1, 1]]).sum().backward()
    last = net.decoder.layers[-1].weight_GIO.grad[0]  # type: ignore[union-attr, index]
    assert not last[~net.gates_KU[1, 8:]].any()
    assert last.any()


@pytest.mark.parametrize("chosen", [{}, {"prior": "class"}, {"gate": 0.5}, {"prior": "class", "gate": 0.5}])
def test_what_is_saved_and_copied_draws_the_same(chosen: dict[str, Any], tmp_path: Path) -> None:
    net = net_of(**chosen)
    train(net, [Term(1.0, Shuffled(images(8)), 8, also=net.generative)], steps=3, lr=0.01, seed=0)
    save_classifier(net, tmp_path)
    twin = load_classifier(net.settings, SPACE, tmp_path)
    assert isinstance(twin, FeedbackClassifier)
    drawn, first = net.draw(9, [0, 2], 5), net.only([0, 2])
    for other in (twin, net.copy(), first):
        again = other.draw(9, [0, 2], 5)
        assert torch.equal(again.images_NCHW, drawn.images_NCHW)
        assert set(again.labels_N.tolist()) <= {0, 2}
    assert first.classes == [0, 2]
    with torch.no_grad():
        next(net.decoder.parameters()).zero_()
    assert torch.equal(first.draw(9, [0, 2], 5).images_NCHW, drawn.images_NCHW), "a copy shares nothing"


# ----------------------------------------------------------------------------------------------------------------------- replay


@pytest.mark.parametrize(("feedback", "least"), [pytest.param(RTF, 0.7, marks=pytest.mark.slow), (BIR, 0.7)])
def test_draws_look_like_their_class(feedback: str, least: float) -> None:
    """After one day of two digits a classifier of all real images names most draws as they are labelled; by chance it would name 1 in 10."""
    domain = made(*DIGITS, feedback, "stream.tasks=1")
    mind, _ = lived(domain)
    batch = mind.dreamer.source(mind.dreamer.classes, mind.learner.net).draw(200, 1)
    agreed = (domain.oracle().answer(batch.images_NCHW) == batch.labels_N).float().mean()
    assert set(batch.labels_N.tolist()) == {0, 1}
    assert agreed > least


@pytest.mark.parametrize(
    ("chosen", "least"),
    [([RTF], 0.6), pytest.param([BIR], 0.6, marks=pytest.mark.slow), pytest.param(INTERNAL, 0.5, marks=pytest.mark.slow)],
)
def test_feedback_keeps_earlier_tasks(chosen: list[str], least: float) -> None:
    """Without replay a mean of 1/3 is left of three tasks (measured 0.33); draws of the learner's own decoder must keep clearly more.

    The layers below the one that is replayed must move little, or its activations come to mean something else: hence the body's rate.
    """
    _, scores = lived(made(*DIGITS, *chosen, 'judge={type="none"}'))
    assert sum(scores) / 3 > least


def test_a_decoder_of_a_layer_gives_its_activations() -> None:
    net = net_of("hidden1", likelihood="squared")
    batch = net.draw(6, [0, 1, 2], 1)
    assert (batch.images_NCHW.shape, batch.layer) == ((6, 5), "hidden1")
    assert (batch.images_NCHW >= 0).all()
    assert net(batch.images_NCHW, batch.layer).shape == (6, 4)
    bound = net.generative(images(4), net.body(images(4).images_NCHW), 0)
    bound.backward()  # type: ignore[no-untyped-call]
    assert bound.isfinite()


@pytest.mark.parametrize(
    ("chosen", "word"),
    [
        (['learner.feedback={type="decoder"}', 'dreamer={type="none"}'], "nothing draws"),
        (['dreamer={type="feedback"}'], "own decoder"),
        (['learner={type="ridge"}', 'dreamer={type="feedback"}'], "own decoder"),
        (['learner.feedback={type="decoder"}', 'dreamer={type="feedback"}', "policy.nights=1", 'morning.probes="kept"'], "nights train the body"),
        (
            [
                'learner.feedback={type="decoder"}', 'dreamer={type="feedback"}', 'wake.layer="hidden1"', 'judge={type="none"}',
                'wake.replay={type="generated"}',
            ],
            "probabilities",
        ),
    ],
)  # fmt: skip
def test_combinations_without_meaning_are_refused(chosen: list[str], word: str) -> None:
    awake = [line for line in AWAKE if not line.startswith("dreamer")]
    with pytest.raises(RecipeError, match=word):
        recipes.load(TINY, [*awake, *chosen])
