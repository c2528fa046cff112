"""MobileNetV1, ResNet and batch renormalisation: their layers, statistics and weights."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch

from sleepwake import recipe as recipes
from sleepwake.domains.tensors import generator
from sleepwake.domains.vision.body_settings import FolderWeights, MobileNetLearner, ResNetLearner
from sleepwake.domains.vision.domain import Vision, build
from sleepwake.domains.vision.images import Batch, Space
from sleepwake.domains.vision.learners import fresh, load_classifier, save_classifier
from sleepwake.domains.vision.networks import Classifier
from sleepwake.domains.vision.penalties import fisher
from sleepwake.domains.vision.renorm import BatchRenorm2d
from sleepwake.domains.vision.training import Shuffled, Term, loss_of, train
from sleepwake.errors import DataError, RecipeError

TINY = Path(__file__).parent.parent / "recipes" / "vision" / "tiny.toml"
AWAKE = (
    "policy.nights=0",
    'judge={type="none"}',
    'wake.replay={type="none"}',
    'morning.probes="none"',
    'dreamer={type="none"}',
    "stream.tasks=2",
)
CPU = torch.device("cpu")
SPACE = Space((1, 8, 8), ("a", "b", "c"), CPU, 1, tasks=((0, 1), (2,)))
MOBILE = MobileNetLearner(type="mobilenet", width=0.01, least=4)
RES = ResNetLearner(type="resnet", channels=[4, 8], depths=[1, 1], norm="renorm")
TINY_RES = 'learner={type="resnet", channels=[8, 16], depths=[1, 1], norm="renorm"}'


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=generator(seed), device=CPU)


def net_of(settings: Any, seed: int = 1) -> Classifier:
    net = Classifier(settings, SPACE, seed)
    net.grow([0, 1], 2)
    return net


def bright(n: int = 40, size: int = 8, seed: int = 0) -> Batch:
    """Dark images are of class 0, bright ones of class 1."""
    images_NCHW = drawn(n, 1, size, size, seed=seed) * 0.5
    labels_N = torch.arange(n, device=CPU) % 2
    return Batch(images_NCHW + 0.5 * labels_N[:, None, None, None], labels_N)


def norms(net: Classifier) -> list[torch.nn.BatchNorm2d]:
    return [part for part in net.modules() if isinstance(part, torch.nn.BatchNorm2d)]


def test_mobilenet_has_the_layers_of_the_caffe_model() -> None:
    settings = MobileNetLearner(type="mobilenet")
    assert settings.layers[:4] == ["conv1", "conv2_1", "conv2_2", "conv3_1"]
    assert settings.layers[-4:] == ["conv5_5", "conv5_6", "conv6", "pool"]
    space = Space((3, 128, 128), (), CPU, 1)
    net = Classifier(settings, space, 1)
    assert sum(weight.numel() for weight in net.body.parameters()) == 3_206_976, "Howard et al.: 4.2 million with 1,025,000 of the head"
    shapes = {name: tuple(net.latents(drawn(1, 3, 128, 128), name).shape[1:]) for name in ("conv1", "conv4_2", "conv5_4", "conv6", "pool")}
    assert shapes == {
        "conv1": (32, 64, 64), "conv4_2": (512, 8, 8), "conv5_4": (512, 8, 8), "conv6": (1024, 4, 4), "pool": (1024,),
    }  # fmt: skip


def test_resnet_is_resnet_18() -> None:
    settings = ResNetLearner(type="resnet")
    net = Classifier(settings, Space((3, 64, 64), (), CPU, 1), 1)
    assert settings.layers == ["stem", "layer1", "layer2", "layer3", "layer4", "pool"]
    assert sum(weight.numel() for weight in net.body.parameters()) == 11_176_512, "11,689,512 with the 513,000 of ImageNet's head"
    assert net.latents(drawn(1, 3, 64, 64), "layer3").shape[1:] == (256, 4, 4)


@pytest.mark.parametrize("settings", [MOBILE, RES], ids=["mobilenet", "resnet"])
def test_a_chain_is_the_model_of_transformers_and_enters_anywhere(settings: Any) -> None:
    net = net_of(settings)
    images_NCHW = drawn(3, 1, 8, 8)
    whole = net(images_NCHW)
    for layer in settings.layers:
        assert torch.equal(net(net.latents(images_NCHW, layer), layer), whole), layer


@pytest.mark.parametrize("settings", [MOBILE, RES], ids=["mobilenet", "resnet"])
def test_training_moves_the_running_statistics_and_nothing_else_does(settings: Any, tmp_path: Path) -> None:
    net, batch = net_of(settings), bright()
    assert not net.training, "networks stand in evaluation"
    before = [norm.running_mean.clone() for norm in norms(net)]  # type: ignore[union-attr]
    alone, beside = net(batch.images_NCHW[:1]), net(batch.images_NCHW)[:1]
    assert torch.allclose(alone, beside, atol=1e-5), "an answer doesn't depend on what else is asked"
    assert all(torch.equal(norm.running_mean, was) for norm, was in zip(norms(net), before, strict=True))  # type: ignore[arg-type]
    train(net, [Term(1.0, Shuffled(batch), 16)], 3, 1e-3, 1)
    assert not net.training
    assert not any(torch.equal(norm.running_mean, was) for norm, was in zip(norms(net), before, strict=True))  # type: ignore[arg-type]
    assert all(norm.num_batches_tracked == 3 for norm in norms(net))

    # copies and loaded networks answer alike, and training one leaves the other alone
    save_classifier(net, tmp_path)
    said = net(batch.images_NCHW)
    for twin in (net.copy(), load_classifier(settings, SPACE, tmp_path)):
        assert not twin.training
        assert torch.equal(twin(batch.images_NCHW), said)
        train(twin, [Term(1.0, Shuffled(batch), 16)], 1, 1e-3, 1)
    assert torch.equal(net(batch.images_NCHW), said)
    assert torch.allclose(net.only([1])(batch.images_NCHW), said[:, 1:], atol=1e-6)


def test_a_failure_in_training_leaves_no_network_in_training() -> None:
    net = net_of(MOBILE)

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(net, [Term(1.0, Shuffled(bright()), 16)], 3, 1e-3, 1, extra=stop)
    assert not net.training


def test_a_frozen_body_keeps_its_statistics() -> None:
    net = net_of(RES)
    before = net.body.state_dict()["stem.embedder.normalization.running_mean"].clone()
    train(net, [Term(1.0, Shuffled(bright()), 16)], 3, 1e-3, 1, torch.optim.SGD([net.weight_RF, net.bias_R], lr=0.1))
    assert torch.equal(net.body.state_dict()["stem.embedder.normalization.running_mean"], before)


def test_batch_statistics_are_of_the_days_items_and_of_replay_together() -> None:
    """Two halves in one pass, one of them entering as activations, are normalised as the whole batch is."""
    net, batch = net_of(RES), bright(16)
    half, rest = batch.take(torch.arange(8, device=CPU)), batch.take(torch.arange(8, 16, device=CPU))
    whole = net.train()(batch.images_NCHW)
    joined, apart = net_of(RES).train(), net_of(RES).train()
    assert torch.allclose(joined.rate(torch.cat(joined.each([half, rest]))), whole, atol=1e-5)
    assert not torch.allclose(torch.cat([apart(half.images_NCHW), apart(rest.images_NCHW)]), whole, atol=1e-2)
    inner = Batch(net_of(RES).latents(rest.images_NCHW, "stem"), rest.labels_N, layer="stem")
    still = net_of(RES)
    logits = [still.rate(features_NF) for features_NF in still.each([half, inner])]
    assert torch.allclose(torch.cat(logits), still(batch.images_NCHW), atol=1e-5)
    assert [len(part) for part in logits] == [8, 8]


def renorm(**settings: Any) -> BatchRenorm2d:
    shape = ResNetLearner(type="resnet", norm="renorm", **settings)
    return BatchRenorm2d(1, 1e-12, shape).to(CPU)


def test_renorm_by_hand() -> None:
    """Values 1 and 3: mean 2, deviation 1. Running mean 0 and deviation 2: r = 1/2, d = (2 - 0) / 2 = 1, so the output is (x - 0) / 2."""
    with CPU:
        layer = renorm(r_max=3.0, d_max=5.0, norm_momentum=0.5).train()
        layer.num_batches_tracked.fill_(5)  # type: ignore[union-attr]
        layer.running_var.fill_(4.0)  # type: ignore[union-attr]
        values_NCHW = torch.tensor([1.0, 3.0], device=CPU).reshape(2, 1, 1, 1)
        assert [float(part) for part in copy.deepcopy(layer).corrections(values_NCHW)] == [0.5, 1.0]
        assert layer(values_NCHW).flatten().tolist() == [0.5, 1.5]
        assert layer.running_mean.tolist() == [1.0]  # type: ignore[union-attr]
        assert layer.running_var.tolist() == [3.0], "half of 4 and half of 2, the variance with n - 1 as torch keeps it"  # type: ignore[union-attr]
        # bounds: r from 1 / 1.25, d to 0.5; so (x - 2) / 1 * 0.8 + 0.5, then weight and bias
        layer = renorm(r_max=1.25, d_max=0.5).train()
        layer.num_batches_tracked.fill_(5)  # type: ignore[union-attr]
        layer.running_var.fill_(4.0)  # type: ignore[union-attr]
        layer.weight.data.fill_(2.0)
        layer.bias.data.fill_(1.0)
        assert torch.allclose(layer(values_NCHW).flatten(), torch.tensor([2 * (-0.8 + 0.5) + 1, 2 * (0.8 + 0.5) + 1], device=CPU))


def test_the_bounds_relax_by_and_by() -> None:
    with CPU:
        layer = renorm(r_max=3.0, d_max=4.0, relax=4).train()
        values_NCHW = torch.tensor([90.0, 110.0], device=CPU).reshape(2, 1, 1, 1)
        found = []
        for batch in range(6):
            layer.num_batches_tracked.fill_(batch)  # type: ignore[union-attr]
            layer.running_mean.zero_()  # type: ignore[union-attr]
            layer.running_var.fill_(1.0)  # type: ignore[union-attr]
            found.append([float(part) for part in layer.corrections(values_NCHW)])
    assert found == [[1.0, 0.0], [1.5, 1.0], [2.0, 2.0], [2.5, 3.0], [3.0, 4.0], [3.0, 4.0]]


def test_the_first_batches_count_alike() -> None:
    """Means 2, 4 and 9 after a momentum of 0.1: the running mean is 2, 3 and 5, whatever stood there before."""
    with CPU:
        layer = renorm().train()
        found = []
        for mean in (2.0, 4.0, 9.0):
            layer.corrections(torch.full((2, 1, 1, 1), mean, device=CPU))
            found.append(round(float(layer.running_mean), 5))  # type: ignore[arg-type]
    assert found == [2.0, 3.0, 5.0]


def test_without_room_renorm_is_batch_norm() -> None:
    """Bounds 1 and 0 leave no correction: outputs, gradients and running statistics are those of batch normalisation."""
    with CPU:
        ours, plain = BatchRenorm2d(3, 1e-5, RES.model_copy(update={"r_max": 1.0, "d_max": 0.0})), torch.nn.BatchNorm2d(3, 1e-5, 0.1)
    values = [drawn(6, 3, 4, 4, seed=seed) * 3 + 1 for seed in range(3)]
    for layer in (ours, plain):
        layer.train().num_batches_tracked.fill_(10)  # type: ignore[union-attr]
        for batch in values:
            layer(batch).square().mean().backward()
    assert torch.allclose(ours(values[0]), plain(values[0]), atol=1e-6)
    for name in ("weight", "bias"):
        assert torch.allclose(getattr(ours, name).grad, getattr(plain, name).grad, atol=1e-6)
    assert torch.allclose(ours.running_mean, plain.running_mean)  # type: ignore[arg-type]
    assert torch.allclose(ours.eval()(values[1]), plain.eval()(values[1]), atol=1e-6)


def test_with_room_renorm_in_training_is_what_evaluation_gives() -> None:
    """What renormalisation is for: with loose bounds the output in training is that of the running statistics before the batch."""
    with CPU:
        layer = BatchRenorm2d(3, 1e-5, RES.model_copy(update={"r_max": 100.0, "d_max": 100.0}))
        layer.num_batches_tracked.fill_(1)  # type: ignore[union-attr]
        batch = drawn(6, 3, 4, 4) * 3 + 1
        expected = layer.eval()(batch)
    assert torch.allclose(layer.train()(batch), expected, atol=1e-5)


def test_the_fisher_information_of_one_image_is_its_own_squared_gradient() -> None:
    """vmap and running statistics go together: for a single image with one sure answer it is the square of a plain gradient."""
    net, batch = net_of(RES), bright(1)
    with torch.no_grad():
        net.bias_R[0] += 50
    (importance,) = [fisher(net, batch, 0, 3)]
    loss_of(net, batch).backward()
    for name, weight in net.named_parameters():
        assert torch.allclose(importance[name], weight.grad**2, atol=1e-8), name  # type: ignore[operator]


def made(*settings: str) -> Vision:
    return build(recipes.load(TINY, [*AWAKE, *settings], 100), "cpu", ())


@pytest.mark.parametrize("norm", ["batch", "renorm"])
def test_mobilenet_tells_dark_from_bright(norm: str) -> None:
    """27 layers learn what the mean of the pixels tells (seen on five seeds: 0.96 to 1 with batch norm, 0.98 to 1 with renorm; after half the steps 0.83 to 1);
    chance, or running statistics that don't fit, would give 0.5."""
    net = Classifier(MOBILE.model_copy(update={"norm": norm, "least": 16}), Space((1, 32, 32), SPACE.classes, CPU, 1), 1)
    net.grow([0, 1], 2)
    train(net, [Term(1.0, Shuffled(bright(200, 32)), 32)], 180, 1e-2, 1)
    test = bright(100, 32, seed=1)
    assert (net.answer(test.images_NCHW) == test.labels_N).float().mean() > 0.85


@pytest.mark.parametrize("layer", ["", "layer1"])
def test_two_days_of_digits_are_learned_beside_replay(layer: str, tmp_path: Path) -> None:
    """Four digits in two days: without replay the first day is forgotten, which leaves 0.5 at most. Behind a layer that was replayed the
    body must move slowly."""
    replay = 'wake.replay={type="exact", target="hard"}'
    domain = made(
        TINY_RES, replay, "wake.steps=100", "wake.body_lr=2e-4", f'wake.layer="{layer}"', 'wake.penalty={type="si", strength=0.01}'
    )
    mind = domain.mind()
    for task in domain.tasks:
        examples = domain.examples(task)
        mind.learner.open(task, task.index)
        source = mind.memory.source(mind, task, examples, task.index)
        mind.learner.learn(task, examples, source, task.index)
        mind.memory.store(mind, task, examples, task.index)
        mind.learner.save(tmp_path)
        again = domain.mind()
        again.learner.load(tmp_path)
        assert torch.equal(again.learner.net(examples.images_NCHW), mind.learner.net(examples.images_NCHW))
    scores = domain.evaluate(mind, 2, "seen")
    assert sum(score or 0.0 for score in scores) / 2 > 0.7, scores


def test_weights_come_from_a_folder(tmp_path: Path) -> None:
    from transformers import MobileNetV1Config, MobileNetV1ForImageClassification

    with CPU:
        model = MobileNetV1ForImageClassification(MobileNetV1Config(num_channels=1, depth_multiplier=0.01, min_depth=4)).eval()
        model.save_pretrained(tmp_path / "model")
    settings = MOBILE.model_copy(update={"weights": FolderWeights(folder=str(tmp_path / "model")), "norm": "renorm"})
    state = torch.random.get_rng_state()
    net = fresh(settings, SPACE, "", 1)
    assert torch.equal(state, torch.random.get_rng_state())
    images_NCHW = drawn(2, 1, 8, 8)
    with torch.no_grad():
        expected = model.mobilenet_v1((images_NCHW - 0.5) / 0.5).pooler_output
    assert torch.allclose(net.body(images_NCHW), expected, atol=1e-6)
    with pytest.raises(DataError, match=r"learner\.weights"):
        fresh(settings.model_copy(update={"width": 0.5}), SPACE, "", 1)
    with pytest.raises(DataError, match=r"learner\.weights"):
        fresh(settings.model_copy(update={"weights": FolderWeights(folder=str(tmp_path))}), SPACE, "", 1)


def test_a_relative_folder_is_sought_where_data_are(tmp_path: Path) -> None:
    chosen = 'learner={type="mobilenet", weights={folder="model"}}'
    with pytest.raises(DataError, match="model"):
        made(chosen)
    (tmp_path / "model").mkdir()
    domain = build(recipes.load(TINY, [*AWAKE, chosen], 100), "cpu", (tmp_path,))
    assert domain.learner.weights.folder == str(tmp_path / "model")


def test_only_a_hub_id_goes_online() -> None:
    from sleepwake.session import _names_hub

    def names(chosen: str) -> bool:
        return _names_hub(recipes.resolved(recipes.load(TINY, [*AWAKE, f'learner={{type="resnet"{chosen}}}'], 100)))

    assert names(', weights={hub="microsoft/resnet-18"}')
    assert not names(', weights={folder="somewhere"}')
    assert not names("")


@pytest.mark.parametrize(
    ("settings", "path"),
    [
        ('learner={type="resnet", channels=[4, 8]}', "learner.depths"),
        ('learner={type="mobilenet", weights={folder="a", hub="b"}}', "learner.weights"),
        ('learner={type="mobilenet", r_max=0.5}', "learner.r_max"),
    ],
)
def test_wrong_bodies_are_refused(settings: str, path: str) -> None:
    with pytest.raises(RecipeError) as caught:
        recipes.load(TINY, [*AWAKE, settings])
    assert path in str(caught.value)


def test_means_must_fit_the_channels() -> None:
    with pytest.raises(DataError, match="channels"):
        made('learner={type="mobilenet", mean=[0.4, 0.4, 0.4]}').mind()
