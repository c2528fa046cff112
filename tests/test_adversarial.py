"""The generative adversarial network: its penalty by hand, its shapes, and that it learns."""

from pathlib import Path

import pytest
import torch
from torch import nn

from sleepwake.domains.vision.adversarial import Critic, Generator, Mixed, Wgan, fit, gradient_penalty
from sleepwake.domains.vision.adversarial_dreamers import WganDreamer
from sleepwake.domains.vision.dreamer_settings import WganDreamer as Settings
from sleepwake.domains.vision.images import Batch, Space
from sleepwake.domains.vision.networks import Classifier
from sleepwake.domains.vision.wake_settings import MlpLearner
from sleepwake.records import Task

CPU = torch.device("cpu")
TINY = Settings(type="wgan", channels=[], hidden=[16], latent=4, steps=3, batch=8)


def space(height: int = 2, width: int = 2) -> Space:
    return Space((1, height, width), ("a", "b"), CPU, 0, tasks=((0,), (1,)))


def grey(value: float, n: int = 40) -> torch.Tensor:
    return torch.full((n, 1, 2, 2), value, device=CPU)


def day(value: float, label: int = 0) -> Batch:
    return Batch(grey(value), torch.full((40,), label, dtype=torch.int64, device=CPU))


class Summed(nn.Module):
    """Weights times the squared pixels, summed; or the pixels themselves."""

    def __init__(self, power: int) -> None:
        super().__init__()
        self.weight_D = nn.Parameter(torch.tensor([1.0, 2.0, 2.0, 4.0], device=CPU))
        self.power = power

    def forward(self, images_NCHW: torch.Tensor) -> torch.Tensor:
        return (self.weight_D * images_NCHW.flatten(start_dim=1) ** self.power).sum(dim=1)


def test_the_gradient_penalty_by_hand() -> None:
    """The gradient of w . x is w wherever it is taken: |(1, 2, 2, 4)| = 5, so (5 - 1)^2 = 16, and its gradient is 2 (5 - 1) w / 5."""
    critic = Summed(1)
    penalty = gradient_penalty(critic, grey(0.0, 3), grey(1.0, 3), torch.tensor([0.0, 0.4, 1.0], device=CPU))
    penalty.backward()
    assert penalty.item() == pytest.approx(16.0)
    assert critic.weight_D.grad is not None
    assert critic.weight_D.grad.tolist() == pytest.approx([1.6, 3.2, 3.2, 6.4])


def test_the_gradient_is_taken_between_each_real_image_and_a_drawn_one() -> None:
    """That of w . x^2 is 2 w x, of length 10 x on grey x: 2 at 0.2 and 5 at 0.5, so (1 + 16) / 2."""
    penalty = gradient_penalty(Summed(2), grey(0.0, 2), grey(1.0, 2), torch.tensor([0.2, 0.5], device=CPU))
    assert penalty.item() == pytest.approx(8.5)


@pytest.mark.parametrize(("height", "width"), [(8, 8), (7, 5), (28, 28), (1, 3)])
@pytest.mark.parametrize("channels", [[], [3], [3, 4, 5]])
def test_any_size_of_image(height: int, width: int, channels: list[int]) -> None:
    settings, place = TINY.model_copy(update={"channels": channels}), space(height, width)
    images_NCHW = Generator(settings, place, 1).draw(3, 2)
    assert images_NCHW.shape == (3, 1, height, width)
    assert bool(((images_NCHW >= 0) & (images_NCHW <= 1)).all())
    assert Critic(settings, place, 1)(images_NCHW).shape == (3,)


def test_a_mixture_has_the_share_of_each() -> None:
    earlier = Generator(TINY, space(), 1)
    assert torch.equal(Mixed(day(-1.0)).draw(7, 1), grey(-1.0, 7))
    assert bool((Mixed(day(-1.0), earlier, 0.0).draw(7, 1) >= 0).all()), "none of the day's"
    fresh = (Mixed(day(-1.0), earlier, 0.25).draw(4000, 1) < 0).flatten(start_dim=1).all(dim=1)
    assert fresh.float().mean().item() == pytest.approx(0.25, abs=0.03), "four standard deviations of 4000 draws"


def test_it_learns_the_grey_of_the_day() -> None:
    """All images are of one grey; draws start at about 0.5, and end nearer to it than a tenth."""
    settings = TINY.model_copy(update={"steps": 200, "batch": 16, "lr": 2e-3})
    for value in (0.15, 0.85):
        wgan = Wgan(settings, space(), 1)
        facts = fit(wgan, Mixed(day(value)), 2)
        assert facts["samples"] == 200 * 16 * (settings.critic_steps + 1)
        assert (wgan.generator.draw(64, 3) - value).abs().mean().item() < 0.1


def test_rates_of_both_networks_fall_within_the_day() -> None:
    """Of two steps down to nothing the second is taken at half the rate. The critic's is half as long, its gradient being the same."""

    def after(steps: int, end_factor: float) -> list[torch.Tensor]:
        settings = TINY.model_copy(update={"steps": steps, "critic_steps": 1, "lr": 0.01, "end_factor": end_factor})
        wgan = Wgan(settings, space(), seed=1)
        fit(wgan, Mixed(day(0.3)), seed=1)
        return [torch.cat([weight.detach().flatten() for weight in part.parameters()]) for part in (wgan.critic, wgan.generator)]

    once, steady, fallen = after(1, 1.0), after(2, 1.0), after(2, 1e-9)
    torch.testing.assert_close(fallen[0] - once[0], (steady[0] - once[0]) / 2, rtol=1e-3, atol=1e-6)
    assert (fallen[1] - once[1]).abs().sum() < 0.75 * (steady[1] - once[1]).abs().sum()


def test_days_draws_and_saving_repeat(tmp_path: Path) -> None:
    """A copy draws the same and stands still; what was loaded learns the next day to the same last bit, critic included."""
    first, second = Task(0, "one", ("a",)), Task(1, "two", ("b",))
    for restart in (False, True):
        settings, folder = TINY.model_copy(update={"restart": restart}), tmp_path / str(restart)
        folder.mkdir()
        dreamer, twin = WganDreamer(settings, space()), WganDreamer(settings, space())
        dreamer.fit(first, day(0.2), None, None, 1)
        dreamer.save(folder)
        twin.load(folder)
        namer = Classifier(MlpLearner(hidden=[4]), space(), 1)
        namer.grow([0, 1], 1)
        source = dreamer.source((0,), namer)
        before = source.draw(5, 3)
        assert before.labels_N.tolist() == [0] * 5, "named among what was learned"
        assert torch.equal(before.images_NCHW, dreamer.draw(5, 3, (0,), namer).images_NCHW)
        for part in (dreamer, twin):
            part.fit(second, day(0.8, 1), None, None, 2)
            assert part.classes == (0, 1)
        assert torch.equal(before.images_NCHW, source.draw(5, 3).images_NCHW), "a source stays"
        assert not torch.equal(before.images_NCHW, dreamer.draw(5, 3, (0, 1), namer).images_NCHW)
        assert dreamer.wgan is not None
        assert twin.wgan is not None
        theirs = twin.wgan.state_dict()
        assert all(torch.equal(part, theirs[name]) for name, part in dreamer.wgan.state_dict().items())
