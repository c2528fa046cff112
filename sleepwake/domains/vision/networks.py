"""The classifier: a body that gives features, and one head whose rows are classes."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from sleepwake.domains.tensors import seeded
from sleepwake.domains.vision.bodies import body_of
from sleepwake.domains.vision.images import Batch, Space
from sleepwake.domains.vision.wake_settings import NetworkLearner

BY_ROW = ("weight_RF", "bias_R")
"""A classifier's tensors that have a row a class."""


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

    @property
    def dreamed(self) -> list[int]:
        """Ids of dreamed classes that have a row."""
        return [name for name in self.classes if self.space.is_dreamed(name)]

    @property
    def real(self) -> list[int]:
        """Ids of the stream's own classes that have a row."""
        return [name for name in self.classes if not self.space.is_dreamed(name)]

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
    def response(self, images_NCHW: Tensor, temperature: float = 1.0, only: Sequence[int] | None = None, layer: str = "") -> Tensor:
        """Probabilities (N, K) over all ids of the space, each block of rows summing to 1; zero for those outside all blocks.

        Args:
            images_NCHW: images, or activations of the named layer.
            temperature: divides the logits.
            only: class ids that compete.
            layer: of a network that has layers; empty for images.
        """
        logits_NR = (self(images_NCHW, layer) if layer else self(images_NCHW)) / temperature
        response_NK = images_NCHW.new_zeros(len(images_NCHW), self.space.width)
        for rows in self.blocks(only):
            response_NK[:, [self.classes[row] for row in rows]] = logits_NR[:, rows].softmax(dim=1)
        return response_NK

    def answer(self, images_NCHW: Tensor, only: Sequence[int] | None = None, layer: str = "") -> Tensor:
        """The likeliest class id (N,), of the rows in `only`, or of all but those of dreamed classes; in slices, so that test sets fit."""
        if only is None and self.dreamed:
            only = self.real
        return torch.cat([self.response(part, only=only, layer=layer).argmax(dim=1) for part in images_NCHW.split(4096)])


class Classifier(Solver):
    """A body and a linear head that has a row for each class it knows, and grows."""

    def __init__(self, settings: NetworkLearner, space: Space, seed: int) -> None:
        super().__init__(space)
        self.settings = settings
        self.body, width = body_of(settings, space, seed)
        self.weight_RF = nn.Parameter(torch.empty((0, width), device=space.device))
        self.bias_R = nn.Parameter(torch.empty(0, device=space.device))
        self.normed = any(isinstance(part, nn.BatchNorm2d) for part in self.body.modules())
        """Whether items of a step see each other, in batch statistics."""
        self.eval()  # running statistics, but in `training.train`
        self.register_buffer("means_RF", None)
        self.means_RF: Tensor | None
        """Mean features of each row's class, where answers go by them; not a number for a class that has none yet."""

    def grow(self, classes: Sequence[int], seed: int) -> None:
        """Add a freshly initialised row for each class that has none; the rows that are there stay as they are."""
        new = [name for name in classes if name not in self.classes]
        if not new:
            return
        with seeded(seed, self.space.device):
            rows = nn.Linear(self.weight_RF.shape[1], len(new))
        self.weight_RF = nn.Parameter(torch.cat([self.weight_RF.detach(), rows.weight.detach()]))
        self.bias_R = nn.Parameter(torch.cat([self.bias_R.detach(), rows.bias.detach()]))
        if self.means_RF is not None:
            self.means_RF = torch.cat([self.means_RF, torch.full_like(rows.weight.detach(), torch.nan)])
        self.classes = [*self.classes, *new]

    def drop(self, classes: Sequence[int]) -> None:
        """Forget the rows of some classes."""
        kept = [row for row, name in enumerate(self.classes) if name not in classes]
        self.weight_RF = nn.Parameter(self.weight_RF.detach()[kept].clone())
        self.bias_R = nn.Parameter(self.bias_R.detach()[kept].clone())
        self.means_RF = None if self.means_RF is None else self.means_RF[kept]
        self.classes = [self.classes[row] for row in kept]

    @torch.no_grad()
    def hand_over(self, rows: Mapping[int, int]) -> None:
        """Give classes the rows of others: new class id by the id whose row it gets; both must have one."""
        weight_RF, bias_R = self.weight_RF.clone(), self.bias_R.clone()
        for giver, taker in rows.items():
            place, row = self.classes.index(taker), self.classes.index(giver)
            self.weight_RF[place], self.bias_R[place] = weight_RF[row], bias_R[row]

    def forward(self, images_NCHW: Tensor, layer: str = "") -> Tensor:
        """Logits (N, R), in the order of `classes`, of images or of a layer's activations."""
        return self.rate(self.body.onward(images_NCHW, layer))

    def rate(self, features_NF: Tensor) -> Tensor:
        """Logits (N, R) from the body's features."""
        return functional.linear(features_NF, self.weight_RF, self.bias_R)

    def each(self, batches: Sequence[Batch]) -> list[Tensor]:
        """Features (N, F) of several batches; in one pass where there are batch statistics."""
        entries = [(batch.images_NCHW, batch.layer) for batch in batches]
        return self.body.together(entries) if self.normed else [self.body.onward(*entry) for entry in entries]

    @torch.no_grad()
    def latents(self, images_NCHW: Tensor, layer: str) -> Tensor:
        """A layer's activations (N, ...), in slices."""
        return torch.cat([self.body.up_to(part, layer) for part in images_NCHW.split(4096)])

    def blank(self) -> Self:
        """A network of the same shape without rows, which has learned nothing."""
        return type(self)(self.settings, self.space, seed=0)

    def only(self, classes: Sequence[int]) -> Self:
        """A copy with the rows of some classes alone; it shares nothing with this network."""
        twin = self.blank()
        twin.grow(classes, seed=0)
        rows, mine = [self.classes.index(name) for name in classes], self.state_dict()
        twin.load_state_dict({name: part[rows] if name in BY_ROW else part for name, part in mine.items() if name != "means_RF"})
        twin.means_RF = None if self.means_RF is None else self.means_RF[rows]
        return twin

    def answer(self, images_NCHW: Tensor, only: Sequence[int] | None = None, layer: str = "") -> Tensor:
        """The likeliest class id (N,); where the classes have means, the one whose mean is nearest."""
        if self.means_RF is None or layer:
            return super().answer(images_NCHW, only, layer)
        away_NR = torch.cdist(self.features(images_NCHW), self.means_RF).nan_to_num(torch.inf)
        away_NR[:, [row for row, name in enumerate(self.classes) if only is not None and name not in only]] = torch.inf
        return torch.tensor(self.classes, device=away_NR.device)[away_NR.argmin(dim=1)]

    @torch.no_grad()
    def features(self, images_NCHW: Tensor) -> Tensor:
        """The body's features, each of length 1 (N, width); in slices."""
        return torch.cat([functional.normalize(self.body(part)) for part in images_NCHW.split(4096)])

    def copy(self) -> Self:
        """An equal network that shares nothing with this one."""
        return self.only(self.classes)


def entered(batch: Batch, net: Classifier, layer: str) -> Batch:
    """The same items as a layer's activations."""
    return replace(batch, images_NCHW=net.latents(batch.images_NCHW, layer), layer=layer)
