"""Streams: how data sets are dealt out to days. Every read of images passes the guard."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from sleepwake.domains.tensors import generator
from sleepwake.domains.vision.data_sets import Array, Images, Pixels
from sleepwake.domains.vision.images import Batch, Space, fitted
from sleepwake.domains.vision.stream_settings import StreamSettings
from sleepwake.errors import DataError
from sleepwake.records import Task
from sleepwake.roles import Guard
from sleepwake.seeds import seed as seed_at

PERMUTED, INSTANCES = 10, 5
"""Tasks of these kinds of stream where the recipe names no number."""


@dataclass(frozen=True)
class Selection:
    """Some images of a data set, what they are called, and how their pixels are rearranged.

    Attributes:
        images_NHWC, labels_N: of the data set.
        places_N: of the chosen ones, class by class.
        names: the class name of each label.
        order_P: where each pixel is taken from; None where they stay.
    """

    images_NHWC: Pixels
    labels_N: Array
    places_N: Array
    names: Mapping[int, str]
    white: int
    order_P: Array | None = None

    def batch(self, space: Space) -> Batch:
        """The images as float32 in [0, 1], with class ids: grey in every channel where others have colours, padded, and permuted."""
        pixels_NHWC = torch.from_numpy(self.images_NHWC[self.places_N]).to(space.device)
        images_NCHW = pixels_NHWC.permute(0, 3, 1, 2).float().contiguous() / self.white
        channels, height, width = space.shape
        if images_NCHW.shape[1] < channels:
            images_NCHW = images_NCHW.repeat(1, channels, 1, 1)
        rows, columns = height - images_NCHW.shape[2], width - images_NCHW.shape[3]
        if rows or columns:
            images_NCHW = torch.nn.functional.pad(images_NCHW, (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2))
        if self.order_P is not None:
            flat_NCP = images_NCHW.flatten(start_dim=2)
            images_NCHW = flat_NCP[:, :, torch.from_numpy(self.order_P).to(space.device)].unflatten(2, (height, width))
        ids = {label: space.classes.index(name) for label, name in self.names.items()}
        labels = [ids[label] for label in self.labels_N[self.places_N].tolist()]
        return Batch(images_NCHW, torch.tensor(labels, dtype=torch.int64, device=space.device))


@dataclass(frozen=True)
class Lesson:
    """A task before it has a number: its name, its class names, and its training images."""

    name: str
    parts: tuple[str, ...]
    train: Selection


@dataclass(frozen=True)
class Scaled:
    """Images of another size, scaled when they are read."""

    images_NHWC: Pixels
    side: int

    @property
    def dtype(self) -> Any:
        """As they were."""
        return self.images_NHWC.dtype

    @property
    def ndim(self) -> int:
        """Four."""
        return self.images_NHWC.ndim

    @property
    def shape(self) -> tuple[int, ...]:
        """Count, side, side, channels."""
        return (len(self), self.side, self.side, self.images_NHWC.shape[3])

    def __len__(self) -> int:
        return len(self.images_NHWC)

    def __getitem__(self, places_N: Any, /) -> Array:
        pixels_NCHW = torch.from_numpy(self.images_NHWC[places_N]).permute(0, 3, 1, 2).float()
        other_NCHW = fitted(pixels_NCHW, (pixels_NCHW.shape[1], self.side, self.side))
        found: Array = other_NCHW.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()
        return found


def scaled(images: Images, side: int) -> Images:
    """A data set whose images are scaled as they are read."""
    return replace(images, train_NHWC=Scaled(images.train_NHWC, side), test_NHWC=Scaled(images.test_NHWC, side))


@dataclass(frozen=True)
class Test:
    """A test set, and the tasks after which it counts: those that taught one of its classes."""

    name: str
    images: Selection
    home: int


Dealt = tuple[list[Lesson], list[Test]]


class Stream:
    """Tasks and tests over data sets."""

    def __init__(self, settings: StreamSettings, sets: Sequence[Images], seed: int, device: torch.device, guard: Guard) -> None:
        sets = [scaled(images, settings.side) for images in sets] if settings.side else sets
        self.settings, self.images, self.guard = settings, sets[0], guard
        if len(sets) > 1 and settings.kind != "domains":
            raise DataError(f"stream.data names {len(sets)} data sets", 'several are for kind = "domains"')
        self.lessons, self.dealt = KINDS[settings.kind](settings, sets, seed)
        self.tasks = [Task(index, lesson.name, lesson.parts) for index, lesson in enumerate(self.lessons)]
        used = tuple(dict.fromkeys(name for lesson in self.lessons for name in lesson.parts))
        height, width = (max(images.train_NHWC.shape[axis] for images in sets) + 2 * settings.pad for axis in (1, 2))
        ids = tuple(tuple(used.index(name) for name in lesson.parts) for lesson in self.lessons)
        shape = (max(images.train_NHWC.shape[3] for images in sets), height, width)
        self.space = Space(shape, used, device, seed, tasks=ids, told=settings.scenario == "task")

    def train(self, task: Task) -> Batch:
        """A task's training images, class by class."""
        self.guard.check(f"training data of task {task.name}")
        return self.lessons[task.index].train.batch(self.space)

    def test(self, test: Test) -> Batch:
        """A test's images, class by class."""
        self.guard.check(f"test data of {test.name}")
        return test.images.batch(self.space)

    def of(self, task: Task) -> Test:
        """The test of what a task teaches: its own; that of its first class, where tests are of classes; or the one that all share."""
        return next((test for test in self.dealt if test.name in (task.name, *task.parts)), self.dealt[-1])


def by_classes(settings: StreamSettings, sets: Sequence[Images], seed: int) -> Dealt:
    """Split: new classes in each task (NC). Where the scenario is "domain", all tasks share the names of the places in a task."""
    images = sets[0]
    classes = ordered(settings.order, list(images.classes), seed)
    first = settings.first_classes or settings.classes_per_task
    begins = [0, *range(first, len(classes), settings.classes_per_task)]
    groups = [tuple(classes[start:end]) for start, end in zip(begins, [*begins[1:], len(classes)], strict=True)]
    groups = groups[: within(settings.tasks, len(groups), f"{len(classes)} classes")]
    lessons, tests = [], []
    for place, group in enumerate(groups):
        shared = settings.scenario == "domain"
        called = {name: f"place {index + 1}" if shared else name for index, name in enumerate(group)}
        train, test = (chosen(images, split, called, settings.train_per_class) for split in ("train", "test"))
        lessons.append(Lesson("-".join(group), tuple(called.values()), train))
        tests.append(Test("-".join(group), test, place))
    return lessons, tests


def permuted(settings: StreamSettings, sets: Sequence[Images], seed: int) -> Dealt:
    """The same images in each task, their pixels permuted by an order of the task's own (Goodfellow et al. 2013)."""
    images, count = sets[0], settings.tasks or PERMUTED
    _, height, width, _ = images.train_NHWC.shape
    pixels = (height + 2 * settings.pad) * (width + 2 * settings.pad)
    orders = [np.random.default_rng(seed_at(seed, "vision", "pixels", place)).permutation(pixels) for place in range(count)]
    return repeated(settings, [images] * count, [f"permutation-{place + 1}" for place in range(count)], orders)


def domains(settings: StreamSettings, sets: Sequence[Images], seed: int) -> Dealt:
    """A data set each task; all have the same classes. Smaller images are padded to the largest, grey ones get the others' channels."""
    channels = {images.train_NHWC.shape[3] for images in sets}
    if len({tuple(images.classes) for images in sets}) > 1 or len(channels - {1}) > 1:
        raise DataError("the data sets of stream.data differ in classes or channels", "name data sets of the same classes")
    names = [f"domain-{place + 1}" for place in range(len(sets))]
    return repeated(settings, sets, names, [None] * len(sets))


def repeated(settings: StreamSettings, sets: Sequence[Images], names: Sequence[str], orders: Sequence[Array | None]) -> Dealt:
    """All classes in each task; of one name where the scenario is "domain", and of the task's own elsewhere."""
    lessons, tests = [], []
    for place, (images, name, order_P) in enumerate(zip(sets, names, orders, strict=True)):
        called = {raw: raw if settings.scenario == "domain" else f"{raw}@{place + 1}" for raw in images.classes}
        train, test = (chosen(images, split, called, settings.train_per_class, order_P) for split in ("train", "test"))
        lessons.append(Lesson(name, tuple(called.values()), train))
        tests.append(Test(name, test, place))
    return lessons, tests


def instances(settings: StreamSettings, sets: Sequence[Images], seed: int) -> Dealt:
    """All classes in each task, new images of them (NI, Lomonaco & Maltoni 2017); one test of everything."""
    images, count = sets[0], settings.tasks or INSTANCES
    called = {name: name for name in images.classes}
    train, test = (chosen(images, split, called, settings.train_per_class) for split in ("train", "test"))
    deal_N = np.random.default_rng(seed_at(seed, "vision", "instances")).permutation(len(train.places_N)) % count
    lessons = [Lesson(f"part-{part + 1}", tuple(called), part_of(train, deal_N == part)) for part in range(count)]
    if any(set(np.unique(images.train_labels_N[lesson.train.places_N])) != set(train.names) for lesson in lessons):
        raise DataError(f"stream.tasks is {count}: too many for every class to occur in each", "fewer tasks, or more images a class")
    return lessons, [Test("all", test, 0)]


def mixed(settings: StreamSettings, sets: Sequence[Images], seed: int) -> Dealt:
    """New images of known classes and new classes, mixed (NIC, Lomonaco et al. 2020): each class comes in chunks, one chunk a task.

    The first task has the first chunk of `first_classes` classes; all other chunks follow in random order, those of one class in their own.
    Chunks are those of the data, such as sessions, or equal parts in file order where the data know of none.
    A test a class, so that both growing and whole test sets can be read off.
    """
    images = sets[0]
    classes = ordered(settings.order, list(images.classes), seed)
    rng = np.random.default_rng(seed_at(seed, "vision", "chunks"))
    first = classes[: settings.first_classes or settings.classes_per_task]
    parts = {name: chunked(images, name, settings) for name in classes}
    rest = [name for name in classes for chunk in range(len(parts[name])) if chunk or name not in first]
    order = [rest[place] for place in rng.permutation(len(rest))]
    chunks = {name: iter(of_class) for name, of_class in parts.items()}

    def lesson(name: str, group: Sequence[str]) -> Lesson:
        train = chosen(images, "train", {raw: raw for raw in group}, settings.train_per_class)
        kept = [next(chunks[raw]) + start for raw, start in zip(group, starts(train, group, images), strict=True)]
        mask_N = np.zeros(len(train.places_N), dtype=bool)
        mask_N[np.concatenate(kept)] = True
        return Lesson(name, tuple(group), part_of(train, mask_N))

    dealt = [lesson("first", first), *(lesson(f"{place + 2}-{name}", [name]) for place, name in enumerate(order))]
    dealt = dealt[: within(settings.tasks, len(dealt), f"{sum(map(len, parts.values()))} chunks")]
    homes = {name: place for place, part in reversed(list(enumerate(dealt))) for name in part.parts}
    tests = [Test(name, chosen(images, "test", {name: name}, 0), home) for name, home in sorted(homes.items(), key=lambda pair: pair[1])]
    return dealt, tests


KINDS: dict[str, Callable[[StreamSettings, Sequence[Images], int], Dealt]] = {
    "classes": by_classes, "permuted": permuted, "domains": domains, "instances": instances, "mixed": mixed,
}  # fmt: skip


def places(images: Images, name: str, most: int) -> Array:
    """Where a class's training images lie, the first in file order where not all are wanted."""
    return np.flatnonzero(images.train_labels_N == images.classes[name])[: most or None]


def chunked(images: Images, name: str, settings: StreamSettings) -> list[Array]:
    """Each chunk of a class, as places among the class's training images."""
    mine_N = places(images, name, settings.train_per_class)
    if images.train_chunks_N is None:
        return np.array_split(np.arange(len(mine_N)), settings.chunks)
    chunks_N = images.train_chunks_N[mine_N]
    return [np.flatnonzero(chunks_N == chunk) for chunk in np.unique(chunks_N)]


def chosen(images: Images, split: str, called: Mapping[str, str], most: int, order_P: Array | None = None) -> Selection:
    """Whole classes of a split, under the names that they are called by."""
    labels_N = getattr(images, f"{split}_labels_N")
    most = most if split == "train" else 0
    found = [np.flatnonzero(labels_N == images.classes[raw])[: most or None] for raw in called]
    names = {images.classes[raw]: name for raw, name in called.items()}
    return Selection(getattr(images, f"{split}_NHWC"), labels_N, np.concatenate(found), names, images.white, order_P)


def part_of(selection: Selection, mask_N: Array) -> Selection:
    """The images of a selection where the mask is true."""
    return Selection(
        selection.images_NHWC, selection.labels_N, selection.places_N[mask_N], selection.names, selection.white, selection.order_P
    )


def starts(selection: Selection, group: Sequence[str], images: Images) -> list[int]:
    """Where each class of a selection begins."""
    labels_N = selection.labels_N[selection.places_N]
    return [int(np.flatnonzero(labels_N == images.classes[name])[0]) for name in group]


def within(asked: int, there: int, of: str) -> int:
    """How many tasks to use.

    Raises:
        DataError: more are asked for than there are.
    """
    if asked > there:
        raise DataError(f"stream.tasks is {asked}, but {of} make {there} tasks")
    return asked or there


def ordered(order: str | list[str], classes: list[str], seed: int) -> list[str]:
    """The classes in the order in which they are learned.

    Raises:
        DataError: an order that does not name each class once.
    """
    if order == "sorted":
        return classes
    if order == "seed":
        shuffled: Any = torch.randperm(len(classes), generator=generator(seed_at(seed, "vision", "order")), device="cpu")
        return [classes[place] for place in shuffled.tolist()]
    if sorted(order) != sorted(classes):
        raise DataError(
            f"stream.order names {list(order)}, but the classes are {classes}",
            f"order = {str(classes).replace(chr(39), chr(34))}, in any order",
        )
    return list(order)
