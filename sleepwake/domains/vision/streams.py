"""Class-incremental streams over arrays of images: each task brings new classes."""

import gzip
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sleepwake.domains.paths import find
from sleepwake.domains.tensors import generator
from sleepwake.domains.vision.images import Batch, Space
from sleepwake.domains.vision.settings import DigitsStream, FolderStream, IdxStream, NpzStream
from sleepwake.errors import DataError
from sleepwake.records import Task
from sleepwake.roles import Guard
from sleepwake.seeds import seed as seed_at

Places = tuple[Path, ...]
Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Images:
    """A data set as it lies on disk.

    Attributes:
        train_NHWC, test_NHWC: uint8.
        train_labels_N, test_labels_N: integers; every label that occurs is a class, named by its number or by `names`.
        names: the name of each label; None where the label is the name.
        white: the value that stands for 1.
    """

    train_NHWC: Array
    train_labels_N: Array
    test_NHWC: Array
    test_labels_N: Array
    names: tuple[str, ...] | None = None
    white: int = 255

    def __post_init__(self) -> None:
        for split in ("train", "test"):
            images, labels = getattr(self, f"{split}_NHWC"), getattr(self, f"{split}_labels_N")
            if images.dtype != np.uint8 or images.ndim != 4 or labels.ndim != 1 or len(images) != len(labels):
                raise DataError(
                    f"the {split} data are {images.dtype} images of shape {images.shape} and labels of shape {labels.shape}",
                    "images must be uint8 (N, H, W) or (N, H, W, C), with N integer labels",
                )
            if not np.issubdtype(labels.dtype, np.integer) or not len(labels) or labels.min() < 0:
                raise DataError(f"the {split} labels must be integers from 0, at least one of them")
        if self.train_NHWC.shape[1:] != self.test_NHWC.shape[1:]:
            raise DataError("train and test images differ in size")
        if missing := set(self.train_labels_N.tolist()) - set(self.test_labels_N.tolist()):
            raise DataError(f"no test image of the labels {sorted(missing)}", "every class needs test images")

    @property
    def classes(self) -> dict[str, int]:
        """Label of each class name, sorted by label."""
        labels = sorted(set(self.train_labels_N.tolist()))
        return {self.names[label] if self.names else str(label): label for label in labels}


def digits(settings: DigitsStream, places: Places) -> Images:
    """scikit-learn's bundled digits; a stratified quarter is test data, the same one for every seed."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    bundle = load_digits()
    images_NHWC = bundle.images.astype(np.uint8)[..., None]
    train, test = train_test_split(np.arange(len(images_NHWC)), test_size=0.25, stratify=bundle.target, random_state=0)
    return Images(images_NHWC[train], bundle.target[train], images_NHWC[test], bundle.target[test], white=16)


def npz(settings: NpzStream, places: Places) -> Images:
    """A numpy archive; nothing in it is unpickled."""
    path = find(settings.data, places)
    try:
        with np.load(path, allow_pickle=False) as archive:
            if missing := [name for name in ("x_train", "y_train", "x_test", "y_test") if name not in archive]:
                raise DataError(f"{path} has no {', '.join(missing)}", "its arrays must be x_train, y_train, x_test, y_test")
            arrays = {name: archive[name] for name in ("x_train", "y_train", "x_test", "y_test")}
    except DataError:
        raise
    except (ValueError, OSError, EOFError, AttributeError, TypeError) as error:  # what numpy raises for what isn't an archive
        raise DataError(f"{path} can't be read as a numpy archive of plain arrays: {error}") from error
    return Images(with_channels(arrays["x_train"]), arrays["y_train"], with_channels(arrays["x_test"]), arrays["y_test"])


def idx(settings: IdxStream, places: Places) -> Images:
    """The four idx files of MNIST and its kin."""
    folder = find(settings.data, places)
    parts = {
        (split, kind): read_idx(folder, f"{split}-{kind}-ubyte") for split in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")
    }
    return Images(
        with_channels(parts["train", "images-idx3"]),
        parts["train", "labels-idx1"],
        with_channels(parts["t10k", "images-idx3"]),
        parts["t10k", "labels-idx1"],
    )


def read_idx(folder: Path, name: str) -> Array:
    """One idx file (http://yann.lecun.com/exdb/mnist): magic 0x0000080d with d dimensions, d big-endian sizes, then bytes."""
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            break
    else:
        raise DataError(f"{folder} holds neither {name} nor {name}.gz")
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        zeros, kind, dimensions = struct.unpack_from(">HBB", content)
        shape = struct.unpack_from(f">{dimensions}I", content, 4)
        if zeros or kind != 8:
            raise ValueError(f"magic number {content[:4].hex()}")
        return np.frombuffer(content, dtype=np.uint8, offset=4 + 4 * dimensions).reshape(shape)
    except (ValueError, struct.error, OSError, EOFError) as error:
        raise DataError(f"{path} is not an idx file of bytes: {error}") from error


def folder(settings: FolderStream, places: Places) -> Images:
    """train/<class>/* and test/<class>/*; grey where every image is grey."""
    from PIL import Image, UnidentifiedImageError

    root = find(settings.data, places)
    names = tuple(sorted(part.name for part in (root / "train").glob("*") if part.is_dir()))
    if not names:
        raise DataError(f"{root / 'train'} holds no class folders", "lay images out as train/<class>/* and test/<class>/*")
    loaded: dict[str, tuple[list[Array], list[int]]] = {"train": ([], []), "test": ([], [])}
    for split, (images, labels) in loaded.items():
        for label, name in enumerate(names):
            for file in sorted(part for part in (root / split / name).glob("*") if part.is_file()):
                try:
                    with Image.open(file) as image:
                        images.append(np.asarray(image if image.mode == "L" else image.convert("RGB")))
                except (UnidentifiedImageError, OSError) as error:
                    raise DataError(f"{file} can't be read as an image: {error}") from error
                labels.append(label)
    grey = all(image.ndim == 2 for images, _ in loaded.values() for image in images)
    sizes = {image.shape[:2] for images, _ in loaded.values() for image in images}
    if len(sizes) != 1 or not all(labels for _, labels in loaded.values()):
        raise DataError(f"{root} has images of the sizes {sorted(sizes)}", "both splits need images, all of one size")

    def stacked(images: list[Array]) -> Array:
        return np.stack([image[..., None] if grey else np.atleast_3d(image).repeat(3 if image.ndim == 2 else 1, -1) for image in images])

    (train, train_labels), (test, test_labels) = loaded["train"], loaded["test"]
    return Images(stacked(train), np.array(train_labels), stacked(test), np.array(test_labels), names)


def with_channels(images: Array) -> Array:
    """(N, H, W) -> (N, H, W, 1); other shapes stay."""
    return images[..., None] if images.ndim == 3 else images


class Stream:
    """Tasks over a data set; every read of its images passes the guard."""

    def __init__(self, settings: Any, images: Images, seed: int, device: torch.device, guard: Guard) -> None:
        self.settings, self.images, self.guard = settings, images, guard
        classes = ordered(settings.order, list(images.classes), seed)
        size = settings.classes_per_task
        groups = [tuple(classes[start : start + size]) for start in range(0, len(classes), size)]
        if settings.tasks > len(groups):
            raise DataError(f"stream.tasks is {settings.tasks}, but {len(classes)} classes make {len(groups)} tasks")
        groups = groups[: settings.tasks or len(groups)]
        self.tasks = [Task(index, "-".join(group), group) for index, group in enumerate(groups)]
        height, width, channels = images.train_NHWC.shape[1:]
        used = tuple(name for group in groups for name in group)
        self.space = Space(shape=(channels, height, width), classes=used, device=device, seed=seed)

    def train(self, task: Task) -> Batch:
        """A task's training images, class by class."""
        self.guard.check(f"training data of task {task.name}")
        return self._batch(task, self.images.train_NHWC, self.images.train_labels_N, self.settings.train_per_class)

    def test(self, task: Task) -> Batch:
        """A task's test images, class by class."""
        self.guard.check(f"test data of task {task.name}")
        return self._batch(task, self.images.test_NHWC, self.images.test_labels_N, 0)

    def test_size(self, task: Task) -> int:
        """How many test images a task has."""
        labels = [self.images.classes[name] for name in task.parts]
        return int(np.isin(self.images.test_labels_N, labels).sum())

    def _batch(self, task: Task, images_NHWC: Array, labels_N: Array, most: int) -> Batch:
        places = [np.flatnonzero(labels_N == self.images.classes[name])[: most or None] for name in task.parts]
        pixels_NHWC = torch.from_numpy(images_NHWC[np.concatenate(places)]).to(self.space.device)
        images_NCHW = pixels_NHWC.permute(0, 3, 1, 2).float().contiguous() / self.images.white
        labels = [label for label, place in zip(self.space.ids(task.parts), places, strict=True) for _ in place]
        return Batch(images_NCHW, torch.tensor(labels, dtype=torch.int64, device=self.space.device))


def ordered(order: str | list[str], classes: list[str], seed: int) -> list[str]:
    """The classes in the order in which they are learned."""
    if order == "sorted":
        return classes
    if order == "seed":
        shuffled: Tensor = torch.randperm(len(classes), generator=generator(seed_at(seed, "vision", "order")), device="cpu")
        return [classes[place] for place in shuffled.tolist()]
    if sorted(order) != sorted(classes):
        raise DataError(
            f"stream.order names {list(order)}, but the classes are {classes}",
            f"order = {str(classes).replace(chr(39), chr(34))}, in any order",
        )
    return list(order)
