"""Are dreams new, and are they images? Asked of judges that never guided them, and never for training or the gate.

A classifier that was shown known classes alone is sure of anything: it takes most uniform noise, and most real images of classes that
it has never seen, for one of them. So the judge that counts was shown images of no class as well, and what it says of real images of known
classes and of noise stands beside what it says of dreams.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from sleepwake.domains.vision import strokes
from sleepwake.domains.vision.frozen import FrozenGenerator
from sleepwake.domains.vision.images import Batch, Space, fitted
from sleepwake.domains.vision.networks import Classifier, Solver
from sleepwake.domains.vision.novelty import near
from sleepwake.domains.vision.strangers import Strangers
from sleepwake.domains.vision.training import Shuffled, Source, Term, train
from sleepwake.domains.vision.wake_settings import MlpLearner
from sleepwake.seeds import seed as seed_at

RECOGNISER = MlpLearner(hidden=[256])
STEPS, BATCH, LR = 1000, 128, 1e-3
"""The classifier that learns one half of the dreams, and each of those that know classes."""
MEMBERS, STRANGERS = 3, 0.3
"""Classifiers that know classes, and the weight of images of no class in their loss."""
LOOKS = 16
"""Noise levels at which an image's denoising error is taken, in equal distances; their mean is the image's."""


@dataclass(frozen=True)
class Informed:
    """Networks that have learned real images of some classes, and that there are images of no class.

    Attributes:
        members: the networks.
    """

    members: tuple[Classifier, ...]

    @classmethod
    def of(cls, examples: Batch, space: Space, seed: int, steps: int = STEPS, others_NCHW: Tensor | Literal["made"] = "made") -> "Informed":
        """Train them on the examples' classes and on images of no class.

        Args:
            examples: labelled images.
            space: it must have room for a dreamed class, whose row says "none of these".
            seed: of weights and draws.
            steps: optimizer steps of each.
            others_NCHW: images of no class, such as those of another data set; "made": of the examples and of drawings (`Strangers`).
        """
        stranger, known, members = len(space.classes), examples.labels_N.unique().tolist(), []
        assert space.dreams, "no room for a row"
        source = Shuffled(examples)
        strangers: Source = Strangers(source, space, stranger)
        if isinstance(others_NCHW, Tensor):
            strangers = Shuffled(Batch(others_NCHW, torch.full((len(others_NCHW),), stranger, device=space.device)))
        for place in range(MEMBERS):
            net = Classifier(RECOGNISER, space, seed_at(seed, "informed", place))
            net.grow([*known, stranger], seed_at(seed, "informed", place, "rows"))
            terms = [Term(1 - STRANGERS, source, BATCH), Term(STRANGERS, strangers, BATCH)]
            train(net, terms, steps, LR, seed_at(seed, "informed", place, "train"))
            members.append(net)
        return cls(tuple(members))

    def response(self, images_NCHW: Tensor) -> Tensor:
        """Their mean response (N, K)."""
        return torch.stack([member.response(images_NCHW) for member in self.members]).mean(dim=0)


@torch.no_grad()
def taken_for_known(judge: Solver | Informed, images_NCHW: Tensor, known: Sequence[int], confidence: float = 0.9) -> float:
    """Share of images that a judge takes for one of some classes with more than a confidence."""
    chances_NK = judge.response(images_NCHW)[:, list(known)]
    return float((chances_NK.max(dim=1).values > confidence).float().mean())


def recognised(images_PNCHW: Tensor, space: Space, seed: int) -> float:
    """Accuracy on the second half of each class's images, of a classifier trained on the first half."""
    classes, half = len(images_PNCHW), images_PNCHW.shape[1] // 2
    own = Space(space.shape, tuple(map(str, range(classes))), space.device, seed)
    net = Classifier(RECOGNISER, own, seed_at(seed, "net"))
    net.grow(range(classes), seed_at(seed, "rows"))
    labels_P = torch.arange(classes, device=space.device)
    first = Batch(images_PNCHW[:, :half].flatten(0, 1), labels_P.repeat_interleave(half))
    train(net, [Term(1.0, Shuffled(first), BATCH)], STEPS, LR, seed_at(seed, "train"))
    rest_PNCHW = images_PNCHW[:, half:]
    answers_N = net.answer(rest_PNCHW.flatten(0, 1))
    return float((answers_N == labels_P.repeat_interleave(rest_PNCHW.shape[1])).float().mean())


def duplicates(images_NCHW: Tensor, within: float = 0.02) -> float:
    """Share of images that have another one within a root mean square distance of their pixels."""
    return float(near(images_NCHW, within).fill_diagonal_(False).any(dim=1).float().mean())


@torch.no_grad()
def denoising_errors(model: FrozenGenerator, images_NCHW: Tensor, seed: int) -> Tensor:
    """Each image's error (N,) as the generator sees it without words, the mean over noise levels; all images get the same noise."""
    last = model.trained.config.num_train_timesteps
    levels_L = torch.linspace(0.1, 0.9, LOOKS, device=model.device).mul(last).long()
    conditions_1LE = model.encoded(torch.tensor([model.caption], device=model.device))
    clean_Nchw, found = model.inward(images_NCHW), []
    for place, level in enumerate(levels_L):
        noise_1chw = model.noise(1, seed_at(seed, place))
        for part_Nchw in clean_Nchw.split(256):
            count = len(part_Nchw)
            noise_Nchw, conditions_NLE = noise_1chw.expand(count, -1, -1, -1), conditions_1LE.expand(count, -1, -1)
            found.append(model.errors_at(part_Nchw, noise_Nchw, level.expand(count), conditions_NLE))
    return torch.cat(found).view(LOOKS, len(images_NCHW)).mean(dim=0)


def like_drawings(model: FrozenGenerator, images_NCHW: Tensor, seed: int, drawings: int = 500) -> float:
    """Share of images whose error is below the 95th percentile of the drawings that the embedded generator was trained on.

    The drawings pass through the images' own size, which blurs them as it does the images.
    """
    _, height, width = model.inner
    drawn_N1HW, _ = strokes.draw(drawings, height, width, seed_at(seed, "drawings"))
    small_NCHW = fitted(drawn_N1HW.to(images_NCHW.device), (1, *images_NCHW.shape[2:]))
    usual_N = denoising_errors(model, small_NCHW, seed)
    return float((denoising_errors(model, images_NCHW, seed) < usual_N.quantile(0.95)).float().mean())
