"""Bodies: what turns images into features, as a chain of named layers. Replay may enter after any of them."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from sleepwake.domains.paths import find
from sleepwake.domains.tensors import seeded
from sleepwake.domains.vision.body_settings import FolderWeights
from sleepwake.domains.vision.images import Space
from sleepwake.domains.vision.wake_settings import CnnLearner, MlpLearner, NetworkLearner
from sleepwake.errors import DataError


class Body(nn.Sequential):
    """Named layers: (N, C, H, W) -> (N, width)."""

    def up_to(self, images_NCHW: Tensor, layer: str) -> Tensor:
        """Activations of a named layer; the images themselves where the name is empty."""
        for name, part in self.named_children() if layer else ():
            images_NCHW = part(images_NCHW)
            if name == layer:
                break
        return images_NCHW

    def onward(self, inputs: Tensor, layer: str) -> Tensor:
        """Features (N, width) from activations of a named layer, or from images where the name is empty."""
        if not layer:
            features_NF: Tensor = self(inputs)
            return features_NF
        names = [name for name, _ in self.named_children()]
        for part in list(self)[names.index(layer) + 1 :]:
            inputs = part(inputs)
        return inputs

    def together(self, entries: Sequence[tuple[Tensor, str]]) -> list[Tensor]:
        """Features of several batches in one pass, each entering after its layer: batch statistics are those of all.

        Args:
            entries: images or activations, and the layer after which they enter; images before activations.
        """
        names = ["", *(name for name, _ in self.named_children())]
        depths = [names.index(layer) for _, layer in entries]
        assert depths == sorted(depths)
        joined: Tensor | None = None
        for depth, part in enumerate([nn.Identity(), *self]):
            joined = None if joined is None else part(joined)
            new = [inputs for (inputs, _), its in zip(entries, depths, strict=True) if its == depth]
            joined = torch.cat(new if joined is None else [joined, *new]) if new else joined
        assert joined is not None
        return list(joined.split([len(inputs) for inputs, _ in entries]))


def mlp(space: Space, hidden: Sequence[int]) -> Body:
    """Fully connected layers with ReLU, named hidden1, hidden2 and so on."""
    layers: list[tuple[str, nn.Module]] = [("flat", nn.Flatten())]
    for place, (inputs, outputs) in enumerate(pairwise([space.pixels, *hidden]), start=1):
        layers.append((f"hidden{place}", nn.Sequential(nn.Linear(inputs, outputs), nn.ReLU())))
    return Body(OrderedDict(layers))


def cnn(space: Space, channels: Sequence[int], hidden: int) -> Body:
    """Convolutions of stride 2 with ReLU, named conv1, conv2 and so on, then a hidden layer."""
    count, height, width = space.shape
    layers: list[tuple[str, nn.Module]] = []
    for place, (inputs, outputs) in enumerate(pairwise([count, *channels]), start=1):
        layers.append((f"conv{place}", nn.Sequential(nn.Conv2d(inputs, outputs, kernel_size=3, stride=2, padding=1), nn.ReLU())))
        height, width = (height + 1) // 2, (width + 1) // 2
    last = nn.Sequential(nn.Flatten(), nn.Linear(channels[-1] * height * width, hidden), nn.ReLU())
    return Body(OrderedDict([*layers, ("hidden", last)]))


def body_of(settings: NetworkLearner, space: Space, seed: int) -> tuple[Body, int]:
    """A freshly initialised body, and how many features it gives."""
    with seeded(seed, space.device):
        if isinstance(settings, CnnLearner):
            return cnn(space, settings.channels, settings.hidden), settings.hidden
        if isinstance(settings, MlpLearner):
            return mlp(space, settings.hidden), settings.hidden[-1]
        from sleepwake.domains.vision import backbones  # transformers takes seconds to load

        layers, width = backbones.layers_of(settings, space)
        return Body(OrderedDict(layers)), width


def start(body: Body, settings: NetworkLearner) -> None:
    """Copy the weights that the settings name into a fresh body; nothing where they name none.

    Raises:
        DataError: they can't be read, or are of another shape.
    """
    if not isinstance(settings, MlpLearner | CnnLearner):
        from sleepwake.domains.vision import backbones

        backbones.pretrained(body, settings)
    elif isinstance(settings.weights, FolderWeights):
        body.load_state_dict(body_state(Path(settings.weights.folder), body.state_dict()))


def body_state(folder: Path, wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state of a body from the folder in which a run has saved its learner.

    Raises:
        DataError: there is none, or it is of another shape.
    """
    file = folder / "network.safetensors"
    if not file.is_file():
        raise DataError(
            f"learner.weights: {folder} holds no network.safetensors",
            'learner.weights = { folder = "checkpoints/RUN/COMMIT/learner" }',
        )
    held = {key.removeprefix("body."): value for key, value in load_file(file).items() if key.startswith("body.")}
    if {key: value.shape for key, value in held.items()} != {key: value.shape for key, value in wanted.items()}:
        shapes = ", ".join(f"{key} {tuple(value.shape)}" for key, value in held.items())
        raise DataError(f"learner.weights: the body in {folder} has another shape: {shapes}", "the learner's settings of that run")
    return held


def located(settings: Any, places: tuple[Path, ...]) -> Any:
    """A learner's settings with the folder of its weights, if any, as a path that exists."""
    weights = getattr(settings, "weights", None)
    if not isinstance(weights, FolderWeights):
        return settings
    return settings.model_copy(update={"weights": FolderWeights(folder=str(find(weights.folder, places)))})


def inner_space(settings: Any, space: Space, layer: str) -> Space:
    """The space of a layer's activations, in place of that of images; the same space where the name is empty."""
    if not layer:
        return space
    body, _ = body_of(settings, space, 0)
    body.eval()
    with torch.no_grad():
        shape = body.up_to(torch.zeros((1, *space.shape), device=space.device), layer).shape[1:]
    return space.within(tuple(shape), layer)
