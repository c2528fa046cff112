"""The vision domain at tiny size: real classes, real digits, no network."""

import gzip
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from days import a_round, contents, day, saved
from PIL import Image
from safetensors.torch import load_file

from sleepwake import recipe as recipes
from sleepwake.domains import load_class
from sleepwake.domains.vision.domain import Vision, build
from sleepwake.domains.vision.images import Batch, Space
from sleepwake.domains.vision.judges import agreement
from sleepwake.domains.vision.networks import Classifier
from sleepwake.domains.vision.oracle import oracle
from sleepwake.domains.vision.settings import CLASSES
from sleepwake.domains.vision.training import Answered, Shuffled, Term, loss_of, train
from sleepwake.domains.vision.wake_settings import CnnLearner, MlpLearner
from sleepwake.errors import DataError, RecipeError
from sleepwake.records import Verdicts
from sleepwake.roles import Mind, NightBreachError

CPU = torch.device("cpu")
TINY = Path(__file__).parent.parent / "recipes" / "vision" / "tiny.toml"
SPACE = Space(shape=(1, 2, 2), classes=("a", "b", "c"), device=CPU, seed=0)
FAST = ("wake.steps=30", "dreamer.steps=30", "sleep.rehearse.steps=5", "sleep.consolidate.steps=5", "sleep.rehearse.fewest=1")


def made(*settings: str, seed: int = 100) -> Vision:
    return build(recipes.load(TINY, settings, seed), "cpu", ())


def night(domain: Vision, mind: Mind, commit: Path, seed: int = 2) -> tuple[Batch, Verdicts, dict[str, Any]]:
    """A round and a consolidation from the mind saved in `commit`; returns the round's material, verdicts and facts."""
    told = a_round(domain, mind, commit, seed)
    with domain.guard.night():
        dusk = domain.mind()
        dusk.load(commit)
        domain.consolidation.consolidate(mind, dusk, seed)
    return told


def test_every_type_in_a_recipe_has_its_class() -> None:
    for kinds in CLASSES.values():
        for path in kinds.values():
            assert callable(load_class(path))


# ------------------------------------------------------------------------------------------------------------------- streams


def test_digits_split_is_the_same_for_every_seed_and_stratified() -> None:
    one, other = made(seed=100), made(seed=101)
    assert one.space.classes != other.space.classes, "seeds change the order of the classes"
    assert np.array_equal(one.stream.images.test_NHWC, other.stream.images.test_NHWC)
    counts = np.bincount(one.stream.images.test_labels_N)
    assert counts.sum() == 450
    assert counts.min() >= 43
    images = one.examples(one.tasks[0]).images_NCHW
    assert images.shape[1:] == (1, 8, 8)
    assert (images.min().item(), images.max().item()) == (0.0, 1.0)


def test_order_can_be_named_and_must_name_each_class_once() -> None:
    order = [str(digit) for digit in range(9, -1, -1)]
    assert made(f"stream.order={order}".replace("'", '"'), "stream.tasks=0").tests == ["9-8", "7-6", "5-4", "3-2", "1-0"]
    with pytest.raises(DataError, match=r"stream\.order names"):
        made('stream.order=["1", "2"]')
    with pytest.raises(DataError, match="5 tasks"):
        made("stream.tasks=6")


@pytest.fixture
def arrays() -> dict[str, np.ndarray[Any, Any]]:
    chance = np.random.default_rng(0)
    labels = np.array([0, 1, 2, 3] * 5)
    images = chance.integers(0, 256, (20, 6, 6), dtype=np.uint8)
    return {"x_train": images, "y_train": labels, "x_test": images[:8], "y_test": labels[:8]}


def stream_of(data: Path, kind: str) -> Vision:
    return made(f'stream={{type="{kind}", data="{data}", tasks=2}}')


def test_npz_idx_and_folder_give_the_same_stream(tmp_path: Path, arrays: dict[str, np.ndarray[Any, Any]]) -> None:
    np.savez(tmp_path / "data.npz", **arrays)
    for split, name in (("train", "train"), ("test", "t10k")):
        images, labels = arrays[f"x_{split}"], arrays[f"y_{split}"]
        (tmp_path / f"{name}-images-idx3-ubyte").write_bytes(struct.pack(">HBB3I", 0, 8, 3, *images.shape) + images.tobytes())
        packed = struct.pack(">HBBI", 0, 8, 1, len(labels)) + labels.astype(np.uint8).tobytes()
        (tmp_path / f"{name}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(packed))
        for place, (image, label) in enumerate(zip(images, labels, strict=True)):
            folder = tmp_path / split / str(label)
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(folder / f"{place:03d}.png")
    streams = [stream_of(tmp_path / "data.npz", "npz"), stream_of(tmp_path, "idx"), stream_of(tmp_path, "folder")]
    for other in streams[1:]:
        assert other.tests == streams[0].tests
        for task in streams[0].tasks:
            mine, theirs = streams[0].examples(task), other.examples(task)
            assert torch.equal(mine.images_NCHW, theirs.images_NCHW)
            assert torch.equal(mine.labels_N, theirs.labels_N)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"x_train": np.zeros((20, 6, 6), dtype=np.float32)}, "uint8"),
        ({"y_train": np.zeros(20)}, "integers"),
        ({"y_train": np.zeros(3, dtype=np.int64)}, "labels of shape"),
        ({"x_test": np.zeros((8, 5, 5), dtype=np.uint8)}, "differ in size"),
        ({"y_test": np.zeros(8, dtype=np.int64)}, "no test image"),
        ({"x_train": np.array([object()])}, "plain arrays"),
        ({"y_test": None}, "has no y_test"),
    ],
)
def test_malformed_archives_are_told(tmp_path: Path, arrays: dict[str, np.ndarray[Any, Any]], change: dict[str, Any], words: str) -> None:
    kept = {name: array for name, array in {**arrays, **change}.items() if array is not None}
    np.savez(tmp_path / "data.npz", **kept)
    with pytest.raises(DataError, match=words):
        stream_of(tmp_path / "data.npz", "npz")


def test_files_that_are_no_archive_and_missing_files_are_told(tmp_path: Path) -> None:
    (tmp_path / "data.npz").write_bytes(b"not a zip")
    (tmp_path / "train-images-idx3-ubyte").write_bytes(b"\x00\x00\x09\x03")
    for kind, data in (("npz", tmp_path / "data.npz"), ("npz", tmp_path / "none.npz"), ("idx", tmp_path), ("folder", tmp_path)):
        with pytest.raises(DataError):
            stream_of(data, kind)


def test_data_cannot_be_read_by_night() -> None:
    domain = made()
    with domain.guard.night():
        with pytest.raises(NightBreachError):
            domain.examples(domain.tasks[0])
        with pytest.raises(NightBreachError):
            domain.evaluate(domain.mind(), 1, "seen")
        with domain.guard.audit():
            domain.examples(domain.tasks[0])


# ------------------------------------------------------------------------------------------------------- networks and training


@pytest.mark.parametrize("settings", [MlpLearner(hidden=[5]), CnnLearner(type="cnn", channels=[2, 3], hidden=5)])
def test_growing_keeps_old_rows_and_copies_share_nothing(settings: MlpLearner | CnnLearner) -> None:
    net = Classifier(settings, SPACE, seed=1)
    net.grow([2, 0], seed=2)
    images = torch.rand((4, 1, 2, 2), device=CPU)
    before, twin = net(images).detach(), net.copy()
    net.grow([1], seed=3)
    assert torch.equal(net(images)[:, :2], before)
    assert net.rows(torch.tensor([0, 1, 2], device=CPU)).tolist() == [1, 2, 0]
    with torch.no_grad():
        net.weight_RF.zero_()
    assert torch.equal(twin(images), before)
    response = twin.response(images)
    assert response[:, 1].abs().max() == 0, "a class without a row has no chance"
    assert torch.allclose(response.sum(dim=1), torch.ones(4, device=CPU))
    assert twin.answer(images, only=[2]).tolist() == [2] * 4


def test_soft_loss_equals_hard_loss_for_certain_targets_and_has_a_gradient_that_temperature_keeps() -> None:
    net = Classifier(MlpLearner(hidden=[5]), SPACE, seed=1)
    net.grow([0, 1, 2], seed=2)
    labels = torch.tensor([0, 2, 1], device=CPU)
    hard = Batch(torch.rand((3, 1, 2, 2), device=CPU), labels)
    soft = hard.aimed(torch.nn.functional.one_hot(labels, 3).float())
    assert torch.allclose(loss_of(net, hard), loss_of(net, soft))
    uniform = torch.full((3, 3), 1 / 3, device=CPU)
    expected = -(net(hard.images_NCHW) / 2).log_softmax(1).mean(1).mean() * 4
    assert torch.allclose(loss_of(net, hard.aimed(uniform, temperature=2.0)), expected)


def test_a_mean_of_responses_is_a_response() -> None:
    nets = [Classifier(MlpLearner(hidden=[5]), SPACE, seed=seed) for seed in (1, 2)]
    for net in nets:
        net.grow([0, 2], seed=3)
    batch = Batch(torch.rand((6, 1, 2, 2), device=CPU), torch.zeros(6, dtype=torch.int64, device=CPU))
    towards = Answered(Shuffled(batch), nets, temperature=2.0, weights=[0.25, 0.75]).draw(4, seed=5)
    assert towards.targets_NK is not None
    expected = 0.25 * nets[0].response(towards.images_NCHW, 2.0) + 0.75 * nets[1].response(towards.images_NCHW, 2.0)
    assert torch.allclose(towards.targets_NK, expected)


def test_the_loop_learns_and_repeats_itself() -> None:
    """Two classes that a line separates: 60 steps must bring the loss below a tenth of ln 2; equal calls give equal weights."""
    images = torch.zeros((40, 1, 2, 2), device=CPU)
    images[20:] = 1.0
    batch = Batch(images, torch.arange(40, device=CPU) // 20)
    states = []
    for _ in range(2):
        net = Classifier(MlpLearner(hidden=[8]), SPACE, seed=1)
        net.grow([0, 1], seed=2)
        facts = train(net, [Term(1.0, Shuffled(batch), 8)], steps=60, lr=0.02, seed=3)
        assert facts["loss_last"] < 0.07 < facts["loss_first"]
        states.append(net.state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


# ---------------------------------------------------------------------------------------------------------------------- judges


def test_verdicts_by_agreement() -> None:
    class Says(Classifier):
        def __init__(self, chances: list[list[float]]) -> None:
            super().__init__(MlpLearner(hidden=[1]), SPACE, seed=0)
            self.chances = torch.tensor(chances, device=CPU)

        def response(self, *args: Any, **kwargs: Any) -> torch.Tensor:
            return self.chances

    one = Says([[0.9, 0.1, 0.0], [0.1, 0.9, 0.0], [0.9, 0.1, 0.0], [0.5, 0.3, 0.2]])
    two = Says([[0.7, 0.3, 0.0], [0.4, 0.6, 0.0], [0.2, 0.8, 0.0], [0.4, 0.3, 0.3]])
    material = Batch(torch.zeros((4, 1, 2, 2), device=CPU), torch.zeros(4, dtype=torch.int64, device=CPU))
    verdicts = agreement([one, two], material, confidence=0.5)
    assert verdicts.accepted == (True, False, False, False)
    assert verdicts.rewards[0] == pytest.approx(0.8)
    assert verdicts.rewards[1] == pytest.approx(0.25)
    assert verdicts.rewards[2:] == (None, None)
    assert verdicts.reasons == ("", "looks like b", "the judges disagree", "the judges are unsure")


def test_an_oracle_is_trained_once_for_equal_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sleepwake.domains.vision.oracle.STEPS", 20)
    one, again, other = made(*FAST), made(*FAST, "wake.steps=7"), made(*FAST, seed=101)
    assert one.oracle() is one.oracle() is again.oracle()
    assert other.oracle() is not one.oracle(), "another seed deals other images"
    batch = one.stream.train(one.tasks[0])
    space = replace(one.space, classes=one.space.classes[:2])
    first = oracle(space, batch)
    assert oracle(space, Batch(batch.images_NCHW, batch.labels_N.clone())) is first
    batch.labels_N[0] = 1 - batch.labels_N[0]
    assert oracle(space, batch) is not first, "one label differs"


@pytest.mark.parametrize("judge", ['{type="self"}', '{type="random"}', '{type="oracle"}'])
def test_control_judges_run(judge: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sleepwake.domains.vision.oracle.STEPS", 20)
    domain = made(f"judge={judge}", 'morning.probes="kept"', *FAST)
    mind = domain.mind()
    day(domain, mind, 0)
    material, verdicts, _ = night(domain, mind, saved(mind, tmp_path / "1"))
    assert len(verdicts) == len(material) > 0


def test_dreamed_probes_need_two_judges() -> None:
    for judge in ('{type="self"}', '{type="peers", members=1}'):
        with pytest.raises(RecipeError, match="dreamed"):
            made(f"judge={judge}")


# ------------------------------------------------------------------------------------------------------------- replay and dreams


def test_a_budget_is_shared_by_the_classes() -> None:
    domain = made('wake.replay={type="exact", budget=30}', *FAST)
    mind = domain.mind()
    for index in (0, 1):
        day(domain, mind, index)
        assert sum(len(images) for images in mind.memory.images.values()) == 30
    assert sorted(len(images) for images in mind.memory.images.values()) == [7, 7, 8, 8]
    assert mind.memory.metrics()["memory"] == {"images": 30 * 64}
    by_bytes = made('wake.replay={type="exact", budget=640, unit="bytes"}', *FAST)
    mind = by_bytes.mind()
    day(by_bytes, mind, 0)
    assert mind.memory.metrics()["bytes"] == 640


@pytest.mark.parametrize(
    "replay", ['{type="generated"}', '{type="exact", budget=40}', '{type="noise"}', '{type="noise", distribution="uniform"}']
)
@pytest.mark.parametrize("target", ["hard", "soft"])
def test_replay_knows_old_classes_alone_and_stands_still(replay: str, target: str) -> None:
    domain = made(f'wake.replay={replay[:-1]}, target="{target}"}}', *FAST)
    mind = domain.mind()
    assert mind.memory.source(mind, domain.tasks[0], domain.examples(domain.tasks[0]), 0) is None
    day(domain, mind, 0)
    mind.learner.open(domain.tasks[1], 5)
    source = mind.memory.source(mind, domain.tasks[1], domain.examples(domain.tasks[1]), 6)
    first = source.draw(20, 7)
    assert len(first) == 20
    assert set(first.labels_N.tolist()) <= {0, 1}
    assert (first.targets_NK is None) == (target == "hard")
    if first.targets_NK is not None:
        assert torch.allclose(first.targets_NK[:, :2].sum(dim=1), torch.ones(20, device=CPU))
    assert first.images_NCHW.min() >= 0
    assert first.images_NCHW.max() <= 1
    mind.learner.learn(domain.tasks[1], domain.examples(domain.tasks[1]), source, 8)
    mind.dreamer.fit(domain.tasks[1], domain.examples(domain.tasks[1]), None, mind.learner, 8)
    again = source.draw(20, 7)
    assert torch.equal(first.images_NCHW, again.images_NCHW)
    if first.targets_NK is not None:
        assert again.targets_NK is not None
        assert torch.equal(first.targets_NK, again.targets_NK)


DREAMERS = [
    '{type="vae"}',
    '{type="vae", frozen=false}',
    '{type="cvae"}',
    '{type="cvae", frozen=false}',
    '{type="vae", likelihood="bernoulli"}',
    '{type="wgan", channels=[]}',
    '{type="wgan", channels=[4], restart=true, ratio=0}',
]


@pytest.mark.parametrize("dreamer", [f"{text[:-1]}, hidden=[16], dreams=8, steps=40}}" for text in DREAMERS])
@pytest.mark.parametrize("lean", ["boundary", "mix"])
def test_every_dreamer_replays_dreams_and_survives_saving(dreamer: str, lean: str, tmp_path: Path) -> None:
    domain = made(f'dreamer={dreamer[:-1]}, lean="{lean}"}}', "wake.steps=30")
    mind = domain.mind()
    day(domain, mind, 0)
    frozen = mind.dreamer.copy() if getattr(mind.dreamer.settings, "frozen", False) else None
    day(domain, mind, 1)
    if frozen is not None:
        both = mind.dreamer.decoder.state_dict()
        assert all(torch.equal(both[name][: len(part)], part) for name, part in frozen.decoder.state_dict().items()), "no drift"
    mind.dreamer.save(tmp_path)
    twin = domain.mind()
    twin.dreamer.load(tmp_path)
    net, classes = mind.learner.net, mind.dreamer.classes
    assert sorted(classes) == [0, 1, 2, 3]
    mine, theirs = mind.dreamer.draw(18, 3, classes, net), twin.dreamer.draw(18, 3, classes, net)
    assert torch.equal(mine.images_NCHW, theirs.images_NCHW)
    if mind.dreamer.chooses:
        assert sorted(torch.bincount(mine.labels_N).tolist()) in ([4, 4, 5, 5], [3, 5, 5, 5])
    challenges = mind.challenger.propose(mind, 4)
    material = mind.dreamer.dream(challenges, mind.learner, 5)
    assert torch.equal(material.images_NCHW, twin.dreamer.dream(challenges, mind.learner, 5).images_NCHW)
    assert material.images_NCHW.shape[1:] == (1, 8, 8)
    assert bool((material.labels_N != material.lures_N).all())


def test_dreams_lean_further_with_distance(tmp_path: Path) -> None:
    from sleepwake.domains.vision.challengers import Challenge

    for lean in ("boundary", "mix"):
        domain = made(f'dreamer.lean="{lean}"')
        mind = domain.mind()
        day(domain, mind, 0)
        chances = [
            mind.learner.net.response(mind.dreamer.dream([Challenge(0, 1, distance)], mind.learner, 1).images_NCHW)[:, 1].mean()
            for distance in (0.01, 0.5, 1.0)
        ]
        assert chances[0] < chances[1] < chances[2], "the learner says b louder the further a dream of a leans"


def test_distances_follow_verdicts() -> None:
    domain = made(*FAST)
    mind = domain.mind()
    day(domain, mind, 0)
    challenges = mind.challenger.propose(mind, 1)
    assert set(mind.challenger.level().values()) == {0.3}
    material = mind.dreamer.dream(challenges, mind.learner, 1)
    everything = Verdicts((1.0,) * len(material), ("",) * len(material))
    nothing = Verdicts((0.0,) * len(material), ("no",) * len(material))
    mind.challenger.observe(challenges, material, everything)
    assert set(mind.challenger.level().values()) == {0.4}
    for _ in range(9):
        mind.challenger.observe(challenges, material, nothing)
    assert set(mind.challenger.level().values()) == {0.01}


# -------------------------------------------------------------------------------------------------------------- the mind as a whole


def test_days_and_nights_repeat_from_a_saved_mind(tmp_path: Path) -> None:
    """Save and load into a fresh mind after each phase, or never: every file must be equal, bit for bit."""
    folders = []
    for name, fresh in (("whole", False), ("resumed", True)):
        domain = made(*FAST)
        mind = domain.mind()
        for index in (0, 1):
            day(domain, mind, index)
            commit = saved(mind, tmp_path / f"{name}-{index}")
            if fresh:
                mind = made(*FAST).mind()
                mind.load(commit)
            mind.probes.draw(mind, 9)
            night(domain, mind, commit)
        folders.append(saved(mind, tmp_path / name))
    one, other = map(contents, folders)
    assert one.keys() == other.keys()
    assert all(one[file] == other[file] for file in one)
    assert not [file for file in one if Path(file).suffix not in (".safetensors", ".json")]


def test_a_night_changes_the_learner_alone_and_an_audit_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sleepwake.domains.vision.oracle.STEPS", 20)
    folders = []
    for audits in (False, True):
        domain = made(*FAST)
        mind = domain.mind()
        day(domain, mind, 0)
        commit = saved(mind, tmp_path / f"dusk-{audits}")
        if audits:
            with domain.guard.audit():
                domain.evaluate(mind, 1, "all")
        material, verdicts, facts = night(domain, mind, commit)
        assert facts["steps"] == 5
        if audits:
            with domain.guard.night(), domain.guard.audit():
                facts = dict(domain.audit(mind, material, verdicts))
            assert facts["judged"] == len(material)
        folders.append(contents(saved(mind, tmp_path / f"dawn-{audits}")))
        dusk = contents(commit)
        changed = {Path(file).parts[0] for file in dusk if dusk[file] != folders[-1][file]}
        assert changed == {"learner", "challenger"}
    assert folders[0] == folders[1]


def test_too_few_accepted_dreams_teach_nothing(tmp_path: Path) -> None:
    domain = made(*FAST, "sleep.rehearse.fewest=1000")
    mind = domain.mind()
    day(domain, mind, 0)
    before = contents(saved(mind, tmp_path / "1"))
    mind.judge.freeze(tmp_path / "1")
    material = mind.dreamer.dream(mind.challenger.propose(mind, 1), mind.learner, 1)
    verdicts = mind.judge.verdicts(material, 1)
    _, _, facts = domain.rehearsal.rehearse(mind, lambda: mind, material, verdicts, 1.0, 1)
    assert "fewer than 1000" in facts["skipped"]
    mind.learner.save(tmp_path)
    assert (tmp_path / "network.safetensors").read_bytes() == before["learner/network.safetensors"]


def test_kept_probes_are_held_back_and_counted() -> None:
    domain = made('morning.probes="kept"', "domain.kept_probes=5")
    mind, task = domain.mind(), domain.tasks[0]
    examples = domain.examples(task)
    rest = mind.probes.keep(task, examples, 1)
    assert len(rest) == len(examples) - 10
    assert mind.probes.metrics()["memory"] == {"images": 10 * 64}
    mind.learner.open(task, 1)
    (probe,) = mind.probes.score(mind.learner, 1)
    assert (probe.task, probe.n) == (task.name, 10)


def test_dreamed_probes_are_agreed_upon_and_survive_saving(tmp_path: Path) -> None:
    domain = made(*FAST, "wake.steps=100")
    mind = domain.mind()
    mind.probes.draw(mind, 0)
    assert mind.probes.score(mind.learner, 0) == ()
    day(domain, mind, 0)
    mind.probes.draw(mind, 1)
    (probe,) = mind.probes.score(mind.learner, 1)
    assert 0 < probe.n <= 200
    for judge in mind.judge.members:
        right = judge.answer(mind.probes.images_NCHW.float() / 255) == mind.probes.labels_N
        assert right.float().mean() > 0.9, "but for what rounding to bytes moves over a boundary"
    twin = domain.mind()
    twin.load(saved(mind, tmp_path / "1"))
    assert twin.probes.score(twin.learner, 1) == (probe,)


def test_joint_training_starts_each_day_afresh() -> None:
    domain = made("wake.restart=true", 'wake.replay={type="exact", target="hard"}', *FAST)
    mind = domain.mind()
    day(domain, mind, 0)
    before = mind.learner.net.body.state_dict()
    mind.learner.open(domain.tasks[1], 5)
    assert not any(torch.equal(before[name], part) for name, part in mind.learner.net.body.state_dict().items())
    assert mind.learner.net.classes == [0, 1, 2, 3]


def test_evaluation_ahead_and_of_an_untouched_mind() -> None:
    domain = made(*FAST)
    mind = domain.mind()
    scores = domain.evaluate(mind, 0, "all")
    assert all(score is not None and score < 0.6 for score in scores)
    day(domain, mind, 0)
    assert domain.evaluate(mind, 1, "seen")[1] is None
    assert domain.evaluate(mind, 1, "all")[1] == 0.0, "classes without rows are never answered"
    mind.learner.open(domain.tasks[1], 3)
    ahead = domain.ahead(mind, domain.tasks[1])
    assert ahead["gem"] is not None
    assert ahead["masked"] is not None
    assert ahead["gem"] <= ahead["masked"]
    assert domain.test_sizes == [len(domain.stream.test(test)) for test in domain.stream.dealt]


def test_a_contact_sheet_of_dreams(tmp_path: Path) -> None:
    domain = made(*FAST)
    mind = domain.mind()
    day(domain, mind, 0)
    material, verdicts, _ = night(domain, mind, saved(mind, tmp_path / "1"))
    (picture,) = domain.picture(tmp_path / "pictures", 7, mind, material, verdicts)
    assert picture["file"] == "pictures/00007-dreams.png"
    with Image.open(tmp_path / picture["file"]) as image:
        assert image.width > 400
    assert "accepted" in picture["caption"]


def test_no_tensor_of_a_commit_stays_on_another_device(tmp_path: Path) -> None:
    """The tests run under a default device without memory; whatever forgot its device could not have been saved."""
    domain = made(*FAST)
    mind = domain.mind()
    day(domain, mind, 0)
    for file in saved(mind, tmp_path / "1").rglob("*.safetensors"):
        assert all(part.device == CPU for part in load_file(file).values())
