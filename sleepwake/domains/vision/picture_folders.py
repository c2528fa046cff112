"""Readers of large data sets that lie as picture files: CORe50 and ImageNet. Pictures are read when a day asks for them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from sleepwake.domains.paths import find
from sleepwake.domains.vision.data_sets import Array, Images, Places
from sleepwake.domains.vision.stream_settings import Core50Stream, ImageNetStream
from sleepwake.errors import DataError

CATEGORIES = (
    "plug adapter", "mobile phone", "scissors", "light bulb", "can", "glasses", "ball", "marker", "cup", "remote control",
)  # fmt: skip
"""CORe50's ten categories, of five objects each, in the order of the objects (Lomonaco & Maltoni 2017)."""
TEST_SESSIONS = (3, 7, 10)
"""CORe50's test sessions by its published protocol; the others are for training."""


@dataclass(frozen=True)
class Pictures:
    """Colour images (N, size, size, 3) as files; an index array reads those asked for, and no others.

    Attributes:
        files: an image each.
        size: pixels of a side; the short side is resized to it (bilinear), and the middle of the long one kept.
    """

    files: Sequence[Path]
    size: int

    dtype = np.dtype(np.uint8)
    ndim = 4

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Images, height, width and channels."""
        return len(self.files), self.size, self.size, 3

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, places_N: Any) -> Array:
        images_NHWC = np.empty((len(places_N), *self.shape[1:]), dtype=self.dtype)
        for image_HWC, place in zip(images_NHWC, places_N, strict=True):
            image_HWC[:] = read(self.files[place], self.size)
        return images_NHWC


def read(file: Path, size: int) -> Array:
    """One picture as a square (size, size, 3).

    Raises:
        DataError: it isn't one.
    """
    try:
        with Image.open(file) as picture:
            scale = size / min(picture.size)
            width, height = (max(size, round(side * scale)) for side in picture.size)
            whole = picture.convert("RGB").resize((width, height), Image.Resampling.BILINEAR)
    except (UnidentifiedImageError, OSError) as error:
        raise DataError(f"{file} can't be read as an image: {error}") from error
    left, top = (width - size) // 2, (height - size) // 2
    return np.asarray(whole.crop((left, top, left + size, top + size)))


def core50(settings: Core50Stream, places: Places) -> list[Images]:
    """<data>/s<session>/o<object>/*.png, a class an object or a category; a training image's chunk is its session.

    Raises:
        DataError: the folder isn't laid out so.
    """
    root = find(settings.data, places)
    found: dict[str, list[tuple[Path, int, int]]] = {"train": [], "test": []}
    for session, of_session in numbered(root, "s"):
        for thing, of_thing in numbered(of_session, "o"):
            rows = [(file, thing - 1, session) for file in files(of_thing)]
            found["test" if session in TEST_SESSIONS else "train"].extend(rows)
    if not all(found.values()):
        raise DataError(f"{root} holds no pictures of training sessions, or none of {TEST_SESSIONS}", "name CORe50's folder core50_128x128")
    train, test = ([file for file, _, _ in found[split]] for split in ("train", "test"))
    things, test_things = (np.array([thing for _, thing, _ in found[split]]) for split in ("train", "test"))
    sessions_N = np.array([session for _, _, session in found["train"]])
    names = tuple(f"o{place + 1}" for place in range(int(things.max()) + 1))
    if settings.classes == "category":
        things, test_things, names = things // 5, test_things // 5, CATEGORIES
    return [Images(Pictures(train, settings.size), things, Pictures(test, settings.size), test_things, names, train_chunks_N=sessions_N)]


def imagenet(settings: ImageNetStream, places: Places) -> list[Images]:
    """<data>/train/<wnid>/* and <data>/val/<wnid>/* (or test in the place of val), a class a folder.

    Raises:
        DataError: the folder isn't laid out so.
    """
    root = find(settings.data, places)
    held = next((root / name for name in ("val", "test") if (root / name).is_dir()), None)
    names = tuple(sorted(part.name for part in (root / "train").glob("*") if part.is_dir()))
    if held is None or not names:
        raise DataError(f"{root} holds no train/<wnid> and val/<wnid>", "lay pictures out in a folder a class, in train and in val")
    listed = [[(file, label) for label, name in enumerate(names) for file in files(split / name)] for split in (root / "train", held)]
    (train, labels), (test, test_labels) = (
        (Pictures([file for file, _ in rows], settings.size), np.array([label for _, label in rows], dtype=np.int64)) for rows in listed
    )
    return [Images(train, labels, test, test_labels, names)]


def numbered(folder: Path, letter: str) -> Iterator[tuple[int, Path]]:
    """Subfolders named by a letter and a number, by number."""
    there = [(part.name.removeprefix(letter), part) for part in folder.glob(f"{letter}*") if part.is_dir()]
    yield from sorted((int(number), part) for number, part in there if number.isdecimal())


def files(folder: Path) -> list[Path]:
    """The files of a folder by name; none where there is no folder."""
    return sorted(part for part in folder.glob("*") if part.is_file())
