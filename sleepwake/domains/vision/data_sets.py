"""Readers of image data sets as they lie on disk: a class each, from settings to arrays."""

import gzip
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from sleepwake.domains.paths import find
from sleepwake.domains.vision.stream_settings import DigitsStream, FolderStream, IdxStream, NpzStream
from sleepwake.errors import DataError

Places = tuple[Path, ...]
Array = np.ndarray[Any, Any]


class Pixels(Protocol):
    """Images (N, H, W, C) in memory, or read when an index array asks for them."""

    @property
    def dtype(self) -> Any: ...
    @property
    def ndim(self) -> int: ...
    @property
    def shape(self) -> tuple[int, ...]: ...
    def __len__(self) -> int: ...
    def __getitem__(self, places_N: Any, /) -> Any: ...


@dataclass(frozen=True)
class Images:
    """A data set as it lies on disk.

    Attributes:
        train_NHWC, test_NHWC: uint8.
        train_labels_N, test_labels_N: integers; every label that occurs is a class, named by its number or by `names`.
        names: the name of each label; None where the label is the name.
        white: the value that stands for 1.
        train_chunks_N: the chunk of each training image, such as its session; None where the data know of none.
    """

    train_NHWC: Pixels
    train_labels_N: Array
    test_NHWC: Pixels
    test_labels_N: Array
    names: tuple[str, ...] | None = None
    white: int = 255
    train_chunks_N: Array | None = None

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


def digits(settings: DigitsStream, places: Places) -> list[Images]:
    """scikit-learn's bundled digits; a stratified quarter is test data, the same one for every seed."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    bundle = load_digits()
    images_NHWC = bundle.images.astype(np.uint8)[..., None]
    train, test = train_test_split(np.arange(len(images_NHWC)), test_size=0.25, stratify=bundle.target, random_state=0)
    return [Images(images_NHWC[train], bundle.target[train], images_NHWC[test], bundle.target[test], white=16)]


def npz(settings: NpzStream, places: Places) -> list[Images]:
    """One numpy archive or several; nothing in them is unpickled."""
    names = [settings.data] if isinstance(settings.data, str) else settings.data
    return [read_npz(find(name, places)) for name in names]


def read_npz(path: Path) -> Images:
    """One archive.

    Raises:
        DataError: it isn't one, or lacks an array.
    """
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


def idx(settings: IdxStream, places: Places) -> list[Images]:
    """The four idx files of MNIST and its kin."""
    folder = find(settings.data, places)
    parts = {
        (split, kind): read_idx(folder, f"{split}-{kind}-ubyte") for split in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")
    }
    train, test = ((with_channels(parts[split, "images-idx3"]), parts[split, "labels-idx1"]) for split in ("train", "t10k"))
    return [Images(*train, *test)]


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


def folder(settings: FolderStream, places: Places) -> list[Images]:
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
    return [Images(stacked(train), np.array(train_labels), stacked(test), np.array(test_labels), names)]


def with_channels(images: Array) -> Array:
    """(N, H, W) -> (N, H, W, 1); other shapes stay."""
    return images[..., None] if images.ndim == 3 else images
