"""The classifier: a body that gives features, and one head whose rows are classes."""

from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from sleepwake.domains.tensors import seeded
from sleepwake.domains.vision.images import Space
from sleepwake.domains.vision.settings import CnnLearner, MlpLearner


def mlp(space: Space, hidden: Sequence[int]) -> nn.Sequential:
    """Fully connected layers with ReLU: (N, C, H, W) -> (N, hidden[-1])."""
    layers: list[nn.Module] = [nn.Flatten()]
    for inputs, outputs in zip([space.pixels, *hidden], hidden, strict=False):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers)


def cnn(space: Space, channels: Sequence[int], hidden: int) -> nn.Sequential:
    """Convolutions of stride 2 and one hidden layer, with ReLU: (N, C, H, W) -> (N, hidden)."""
    count, height, width = space.shape
    layers: list[nn.Module] = []
    for inputs, outputs in zip([count, *channels], channels, strict=False):
        layers += [nn.Conv2d(inputs, outputs, kernel_size=3, stride=2, padding=1), nn.ReLU()]
        height, width = (height + 1) // 2, (width + 1) // 2
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels[-1] * height * width, hidden), nn.ReLU())


class Classifier(nn.Module):
    """A body and a linear head that has a row for each class it knows, and grows.

    Attributes:
        classes: the class id of each row.
    """

    def __init__(self, settings: MlpLearner | CnnLearner, space: Space, seed: int) -> None:
        super().__init__()
        self.settings, self.space = settings, space
        with seeded(seed, space.device):
            if isinstance(settings, CnnLearner):
                self.body, width = cnn(space, settings.channels, settings.hidden), settings.hidden
            else:
                self.body, width = mlp(space, settings.hidden), settings.hidden[-1]
        self.weight_RF = nn.Parameter(torch.empty((0, width), device=space.device))
        self.bias_R = nn.Parameter(torch.empty(0, device=space.device))
        self.classes: list[int] = []

    def grow(self, classes: Sequence[int], seed: int) -> None:
        """Add a freshly initialised row for each class; the rows that are there stay as they are."""
        assert not set(classes) & set(self.classes)
        if not classes:
            return
        with seeded(seed, self.space.device):
            new = nn.Linear(self.weight_RF.shape[1], len(classes))
        self.weight_RF = nn.Parameter(torch.cat([self.weight_RF.detach(), new.weight.detach()]))
        self.bias_R = nn.Parameter(torch.cat([self.bias_R.detach(), new.bias.detach()]))
        self.classes = [*self.classes, *classes]

    def forward(self, images_NCHW: Tensor) -> Tensor:
        """Logits (N, R), in the order of `classes`."""
        return functional.linear(self.body(images_NCHW), self.weight_RF, self.bias_R)

    def rows(self, labels_N: Tensor) -> Tensor:
        """The row of each class id; every id must have one."""
        table_K = torch.full((max(self.classes) + 1,), -1, dtype=torch.int64, device=labels_N.device)
        table_K[self.classes] = torch.arange(len(self.classes), device=labels_N.device)
        return table_K[labels_N]

    @torch.no_grad()
    def response(self, images_NCHW: Tensor, temperature: float = 1.0, only: Sequence[int] | None = None) -> Tensor:
        """Probabilities (N, K) over all classes of the stream; zero for those without a row, or outside `only`."""
        classes = self.classes if only is None else [name for name in self.classes if name in set(only)]
        rows = [self.classes.index(name) for name in classes]
        chances_NR = (self(images_NCHW)[:, rows] / temperature).softmax(dim=1)
        response_NK = images_NCHW.new_zeros(len(images_NCHW), len(self.space.classes))
        response_NK[:, classes] = chances_NR
        return response_NK

    def answer(self, images_NCHW: Tensor, only: Sequence[int] | None = None) -> Tensor:
        """The likeliest class id (N,), of all rows or of those in `only`; in slices, so that test sets fit."""
        return torch.cat([self.response(part, only=only).argmax(dim=1) for part in images_NCHW.split(4096)])

    def only(self, classes: Sequence[int]) -> Self:
        """A copy with the rows of some classes alone; it shares nothing with this network."""
        twin = type(self)(self.settings, self.space, seed=0)
        twin.grow(classes, seed=0)
        rows = [self.classes.index(name) for name in classes]
        mine = self.state_dict()
        twin.load_state_dict({**mine, "weight_RF": mine["weight_RF"][rows], "bias_R": mine["bias_R"][rows]})
        return twin

    def copy(self) -> Self:
        """An equal network that shares nothing with this one."""
        return self.only(self.classes)
