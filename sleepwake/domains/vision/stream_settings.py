"""What a vision recipe can say of its stream: the data and how they come. Imports no torch."""

from typing import Annotated, Literal

from pydantic import Field

from sleepwake.settings import Own, Settings


class StreamSettings(Settings):
    """What every stream has, wherever its data lie."""

    kind: Literal["classes", "permuted", "domains", "instances", "mixed"] = "classes"
    """New classes each task (NC); one set under pixel permutations; a data set each; new images each (NI); chunks of classes (NIC)."""
    scenario: Literal["class", "task", "domain"] = "class"
    """Answers are among all classes seen; among the task's own, which is told; or all tasks share their labels (van de Ven & Tolias)."""
    classes_per_task: int = Field(default=2, ge=1)
    """New classes in each task; the last task takes what is left."""
    first_classes: int = Field(default=0, ge=0)
    """Classes of the first task; 0: as many as of the others."""
    order: Literal["seed", "sorted"] | list[str] = "seed"
    """Order of the classes: shuffled by the recipe's seed, sorted by name, or a list that names each class once."""
    tasks: int = Field(default=0, ge=0)
    """How many tasks of the stream to use, from its beginning; 0 for all (10 permutations, 5 sets of new images)."""
    chunks: int = Field(default=8, ge=1)
    """Chunks of each class, where the kind is "mixed" and the data know of none; CORe50's chunks are its sessions."""
    train_per_class: int = Field(default=0, ge=0)
    """At most so many training images a class, the first in file order; 0 for all."""
    side: int = Field(default=0, ge=0)
    """Pixels of a side that images are scaled to, before anything else is done to them (bilinear); 0: as they are."""
    pad: int = Field(default=0, ge=0)
    """Black pixels on each side of an image."""


class DigitsStream(StreamSettings):
    """The 1,797 handwritten digits of 8 x 8 pixels that come with scikit-learn; nothing to download."""

    type: Literal["digits"] = "digits"
    """A quarter of each class is test data: the same quarter for every seed."""


class NpzStream(StreamSettings):
    """A numpy archive with x_train, y_train, x_test, y_test."""

    type: Literal["npz"]
    """uint8 images (N, H, W) or (N, H, W, C) and integer labels."""
    data: str | list[str]
    """The .npz file; several of them for the kind "domains"."""


class IdxStream(StreamSettings):
    """The four idx files of MNIST and its kin, plain or .gz."""

    type: Literal["idx"]
    """{train,t10k}-images-idx3-ubyte and {train,t10k}-labels-idx1-ubyte."""
    data: str
    """The folder that holds them."""


class FolderStream(StreamSettings):
    """A folder of images, one subfolder a class."""

    type: Literal["folder"]
    """train/<class>/* and test/<class>/*: PNG or JPEG, all of one size."""
    data: str
    """The folder that holds `train` and `test`."""


class Core50Stream(StreamSettings):
    """CORe50 (Lomonaco & Maltoni 2017): videos of 50 objects in eleven sessions, of which 3, 7 and 10 are for tests."""

    type: Literal["core50"]
    """s<session>/o<object>/C_<session>_<object>_<frame>.png; pictures are read when a day asks for them."""
    data: str = "core50_128x128"
    """The folder that holds the sessions s1 to s11."""
    classes: Literal["object", "category"] = "object"
    """50 objects, or ten categories of five objects each."""
    size: int = Field(default=128, ge=1)
    """Pixels of a side: the short one is resized to it, and the middle of the long one kept."""


class ImageNetStream(StreamSettings):
    """ImageNet (Russakovsky et al. 2015), or whatever else lies in its folders."""

    type: Literal["imagenet"]
    """train/<wnid>/* and val/<wnid>/* (or test/<wnid>/*); pictures are read when a day asks for them."""
    data: str = "imagenet"
    """The folder that holds `train` and `val`."""
    size: int = Field(default=224, ge=1)
    """Pixels of a side: the short one is resized to it, and the middle of the long one kept."""


class OwnStream(StreamSettings, Own):
    """A reader of your own: a function of these settings and of the places where data are sought, giving a list of `data_sets.Images`."""


Stream = Annotated[
    DigitsStream | NpzStream | IdxStream | FolderStream | Core50Stream | ImageNetStream | OwnStream, Field(discriminator="type")
]
