"""CORe50 and ImageNet as they lie on disk, in folders of tiny pictures."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sleepwake import recipe as recipes
from sleepwake.domains.vision import picture_folders
from sleepwake.domains.vision.domain import Vision, build
from sleepwake.domains.vision.picture_folders import Pictures, read
from sleepwake.errors import DataError

TINY = Path(__file__).parent.parent / "recipes" / "vision" / "tiny.toml"
AWAKE = ("policy.nights=0", 'judge={type="none"}', 'morning.probes="none"', 'wake.replay={type="none"}', 'dreamer={type="none"}')


def made(place: Path, *settings: str, sets: tuple[str, ...] = AWAKE) -> Vision:
    return build(recipes.load(TINY, [*sets, *settings], 100), "cpu", (place,))


def draw(file: Path, colour: tuple[int, int, int], size: tuple[int, int] = (4, 4)) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(file)


def core50_at(root: Path, things: int, sessions: list[int], frames: int) -> Path:
    """Pictures whose red says which object they are of, whose green says the session, and whose blue the frame."""
    for session in sessions:
        for thing in range(1, things + 1):
            for frame in range(frames):
                draw(root / f"s{session}/o{thing}/C_{session:02d}_{thing:02d}_{frame:03d}.png", (thing, session, frame))
    return root


@pytest.fixture
def core(tmp_path: Path) -> Path:
    core50_at(tmp_path / "core50_128x128", 3, [1, 2, 3, 11], 2)
    return tmp_path


def reds(domain: Vision, task: int, channel: int = 0) -> list[int]:
    """A channel of each of a day's images, as it was drawn."""
    images_NCHW = domain.examples(domain.tasks[task]).images_NCHW
    return [round(value) for value in (images_NCHW[:, channel, 0, 0] * 255).tolist()]


CORE = 'stream={type="core50", size=4, order="sorted", classes_per_task=1'


def test_core50_tests_on_its_own_sessions(core: Path) -> None:
    domain = made(core, CORE + "}")
    assert domain.space.shape == (3, 4, 4)
    assert domain.space.classes == ("o1", "o2", "o3")
    assert reds(domain, 1) == [2] * 6, "three training sessions of two frames"
    assert reds(domain, 1, channel=1) == [1, 1, 2, 2, 11, 11], "sessions by number, not by name"
    test = domain.stream.test(domain.stream.dealt[1])
    assert [round(value) for value in (test.images_NCHW[:, 1, 0, 0] * 255).tolist()] == [3, 3]


def test_core50_by_category(tmp_path: Path) -> None:
    core50_at(tmp_path / "core50_128x128", 7, [1, 3], 1)
    domain = made(tmp_path, CORE + ', classes="category"}')
    assert domain.space.classes == ("plug adapter", "mobile phone")
    assert reds(domain, 0) == [1, 2, 3, 4, 5]
    assert reds(domain, 1) == [6, 7]


def test_mixed_chunks_are_sessions(core: Path) -> None:
    domain = made(core, CORE + ', kind="mixed", first_classes=2}')
    assert len(domain.tasks) == 1 + 3 * 3 - 2
    assert reds(domain, 0) == [1, 1, 2, 2]
    assert reds(domain, 0, channel=1) == [1, 1, 1, 1], "the first session of each"
    for place in range(1, len(domain.tasks)):
        assert len(set(reds(domain, place))) == len(set(reds(domain, place, channel=1))) == 1, "one object in one session"
    seen = sorted((reds(domain, place)[0], reds(domain, place, channel=1)[0]) for place in range(1, len(domain.tasks)))
    assert seen == [(1, 2), (1, 11), (2, 2), (2, 11), (3, 1), (3, 2), (3, 11)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """CORe50 with one frame in place of 300: 550 pictures of two by two pixels, all links to one."""
    place = tmp_path_factory.mktemp("whole")
    draw(place / "one.png", (1, 2, 3), (2, 2))
    for session in range(1, 12):
        for thing in range(1, 51):
            folder = place / f"core50_128x128/s{session}/o{thing}"
            folder.mkdir(parents=True)
            (folder / f"C_{session:02d}_{thing:02d}_000.png").symlink_to(place / "one.png")
    return place


def test_nic_makes_391_experiences(whole: Path) -> None:
    """Lomonaco et al. 2020: ten classes of one session each first, then one class in one session 390 times."""
    domain = made(whole, 'stream={type="core50", size=2, kind="mixed", first_classes=10}')
    assert len(domain.tasks) == 391
    assert len(domain.tasks[0].parts) == 10
    assert {len(task.parts) for task in domain.tasks[1:]} == {1}
    assert [len(lesson.train.places_N) for lesson in domain.stream.lessons] == [10] + [1] * 390
    taken = np.concatenate([lesson.train.places_N for lesson in domain.stream.lessons])
    assert sorted(taken.tolist()) == list(range(400)), "each training image once"
    assert len(domain.tests) == 50


def test_nc_makes_nine_experiences(whole: Path) -> None:
    domain = made(whole, 'stream={type="core50", size=2, first_classes=10, classes_per_task=5}')
    assert [len(task.parts) for task in domain.tasks] == [10] + [5] * 8


def test_pictures_are_read_when_asked_for(core: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def counted(file: Path, size: int) -> np.ndarray:
        asked.append(f"{file.parent.parent.name}/{file.parent.name}")
        return read(file, size)

    monkeypatch.setattr(picture_folders, "read", counted)
    domain = made(core, CORE + "}")
    assert not asked, "building reads no picture"
    domain.examples(domain.tasks[2])
    assert set(asked) == {"s1/o3", "s2/o3", "s11/o3"}
    assert len(asked) == 6


def test_the_short_side_is_resized_and_the_middle_kept(tmp_path: Path) -> None:
    """8 x 4 pixels: two columns of black, four of grey, two of white. Half as large, the middle is grey with a little of both sides."""
    pixels = np.zeros((4, 8, 3), dtype=np.uint8)
    pixels[:, 2:6], pixels[:, 6:] = 100, 255
    Image.fromarray(pixels).save(tmp_path / "wide.png")
    Image.fromarray(pixels[..., 0].T.copy()).save(tmp_path / "tall.png")
    pictures = Pictures([tmp_path / "wide.png", tmp_path / "tall.png"], 4)
    assert pictures.shape == (2, 4, 4, 3)
    assert pictures[np.array([0])].shape == (1, 4, 4, 3)
    assert (pictures[np.array([0])] == 100).all()
    assert (pictures[np.array([1])] == 100).all(), "grey pictures get three channels"
    small = read(tmp_path / "wide.png", 2)
    assert small[0, :, 0].tolist() == [88, 119], "bilinear: weights 1, 3, 3 and 1 of 8 over four columns"


def test_a_picture_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_text("no picture")
    with pytest.raises(DataError, match=r"bad\.png"):
        read(tmp_path / "bad.png", 4)


@pytest.mark.parametrize("held", ["val", "test"])
def test_imagenet_by_its_folders(held: str, tmp_path: Path) -> None:
    for label, name in enumerate(["n01", "n02", "n03", "n04"]):
        for split, count in (("train", 3), (held, 2)):
            for place in range(count):
                draw(tmp_path / f"imagenet/{split}/{name}/{place}.JPEG", (60 * label, 0, 0), (6 + label, 5))
    domain = made(tmp_path, 'stream={type="imagenet", size=4, order="sorted", classes_per_task=2}')
    assert domain.space.classes == ("n01", "n02", "n03", "n04")
    examples = domain.examples(domain.tasks[1])
    assert examples.images_NCHW.shape == (6, 3, 4, 4)
    assert examples.labels_N.tolist() == [2, 2, 2, 3, 3, 3]
    assert np.allclose((examples.images_NCHW[:, 0, 0, 0] * 255).tolist(), [120] * 3 + [180] * 3, atol=4)
    assert domain.test_sizes == [4, 4]


@pytest.mark.parametrize("kind", ["core50", "imagenet"])
def test_a_folder_laid_out_otherwise_is_refused(kind: str, tmp_path: Path) -> None:
    (tmp_path / "somewhere").mkdir()
    with pytest.raises(DataError, match="somewhere"):
        made(tmp_path, f'stream={{type="{kind}", data="somewhere"}}')


def test_grey_and_colour_in_one_stream(tmp_path: Path) -> None:
    """Grey images get the channels of the coloured ones, and a margin to their size (MNIST and SVHN)."""
    rng = np.random.default_rng(0)
    for name, shape in (("grey", (6, 2, 2)), ("colour", (6, 4, 4, 3))):
        arrays = {f"x_{split}": rng.integers(1, 256, shape, dtype=np.uint8) for split in ("train", "test")}
        np.savez(tmp_path / f"{name}.npz", **arrays, y_train=np.arange(6) % 3, y_test=np.arange(6) % 3)
    stream = 'stream={type="npz", kind="domains", scenario="domain", data=["grey.npz", "colour.npz"]}'
    domain = made(tmp_path, stream)
    assert domain.space.shape == (3, 4, 4)
    grey, colour = (domain.examples(task).images_NCHW for task in domain.tasks)
    assert grey.shape == colour.shape == (6, 3, 4, 4)
    assert bool((grey[:, 0] == grey[:, 1]).all())
    assert bool((grey[:, 0] == grey[:, 2]).all())
    assert not bool((colour[:, 0] == colour[:, 1]).all())
    assert bool((grey[:, :, 0] == 0).all())
    assert bool((grey[:, :, 1:3, 1:3] > 0).all())
