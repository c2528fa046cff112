"""Batches of images, and the space that they live in."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any, Self

import torch
from torch import Tensor
from torch.nn import functional

from sleepwake.seeds import seed as seed_at

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in grey (ITU-R BT.601)."""


@dataclass(frozen=True)
class Space:
    """What every role of a mind must agree on.

    Attributes:
        shape: channels, height and width of an image; where `layer` is named, the shape of its activations.
        classes: names of all classes of the stream, in the order in which they are learned; a class's id is its place here.
        device: where tensors live.
        seed: the recipe's seed.
        tasks: ids of the classes of each task.
        told: whether it is told which task an image is from, so that only that task's classes compete for an answer.
        layer: the learner's layer whose activations stand in the place of images; empty for images.
        dreams: how many classes that never existed may have a row; their ids follow those of the stream's.
    """

    shape: tuple[int, ...]
    classes: tuple[str, ...]
    device: torch.device
    seed: int
    tasks: tuple[tuple[int, ...], ...] = ()
    told: bool = False
    layer: str = ""
    dreams: int = 0

    @property
    def width(self) -> int:
        """Ids there are: the stream's classes, then dreamed ones."""
        return len(self.classes) + self.dreams

    def is_dreamed(self, name: int) -> bool:
        """Whether an id is that of a dreamed class."""
        return name >= len(self.classes)

    def is_practised(self, name: int) -> bool:
        """Whether an id is of dreams that are only practised as a class of the stream: it has no row."""
        return name >= self.width

    @property
    def pixels(self) -> int:
        """Numbers in an image."""
        return prod(self.shape)

    def within(self, shape: tuple[int, ...], layer: str) -> "Space":
        """The space of a layer's activations."""
        return replace(self, shape=shape, layer=layer)

    def ids(self, names: Sequence[str]) -> list[int]:
        """The ids of named classes."""
        return [self.classes.index(name) for name in names]

    def before(self, task: int) -> list[int]:
        """Ids of the classes that were taught before the task of this number."""
        return list(dict.fromkeys(name for group in self.tasks[:task] for name in group))

    def among(self, parts: Sequence[str]) -> list[int] | None:
        """Ids that compete for the answer on an image of these classes; None: all that the learner knows."""
        return self.ids(parts) if self.told else None

    def at(self, *position: int | str) -> int:
        """A seed for a place in this mind, such as the first weights of a role."""
        return seed_at(self.seed, "vision", *position)


PARTS = ("images_NCHW", "labels_N", "targets_NK", "lures_N", "distances_N", "logits_NK")
"""A batch's tensors, each with an item a row."""


@dataclass(frozen=True)
class Batch:
    """Images with what they are meant to be.

    Attributes:
        images_NCHW: float32 in [0, 1]; where `layer` is named, its activations.
        labels_N: int64 ids of the classes that the images are of, or are intended as.
        targets_NK: a response over all classes of the stream, each row summing to 1; None where the label is the target.
        temperature: of the response.
        squared: whether the response's loss is multiplied by the squared temperature.
        lures_N: id of the class that a dream leans towards; None for what is not a dream of a challenge.
        distances_N: how far it leans, in (0, 1].
        logits_NK: stored logits, not a number for classes unknown then; None where there are none.
        dark: weight of the squared distance from them.
        layer: where the items enter the network: after this layer; empty for images.
    """

    images_NCHW: Tensor
    labels_N: Tensor
    targets_NK: Tensor | None = None
    temperature: float = 1.0
    squared: bool = True
    lures_N: Tensor | None = None
    distances_N: Tensor | None = None
    logits_NK: Tensor | None = None
    dark: float = 0.0
    layer: str = ""

    def __len__(self) -> int:
        return len(self.labels_N)

    def take(self, index_N: Tensor) -> Self:
        """The items at the given places (or where the given mask is true)."""
        return replace(self, **{name: part[index_N] for name in PARTS if (part := getattr(self, name)) is not None})

    def select(self, mask: Sequence[bool]) -> Self:
        """The items where the mask is true, in order."""
        return self.take(torch.tensor(list(mask), dtype=torch.bool, device=self.labels_N.device))

    def concat(self, other: Self) -> Self:
        """These items, then the others; both must have the same parts."""
        assert (self.temperature, self.layer) == (other.temperature, other.layer)
        joined: dict[str, Any] = {}
        for name in PARTS:
            mine, theirs = getattr(self, name), getattr(other, name)
            assert (mine is None) == (theirs is None), f"only one of the two batches has {name}"
            if mine is not None:
                joined[name] = torch.cat([mine, theirs])
        return replace(self, **joined)

    def aimed(self, targets_NK: Tensor | None, temperature: float = 1.0, squared: bool = True) -> Self:
        """The same images with another target."""
        return replace(self, targets_NK=targets_NK, temperature=temperature, squared=squared)


def fitted(images_NCHW: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Images of another size and other channels: bilinear; grey is the luma of colours, or the same in each of them."""
    channels, height, width = shape
    if images_NCHW.shape[2:] != (height, width):
        images_NCHW = functional.interpolate(images_NCHW, (height, width), mode="bilinear", antialias=True, align_corners=False)
    if images_NCHW.shape[1] == 3 and channels == 1:
        weights_C11 = torch.tensor(LUMA, device=images_NCHW.device)[:, None, None]
        images_NCHW = (images_NCHW * weights_C11).sum(dim=1, keepdim=True)
    if images_NCHW.shape[1] != channels:
        images_NCHW = images_NCHW.expand(-1, channels, -1, -1)
    return images_NCHW
