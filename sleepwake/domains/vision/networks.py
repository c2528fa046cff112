"""The classifier: a body that gives features, and one head whose rows are classes."""

from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from sleepwake.domains.tensors import seeded
from sleepwake.domains.vision.images import Space
from sleepwake.domains.vision.wake_settings import CnnLearner, MlpLearner


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


class Solver(nn.Module):
    """What answers: rows of logits, one a class that it knows.

    Attributes:
        classes: the class id of each row.
    """

    def __init__(self, space: Space) -> None:
        super().__init__()
        self.space = space
        self.classes: list[int] = []

    def grow(self, classes: Sequence[int], seed: int) -> None:
        """Make room for classes that have no row yet."""
        raise NotImplementedError

    def copy(self) -> Self:
        """An equal solver that shares nothing with this one."""
        raise NotImplementedError

    def blocks(self, only: Sequence[int] | None = None) -> list[list[int]]:
        """Rows that compete with each other, as lists of row numbers: all, those in `only`, or each task's own where tasks are told."""
        if only is None and self.space.told:
            groups = [[self.classes.index(name) for name in group if name in self.classes] for group in self.space.tasks]
            return [group for group in groups if group]
        wanted = None if only is None else set(only)
        return [[row for row, name in enumerate(self.classes) if wanted is None or name in wanted]]

    def rows(self, labels_N: Tensor) -> Tensor:
        """The row of each class id; every id must have one."""
        table_K = torch.full((max(self.classes) + 1,), -1, dtype=torch.int64, device=labels_N.device)
        table_K[self.classes] = torch.arange(len(self.classes), device=labels_N.device)
        return table_K[labels_N]

    @torch.no_grad()
    def response(self, images_NCHW: Tensor, temperature: float = 1.0, only: Sequence[int] | None = None) -> Tensor:
        """Probabilities (N, K) over all classes of the stream, each block of rows summing to 1; zero for those outside all blocks."""
        logits_NR = self(images_NCHW) / temperature
        response_NK = images_NCHW.new_zeros(len(images_NCHW), len(self.space.classes))
        for rows in self.blocks(only):
            response_NK[:, [self.classes[row] for row in rows]] = logits_NR[:, rows].softmax(dim=1)
        return response_NK

    def answer(self, images_NCHW: Tensor, only: Sequence[int] | None = None) -> Tensor:
        """The likeliest class id (N,), of all rows or of those in `only`; in slices, so that test sets fit."""
        return torch.cat([self.response(part, only=only).argmax(dim=1) for part in images_NCHW.split(4096)])


class Classifier(Solver):
    """A body and a linear head that has a row for each class it knows, and grows."""

    def __init__(self, settings: MlpLearner | CnnLearner, space: Space, seed: int) -> None:
        super().__init__(space)
        self.settings = settings
        with seeded(seed, space.device):
            if isinstance(settings, CnnLearner):
                self.body, width = cnn(space, settings.channels, settings.hidden), settings.hidden
            else:
                self.body, width = mlp(space, settings.hidden), settings.hidden[-1]
        self.weight_RF = nn.Parameter(torch.empty((0, width), device=space.device))
        self.bias_R = nn.Parameter(torch.empty(0, device=space.device))

    def grow(self, classes: Sequence[int], seed: int) -> None:
        """Add a freshly initialised row for each class that has none; the rows that are there stay as they are."""
        new = [name for name in classes if name not in self.classes]
        if not new:
            return
        with seeded(seed, self.space.device):
            rows = nn.Linear(self.weight_RF.shape[1], len(new))
        self.weight_RF = nn.Parameter(torch.cat([self.weight_RF.detach(), rows.weight.detach()]))
        self.bias_R = nn.Parameter(torch.cat([self.bias_R.detach(), rows.bias.detach()]))
        self.classes = [*self.classes, *new]

    def forward(self, images_NCHW: Tensor) -> Tensor:
        """Logits (N, R), in the order of `classes`."""
        return functional.linear(self.body(images_NCHW), self.weight_RF, self.bias_R)

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
