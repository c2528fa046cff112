"""Streams: how a data set is dealt out to days, in every kind and scenario."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sleepwake import recipe as recipes
from sleepwake.domains.vision.domain import Vision, build
from sleepwake.errors import DataError, RecipeError

TINY = Path(__file__).parent.parent / "recipes" / "vision" / "tiny.toml"
AWAKE = ("policy.nights=0", 'morning.probes="none"', 'wake.replay={type="none"}', 'dreamer={type="none"}', "stream.tasks=0")


def made(*settings: str, seed: int = 100, places: tuple[Path, ...] = ()) -> Vision:
    return build(recipes.load(TINY, [*AWAKE, *settings], seed), "cpu", places)


def labels(domain: Vision) -> list[set[str]]:
    """Class names of each task's training images."""
    return [{domain.space.classes[name] for name in domain.examples(task).labels_N.tolist()} for task in domain.tasks]


@pytest.mark.parametrize("scenario", ["class", "task"])
def test_a_split_brings_new_classes_each_day(scenario: str) -> None:
    domain = made(f'stream.scenario="{scenario}"', "stream.first_classes=4")
    assert [len(task.parts) for task in domain.tasks] == [4, 2, 2, 2]
    assert labels(domain) == [set(task.parts) for task in domain.tasks]
    assert len(set.union(*labels(domain))) == 10
    assert domain.labels == {"class": "seen", "task": "task"}[scenario]
    assert domain.space.before(1) == domain.space.ids(domain.tasks[0].parts)


def test_where_labels_are_shared_a_class_is_its_place_in_the_task() -> None:
    domain = made('stream.scenario="domain"')
    assert domain.space.classes == ("place 1", "place 2")
    assert labels(domain) == [{"place 1", "place 2"}] * 5
    assert len(set(domain.tests)) == 5


def test_permutations_rearrange_the_same_pixels() -> None:
    domain = made('stream.kind="permuted"', 'stream.scenario="domain"', "stream.tasks=3", "stream.pad=1")
    one, other = (domain.examples(task).images_NCHW.flatten(start_dim=1) for task in domain.tasks[:2])
    assert one.shape[1] == 100, "8 x 8 pixels and a margin of one"
    assert not torch.equal(one, other)
    assert torch.equal(one.sort(dim=1).values, other.sort(dim=1).values), "equal images, pixels in another order"
    test = domain.stream.test(domain.stream.dealt[1])
    assert len(test) == domain.test_sizes[1]
    again = made('stream.kind="permuted"', 'stream.scenario="domain"', "stream.tasks=3", "stream.pad=1")
    assert torch.equal(again.examples(again.tasks[1]).images_NCHW.flatten(start_dim=1), other)


def test_images_are_scaled_before_all_else() -> None:
    """Halved, each pixel is near the mean of the four that it covers; what was 8 x 8 is 4 x 4 and a margin."""
    plain, small = made(), made("stream.side=4", "stream.pad=1")
    whole, halved = (domain.examples(domain.tasks[0]).images_NCHW for domain in (plain, small))
    assert small.space.shape == (1, 6, 6)
    means = torch.nn.functional.avg_pool2d(whole, 2)
    assert float((halved[:, :, 1:-1, 1:-1] - means).abs().mean()) < 0.1
    assert float((halved.mean() * 36 - whole.mean() * 16).abs()) < 0.5
    assert torch.equal(halved[:, :, 0], torch.zeros_like(halved[:, :, 0]))


def test_new_instances_part_the_images_without_loss() -> None:
    domain = made('stream.kind="instances"', "stream.tasks=4")
    assert labels(domain) == [set(domain.space.classes)] * 4
    parts = [domain.examples(task).images_NCHW for task in domain.tasks]
    assert sum(len(part) for part in parts) == len(domain.stream.images.train_labels_N)
    assert domain.tests == ["all"]
    assert domain.evaluate(domain.mind(), 0, "all")[0] is not None


def test_mixed_chunks_bring_each_image_once_and_a_test_a_class() -> None:
    domain = made('stream.kind="mixed"', "stream.chunks=3", "stream.first_classes=4")
    assert len(domain.tasks) == 1 + 4 * 2 + 6 * 3
    assert len(domain.tasks[0].parts) == 4
    assert all(len(task.parts) == 1 for task in domain.tasks[1:])
    assert sum(len(domain.examples(task)) for task in domain.tasks) == len(domain.stream.images.train_labels_N)
    assert sorted(domain.tests) == sorted(domain.space.classes)
    homes = {test.name: test.home for test in domain.stream.dealt}
    first = {name: next(task.index for task in domain.tasks if name in task.parts) for name in homes}
    assert homes == first
    assert all(domain.stream.of(task).name in task.parts for task in domain.tasks)


@pytest.fixture
def pair(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for name, size in (("one", 6), ("two", 4)):
        arrays: dict[str, Any] = {}
        for split in ("train", "test"):
            arrays[f"x_{split}"] = rng.integers(0, 256, (12, size, size), dtype=np.uint8)
            arrays[f"y_{split}"] = np.arange(12) % 3
        np.savez(tmp_path / f"{name}.npz", **arrays)
    return tmp_path


def test_a_data_set_each_day_padded_to_one_size(pair: Path) -> None:
    stream = 'stream={type="npz", kind="domains", scenario="domain", data=["one.npz", "two.npz"]}'
    domain = build(recipes.load(TINY, [*AWAKE[:-1], stream], 0), "cpu", (pair,))
    assert [task.name for task in domain.tasks] == ["domain-1", "domain-2"]
    assert domain.space.shape == (1, 6, 6)
    small = domain.examples(domain.tasks[1]).images_NCHW
    assert small.shape == (12, 1, 6, 6)
    assert small[:, :, 0].sum() == 0
    with pytest.raises(DataError, match='kind = "domains"'):
        build(recipes.load(TINY, [*AWAKE[:-1], stream.replace(', kind="domains"', "")], 0), "cpu", (pair,))


@pytest.mark.parametrize(
    ("setting", "path"),
    [
        (['stream.kind="mixed"', 'stream.scenario="task"'], "stream.scenario"),
        (['stream.scenario="task"', 'wake.head={type="cwr"}'], "wake.head.type"),
        (['stream.scenario="domain"', 'dreamer={type="vae"}'], "dreamer.frozen"),
        (['stream.kind="instances"', 'learner={type="generative"}'], "learner.type"),
        (['learner={type="slda"}', 'wake.replay={type="exact"}'], "learner.type"),
        (['wake.replay={type="generated"}'], "dreamer.type"),
        (["wake.restart=true", 'wake.penalty={type="si", strength=1}'], "wake.restart"),
        (["policy.nights=1"], "dreamer.type"),
        (["policy.nights=1", 'dreamer={type="vae"}'], "morning.probes"),
        (['method="no-such"'], "method"),
    ],
)
def test_choices_that_have_no_meaning_together_are_refused(setting: list[str], path: str) -> None:
    with pytest.raises(RecipeError) as caught:
        recipes.load(TINY, [*AWAKE, *setting])
    assert path in str(caught.value)


def test_all_that_does_not_go_together_is_told_at_once() -> None:
    with pytest.raises(RecipeError) as caught:
        recipes.load(TINY, [*AWAKE, "policy.nights=1", 'challenger={type="none"}', 'wake.replay={type="generated"}'])
    assert "mistakes" in str(caught.value)
    assert all(path in str(caught.value) for path in ("challenger.type", "dreamer.type", "morning.probes"))
