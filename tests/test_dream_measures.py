"""Measures of dreams, on images whose answers are known beforehand."""

import pytest
import torch

from sleepwake.domains.tensors import generator
from sleepwake.domains.vision import strokes
from sleepwake.domains.vision.dream_measures import Informed, denoising_errors, duplicates, like_drawings, recognised, taken_for_known
from sleepwake.domains.vision.dreamer_settings import DiffusionDreamer
from sleepwake.domains.vision.images import Batch, Space
from sleepwake.domains.vision.networks import Classifier
from sleepwake.domains.vision.pipelines import open_generator
from sleepwake.domains.vision.strangers import MIXED, Strangers
from sleepwake.domains.vision.training import Shuffled, Term, train
from sleepwake.domains.vision.wake_settings import MlpLearner

CPU = torch.device("cpu")
SPACE = Space((1, 8, 8), ("a", "b", "c"), CPU, 0)


def noise(*shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=generator(1), device="cpu")


def test_what_is_taken_for_known_by_hand() -> None:
    """A network that says a with 0.99 to everything: known where a is, not known where only c is asked for."""
    net = Classifier(MlpLearner(hidden=[4]), SPACE, seed=1)
    net.grow([0, 1, 2], seed=2)
    with torch.no_grad():
        net.weight_RF.zero_()
        net.bias_R.copy_(torch.tensor([6.0, 0.0, 0.0], device=CPU))
    images = noise(5, 1, 8, 8)
    assert taken_for_known(net, images, [0, 1]) == 1.0
    assert taken_for_known(net, images, [2]) == 0.0
    assert taken_for_known(net, images, [0], confidence=0.999) == 0.0


def halves(n: int) -> Batch:
    """Two classes: bright above, bright below; with noise."""
    images = 0.3 * noise(2 * n, 1, 8, 8)
    images[:n, :, :4] += 0.7
    images[n:, :, 4:] += 0.7
    return Batch(images, torch.arange(2, device=CPU).repeat_interleave(n))


def test_strangers_are_mixtures_drawings_and_shuffled_images_of_no_class() -> None:
    """Black and white mixed is one grey between the bounds; the rest is drawn or, shuffled, still black or white."""
    flat = Batch(torch.tensor([0.0, 1.0], device=CPU).view(2, 1, 1, 1).expand(2, 1, 8, 8), torch.arange(2, device=CPU))
    space = Space((1, 8, 8), ("a", "b"), CPU, 0, dreams=1)
    source = Strangers(Shuffled(flat), space, label=2)
    drawn = source.draw(400, seed=1)
    assert drawn.labels_N.tolist() == [2] * 400
    assert torch.equal(drawn.images_NCHW, source.draw(400, seed=1).images_NCHW)
    pixels = drawn.images_NCHW.flatten(1)
    flat_N = (pixels == pixels[:, :1]).all(dim=1)
    grey_N = flat_N & (pixels[:, 0] >= MIXED[0] - 1e-6) & (pixels[:, 0] <= MIXED[1] + 1e-6)
    drawings_N = ~flat_N
    assert 0.4 < grey_N.float().mean() < 0.6
    assert 0.15 < drawings_N.float().mean() < 0.35
    assert set(pixels[flat_N & ~grey_N, 0].tolist()) == {0.0, 1.0}


def test_an_informed_judge_knows_that_there_are_images_of_no_class() -> None:
    """Two thirds of one class and one third of the other: it is sure of neither, where a plain classifier of the same images is."""
    space = Space((1, 8, 8), ("a", "b"), CPU, 0, dreams=1)
    judge, plain = Informed.of(halves(40), space, seed=1, steps=60), Classifier(MlpLearner(hidden=[64]), space, seed=1)
    plain.grow([0, 1], seed=2)
    train(plain, [Term(1.0, Shuffled(halves(40)), 64)], 300, 1e-3, seed=3)
    real = halves(20).images_NCHW
    strange = torch.lerp(real, real.flip(0), 1 / 3)
    assert taken_for_known(judge, real, [0, 1]) > 0.9
    assert taken_for_known(judge, strange, [0, 1]) < 0.1
    assert taken_for_known(plain, strange, [0, 1]) > 0.5
    elsewhere = Informed.of(halves(40), space, seed=1, steps=60, others_NCHW=strange)
    assert taken_for_known(elsewhere, real, [0, 1]) > 0.9
    assert taken_for_known(elsewhere, strange, [0, 1]) < 0.1


def test_classes_that_differ_are_recognised_and_equal_ones_are_not() -> None:
    base = noise(3, 1, 1, 8, 8)
    apart = (base + 0.05 * noise(3, 40, 1, 8, 8)).clamp(0, 1)
    assert recognised(apart, SPACE, seed=1) == 1.0
    assert recognised(noise(3, 40, 1, 8, 8), SPACE, seed=1) < 0.6, "one in three by chance"


def test_duplicates_are_counted_on_both_sides() -> None:
    images = noise(4, 1, 8, 8)
    assert duplicates(images) == 0.0
    assert duplicates(torch.cat([images, images[:1] + 0.001])) == pytest.approx(2 / 5)


def test_the_generator_knows_its_own_drawings_from_noise() -> None:
    """New drawings lie below the 95th percentile of drawings about 19 times of 20; noise and a checkerboard hardly ever."""
    with torch.device("cpu"):
        model = open_generator(DiffusionDreamer(type="diffusion"), CPU)
    drawings, _ = strokes.draw(30, 16, 16, seed=7)
    board = (torch.arange(16, device=CPU)[:, None] + torch.arange(16, device=CPU)) % 2
    strange = torch.cat([noise(3, 1, 16, 16), board.float()[None, None]])
    assert like_drawings(model, torch.cat([drawings, strange]), seed=1, drawings=40) > 0.7
    assert like_drawings(model, strange, seed=1, drawings=20) == 0.0
    one = denoising_errors(model, drawings[:3], seed=3)
    assert torch.allclose(one[2], denoising_errors(model, drawings[2:3], seed=3)[0], atol=1e-5), "each by itself"
