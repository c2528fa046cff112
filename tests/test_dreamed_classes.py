"""Classes that never existed: their rows, how new classes take them over, who may see them, and the whole of it day by day."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from days import a_round, contents, day, saved
from diffusers import StableDiffusionPipeline, UNet2DConditionModel
from frozen_models import of_latents, of_pixels
from peft import LoraConfig, get_peft_model_state_dict
from PIL import Image

from sleepwake import recipe as recipes
from sleepwake.domains.tensors import seeded
from sleepwake.domains.vision.challengers import Challenge
from sleepwake.domains.vision.domain import Vision, build
from sleepwake.domains.vision.images import Batch, Space
from sleepwake.domains.vision.learners import terms
from sleepwake.domains.vision.mapping import greedy, remapped, wins
from sleepwake.domains.vision.networks import Classifier
from sleepwake.domains.vision.night_settings import NoveltyJudge
from sleepwake.domains.vision.novelty import Novelty, copies
from sleepwake.domains.vision.training import Beside, Shuffled
from sleepwake.domains.vision.wake_settings import MlpLearner, Wake
from sleepwake.domains.weights import fingerprint
from sleepwake.errors import DataError, RecipeError
from sleepwake.records import Task, Verdicts
from sleepwake.roles import Mind

CPU = torch.device("cpu")
SPACE = Space((1, 1, 2), ("a", "b", "c", "d"), CPU, 0, tasks=((0, 1), (2, 3)), dreams=3)
RECIPE = Path(__file__).parent.parent / "recipes" / "vision" / "tiny-classes.toml"
MIX = 'dreamer={type="mix", dreams=12}'


def made(*chosen: str) -> Vision:
    return build(recipes.load(RECIPE, [MIX, *chosen], 100), "cpu", ())


def plain(*classes: int) -> Classifier:
    net = Classifier(MlpLearner(hidden=[2]), SPACE, seed=1)
    net.grow(classes, seed=2)
    return net


def batch(images: list[list[float]], labels: list[int]) -> Batch:
    return Batch(torch.tensor(images, device=CPU)[:, None, None], torch.tensor(labels, device=CPU))


def test_greedy_mapping_by_hand() -> None:
    """The most wins first: 9 blanks the first class and the second row, then 4 is the best that is left; nobody gets a row without a win."""
    assert greedy(torch.tensor([[5, 9, 0], [4, 8, 0], [0, 7, 0]], device=CPU)) == {0: 1, 1: 0}
    assert greedy(torch.zeros((2, 3), dtype=torch.int64, device=CPU)) == {}


def test_wins_are_counted_among_the_rows_that_compete() -> None:
    net = plain(0, 1, 4, 5)
    with torch.no_grad():
        for weight in net.body.parameters():
            weight.copy_(torch.eye(2, device=CPU) if weight.dim() == 2 else torch.zeros(2, device=CPU))
        net.weight_RF.copy_(torch.tensor([[9.0, 9.0], [9.0, 9.0], [1.0, 0.0], [0.0, 1.0]], device=CPU))
        net.bias_R.zero_()
    images = batch([[1.0, 0.0], [0.8, 0.1], [0.1, 0.9], [0.0, 1.0], [1.0, 0.2]], [2, 2, 2, 3, 3])
    assert wins(net, images, [2, 3], [4, 5]).tolist() == [[2, 1], [1, 1]]
    assert set(net.answer(images.images_NCHW).tolist()) <= {0, 1}, "a dreamed class is never the answer to a test"
    assert net.dreamed == [4, 5]


def test_rows_are_handed_over_and_dropped() -> None:
    net = plain(0, 1, 4, 5, 2)
    rows, biases = net.weight_RF.detach().clone(), net.bias_R.detach().clone()
    net.hand_over({5: 2})
    net.drop([5])
    assert net.classes == [0, 1, 4, 2]
    assert torch.equal(net.weight_RF, rows[[0, 1, 2, 3]])
    assert torch.equal(net.bias_R, biases[[0, 1, 2, 3]])


def test_remapping_gives_new_classes_the_dreamed_rows_that_win_their_images() -> None:
    """Rows 4 and 5 tell the two new classes apart, their own fresh ones say nothing: 3 gets row 4, and 2 row 5."""
    net = plain(0, 1, 2, 3, 4, 5)
    with torch.no_grad():
        for weight in net.body.parameters():
            weight.copy_(torch.eye(2, device=CPU) if weight.dim() == 2 else torch.zeros(2, device=CPU))
        net.weight_RF.zero_()
        net.weight_RF[net.classes.index(4), 1] = net.weight_RF[net.classes.index(5), 0] = 5.0
        net.bias_R.zero_()
    images = batch([[1.0, 0.0], [0.0, 1.0]] * 4, [2, 3] * 4)
    twin = remapped(net, images, [2, 3])
    assert torch.equal(twin.answer(images.images_NCHW, only=[2, 3]), images.labels_N)
    assert torch.equal(twin.weight_RF[twin.classes.index(3)], net.weight_RF[net.classes.index(4)])
    assert len(set(net.answer(images.images_NCHW, only=[2, 3]).tolist())) == 1, "before, one answer to all"


def test_remapping_looks_at_own_rows_too_and_changes_a_copy() -> None:
    net = plain(0, 1, 2, 3)
    before = net.weight_RF.detach().clone()
    images = batch([[1.0, 0.0], [0.0, 1.0]] * 4, [2, 3] * 4)
    right = (remapped(net, images, [2, 3]).answer(images.images_NCHW, only=[2, 3]) == images.labels_N).float().mean()
    assert torch.equal(net.weight_RF, before)
    assert float(right) >= 0.5, "of two rows one way round is at least as good as chance"


def test_dreams_take_their_weight_off_day_and_replay() -> None:
    """Task 2 of 2: r = 1/2 each, of the 0.8 that dreams leave."""
    source = Shuffled(batch([[0.0, 1.0]], [0]))
    parts = terms(Wake(), SPACE, Task(1, "c-d", ("c", "d")), batch([[0.0, 0.0]], [2]), Beside(source, source, 0.2, 7))
    assert [(part.weight, part.batch) for part in parts] == [(0.4, 64), (0.4, 64), (0.2, 7)]
    alone = terms(Wake(), SPACE, Task(1, "c-d", ("c", "d")), batch([[0.0, 0.0]], [2]), Beside(None, source, 0.2, 7))
    assert [part.weight for part in alone] == [0.8, 0.2]


def test_the_judge_of_novelty_by_hand(tmp_path: Path) -> None:
    domain = made()
    mind = domain.mind()
    day(domain, mind)
    assert isinstance(mind.judge, Novelty)
    mind.judge.freeze(saved(mind, tmp_path / "mind"))
    known = replace(domain.examples(domain.tasks[0]).take(torch.arange(30, device=CPU)), lures_N=torch.full((30,), 3, device=CPU))
    chances = torch.stack([member.response(known.images_NCHW) for member in mind.judge.frozen]).mean(dim=0).max(dim=1)
    verdicts = mind.judge.verdicts(known, 0)
    for reward, reason, chance, name in zip(
        verdicts.rewards, verdicts.reasons, chances.values.tolist(), chances.indices.tolist(), strict=True
    ):
        assert reward == pytest.approx(1 - chance, abs=1e-6)
        assert reason == (f"collapsed: is {domain.space.classes[name]}" if chance > 0.9 else "")
    assert sum(not taken for taken in verdicts.accepted) > 20, "real digits are known"
    elsewhere = replace(known, labels_N=torch.full((30,), 2, device=CPU))
    assert mind.judge.verdicts(elsewhere, 0).why().keys() == {"texture"}, "dreamed between two others, and taken for a third"
    twice = known.concat(known.take(torch.arange(3, device=CPU)))
    assert mind.judge.verdicts(twice, 0).rewards[-3:] == (0.0, 0.0, 0.0)
    assert mind.judge.verdicts(twice, 0).why()["copy"] == 3
    assert copies(batch([[0.0, 0.0], [0.0, 0.01], [1.0, 1.0]], [0, 0, 0]), 0.02).tolist() == [False, True, False]
    assert NoveltyJudge(type="novelty").known == 0.9


def test_the_audit_of_novelty_asks_the_oracle_the_judge_s_question() -> None:
    """Real digits of a class that was learned are not new, noise and digits of a later class mostly are."""
    domain = made()
    mind = domain.mind()
    day(domain, mind)
    old, later = (domain.examples(task).take(torch.arange(20, device=CPU)) for task in domain.tasks)
    accepted = Verdicts((1.0,) * 20, ("",) * 20)
    assert domain.audit(mind, old, accepted)["precision"] < 0.2
    assert domain.audit(mind, later, accepted)["precision"] > 0.8


def night(domain: Vision, mind: Mind, folder: Path) -> dict[str, object]:
    return a_round(domain, mind, saved(mind, folder))[2]


def test_a_night_makes_classes_and_a_day_takes_them_over(tmp_path: Path) -> None:
    domain = made("sleep.rehearse.steps=200")
    mind = domain.mind()
    day(domain, mind)
    facts = night(domain, mind, tmp_path / "dusk")
    net, slots = mind.learner.net, range(4, 8)
    assert net.dreamed == list(mind.dreamer.inventory)
    assert 0 < facts["adopted"] == len(net.dreamed) <= 3
    assert set(net.dreamed) <= set(slots)

    # the rows were trained: dreams drawn again are told from all that is known
    drawn = mind.dreamer.again(net.dreamed, 20, seed=9)
    answers = net.answer(drawn.flatten(0, 1), only=net.classes).unflatten(0, drawn.shape[:2])
    as_dreams = torch.isin(answers, torch.tensor(net.dreamed, device=CPU)).float().mean()
    assert float(as_dreams) > 0.8, "mixtures of two digits at equal parts; which of the two digits leads is hard to see"

    # the next task's classes begin with the rows that win their images
    rows = {name: net.weight_RF[net.classes.index(name)].clone() for name in net.dreamed}
    task = domain.tasks[1]
    examples = domain.examples(task)
    mind.learner.open(task, 1, examples)
    gone = [name for name in rows if name not in mind.learner.net.classes]
    assert 0 < len(gone) <= 2
    new = [mind.learner.net.weight_RF[mind.learner.net.classes.index(name)] for name in domain.space.ids(task.parts)]
    assert all(any(torch.equal(rows[name], row) for row in new) for name in gone)

    # and what was taken over is dreamed no more
    replay = mind.memory.source(mind, task, examples, 1)
    assert list(mind.dreamer.inventory) == mind.learner.net.dreamed
    assert isinstance(replay, Beside) is bool(mind.dreamer.inventory)
    mind.learner.learn(task, examples, replay, 1)
    assert max(domain.evaluate(mind, 2, "seen")) > 0.5


@pytest.mark.parametrize("renew", [False, True])
def test_a_night_keeps_the_dreams_of_those_before_or_begins_anew(tmp_path: Path, renew: bool) -> None:
    domain = made(f"sleep.rehearse.renew={str(renew).lower()}")
    mind = domain.mind()
    day(domain, mind)
    night(domain, mind, tmp_path / "one")
    mind.dreamer.inventory[4] = Challenge(1, 0, 0.123)
    night(domain, mind, tmp_path / "two")
    assert (Challenge(1, 0, 0.123) in mind.dreamer.inventory.values()) is not renew
    assert sorted(mind.dreamer.inventory) == sorted(mind.learner.net.dreamed)


def test_the_least_new_are_practised_as_what_they_began_at(tmp_path: Path) -> None:
    """A judge to whom all is known: nothing gets a row, one challenge is practised, by night and through the next day."""
    domain = made("sleep.rehearse.practise=1", "judge.known=0.01")
    mind = domain.mind()
    day(domain, mind)
    facts = night(domain, mind, tmp_path / "dusk")
    assert (facts["adopted"], facts["practised"], mind.learner.net.dreamed) == (0, 1, [])
    assert facts["dreamed_classes"] == 0, "what is practised is no class of its own"
    ((name, challenge),) = mind.dreamer.inventory.items()
    assert name == domain.space.width
    task = domain.tasks[1]
    mind.learner.open(task, 1, domain.examples(task))
    replay = mind.memory.source(mind, task, domain.examples(task), 1)
    assert isinstance(replay, Beside)
    assert list(mind.dreamer.inventory) == [name]
    assert set(replay.dreams.draw(60, 1).labels_N.tolist()) == {challenge.shape}


def test_what_dreams_recall_is_said_by_who_knew_and_of_the_stream_s_classes_alone(tmp_path: Path) -> None:
    domain = made("wake.dreams.recall=0.5", 'wake.dreams.mapping="none"')
    mind = domain.mind()
    day(domain, mind)
    night(domain, mind, tmp_path / "dusk")
    task = domain.tasks[1]
    mind.learner.open(task, 1, domain.examples(task))
    replay = mind.memory.source(mind, task, domain.examples(task), 1)
    assert isinstance(replay, Beside)
    recalled = replay.recalled.draw(5, 1)
    assert torch.equal(recalled.images_NCHW, replay.dreams.draw(5, 1).images_NCHW)
    assert torch.allclose(recalled.targets_NK[:, :2].sum(dim=1), torch.ones(5, device=CPU))
    parts = terms(domain.recipe.wake, domain.space, task, domain.examples(task), replay)
    assert [part.among for part in parts][2:] == [None, [0, 1]]
    assert [round(part.weight, 6) for part in parts] == [0.4, 0.4, 0.2, 0.5]


def test_controls_leave_out_what_they_name(tmp_path: Path) -> None:
    shape = made('sleep.rehearse={type="classes", label="shape", slots=4, steps=5}')
    mind = shape.mind()
    day(shape, mind)
    night(shape, mind, tmp_path / "shape")
    assert mind.learner.net.dreamed == []
    assert mind.dreamer.inventory, "dreams of known classes stand beside replay all the same"
    task = shape.tasks[1]
    replay = mind.memory.source(mind, task, shape.examples(task), 1)
    assert isinstance(replay, Beside)
    assert set(replay.dreams.draw(40, 1).labels_N.tolist()) <= {0, 1}

    untrained = made('sleep.rehearse={type="classes", slots=4, steps=0}', "wake.dreams.weight=0")
    mind = untrained.mind()
    day(untrained, mind)
    before = mind.learner.net.only([0, 1])
    night(untrained, mind, tmp_path / "untrained")
    assert mind.learner.net.dreamed
    assert all(torch.equal(one, other) for one, other in zip(before.parameters(), mind.learner.net.only([0, 1]).parameters(), strict=True))
    assert not isinstance(mind.memory.source(mind, untrained.tasks[1], untrained.examples(untrained.tasks[1]), 1), Beside)

    unmapped = made('wake.dreams.mapping="none"')
    mind = unmapped.mind()
    day(unmapped, mind)
    night(unmapped, mind, tmp_path / "unmapped")
    dreamed = list(mind.learner.net.dreamed)
    mind.learner.open(unmapped.tasks[1], 1, unmapped.examples(unmapped.tasks[1]))
    assert mind.learner.net.dreamed == dreamed


def test_a_night_may_teach_the_rows_of_dreams_alone(tmp_path: Path) -> None:
    """No answer about a real class moves, and the dreams are told from what is known all the same."""
    domain = made("sleep.rehearse.steps=200", 'sleep.rehearse.learns="rows"', "sleep.rehearse.lr=0.02", "sleep.rehearse.share=0.7")
    mind = domain.mind()
    day(domain, mind)
    before = mind.learner.net.only([0, 1])
    night(domain, mind, tmp_path / "dusk")
    net = mind.learner.net
    assert all(torch.equal(one, other) for one, other in zip(before.parameters(), net.only([0, 1]).parameters(), strict=True))
    drawn = mind.dreamer.again(net.dreamed, 20, seed=9).flatten(0, 1)
    as_dreams = torch.isin(net.answer(drawn, only=net.classes), torch.tensor(net.dreamed, device=CPU)).float().mean()
    assert float(as_dreams) > 0.5, "they lie between two digits on features that were learned for these alone"


def test_a_map_shows_dreams_among_real_classes(tmp_path: Path) -> None:
    domain = made()
    mind = domain.mind()
    day(domain, mind)
    material, verdicts, _ = a_round(domain, mind, saved(mind, tmp_path / "dusk"))
    with domain.guard.night():
        sheet, shown = domain.picture(tmp_path / "pictures", 3, mind, material, verdicts)
    assert [sheet["file"], shown["file"]] == ["pictures/00003-dreams.png", "pictures/00003-map.png"]
    first = (tmp_path / shown["file"]).read_bytes()
    domain.picture(tmp_path / "pictures", 3, mind, material, verdicts)
    assert (tmp_path / shown["file"]).read_bytes() == first, "equal runs have equal files"
    with Image.open(tmp_path / shown["file"]) as image:
        assert len(image.convert("RGB").getcolors(maxcolors=10**6)) > 100
    silent = made("evaluate.audit=false")
    assert len(silent.picture(tmp_path / "pictures", 4, mind, material, verdicts)) == 1, "it would look at what is yet to come"


def test_mixtures_need_stored_images() -> None:
    with pytest.raises(RecipeError, match=r"dreamer\.type.*begins at stored images"):
        made('wake.replay={type="none"}')


def test_a_dream_without_a_stored_image_to_begin_at_says_so(tmp_path: Path) -> None:
    domain = made()
    mind = domain.mind()
    day(domain, mind)
    del mind.dreamer.memory.images[0]
    with pytest.raises(DataError, match=r"no image of class '0' is stored"):
        mind.dreamer.dream([Challenge(0, 1, 1.0)], mind.learner, 1)


@pytest.mark.parametrize("begin", ['first="class"', 'first="random", begin="draws"', 'first="random", fit="none", begin="stored"'])
def test_a_diffusion_dreamer_draws_a_dream_again_after_a_checkpoint(tmp_path: Path, begin: str) -> None:
    with torch.device("cpu"):
        folder = of_pixels(tmp_path / "generator")
    few = "fit_steps=2, prompt_steps=2, prompt_batch=2, dreams=6"
    said = f'dreamer={{type="diffusion", generator={{type="folder", folder="{folder}"}}, {begin}, {few}}}'
    domain = made(said)
    mind = domain.mind()
    day(domain, mind)
    facts = night(domain, mind, tmp_path / "dusk")
    names = list(mind.dreamer.inventory)
    assert facts["adopted"] == len(names) > 0
    assert mind.dreamer._fingerprint() == fingerprint(folder)
    drawn = mind.dreamer.again(names, 3, seed=1).detach()
    again = domain.mind()
    again.load(saved(mind, tmp_path / "night"))
    assert torch.equal(again.dreamer.again(names, 3, seed=1), drawn)
    assert contents(saved(again, tmp_path / "again")) == contents(tmp_path / "night")
    day(domain, mind, 1)
    day(domain, again, 1)
    assert contents(saved(mind, tmp_path / "one")) == contents(saved(again, tmp_path / "other"))
    assert set(again.dreamer.inventory) <= set(names)


def test_a_run_knows_its_generator_s_lora_again(tmp_path: Path) -> None:
    with torch.device("cpu"):
        folder = of_latents(tmp_path / "generator")
        for name, seed in (("one", 1), ("other", 2)):
            unet = UNet2DConditionModel.from_pretrained(folder / "unet")
            with seeded(seed, CPU):
                unet.add_adapter(LoraConfig(r=2, lora_alpha=2, target_modules=["to_q"], init_lora_weights=False))
            StableDiffusionPipeline.save_lora_weights(tmp_path / name, unet_lora_layers=get_peft_model_state_dict(unet))

    def domain_of(name: str) -> Vision:
        generator = f'{{type="folder", folder="{folder}", lora="{tmp_path / name}"}}'
        return made(f'dreamer={{type="diffusion", generator={generator}, fit_steps=1, prompt_steps=1, prompt_batch=2, dreams=4}}')

    domain = domain_of("one")
    mind = domain.mind()
    day(domain, mind)
    commit = saved(mind, tmp_path / "commit")
    domain.mind().load(commit)
    with pytest.raises(DataError, match=r"is another than the one that this run's adapters were made for"):
        domain_of("other").mind().load(commit)


def test_dreams_without_adapters_of_real_classes_know_what_they_can_t_draw() -> None:
    said = 'dreamer={type="diffusion", first="random", fit="none", begin="stored"}'
    with pytest.raises(RecipeError, match=r'morning\.probes: "dreamed" ones are draws of real classes'):
        made(said, 'morning.probes="dreamed"', 'judge={type="peers", members=2}')
    with pytest.raises(RecipeError, match=r"leaves nothing to rehearse real classes with"):
        made(said.replace("stored", "noise"), 'sleep.rehearse={type="supervised"}')


def test_pairs_that_are_confused_are_asked_for_and_go_farther_as_verdicts_allow(tmp_path: Path) -> None:
    """Confusion is measured on stored images; a judge that takes all raises the distance of each pair from round to round."""
    with torch.device("cpu"):
        folder = of_pixels(tmp_path / "generator")
    few = 'first="random", fit="none", begin="stored", prompt_steps=1, prompt_batch=2, dreams=6'
    said = f'dreamer={{type="diffusion", generator={{type="folder", folder="{folder}"}}, {few}}}'
    domain = made(said, 'challenger={type="confusion", pairs=2, start=0.5, step=0.2}', "judge.known=1.0", "judge.copy_within=0")
    mind = domain.mind()
    day(domain, mind)
    for place, distance in enumerate((0.5, 0.7, 0.9, 1.0)):
        material, verdicts, _ = a_round(domain, mind, saved(mind, tmp_path / f"round-{place}"))
        assert all(verdicts.accepted)
        assert material.distances_N.unique().tolist() == pytest.approx([distance])


@pytest.mark.parametrize(
    ("chosen", "key"),
    [
        ('dreamer={type="vae"}', "dreamer.type"),
        ('stream.scenario="task"', "stream.scenario"),
        ('sleep.rehearse={type="classes", label="shape", learns="rows"}', "sleep.rehearse.learns"),
        ('dreamer={type="diffusion", fit="none"}', "dreamer.fit"),
        ('wake.head={type="cwr"}', "wake.head"),
    ],
)
def test_what_dreamed_classes_can_t_go_with_is_told(chosen: str, key: str) -> None:
    with pytest.raises(RecipeError, match=key):
        recipes.load(RECIPE, [chosen], 0)


def test_an_inventory_is_told_in_json() -> None:
    from sleepwake.domains.vision.dreamed_classes import told, untold

    inventory = {10: Challenge(0, 1, 0.25), 12: Challenge(1, 0, 1.0)}
    assert untold(json.loads(json.dumps(told(inventory)))) == inventory


def test_pairs_come_again_nearer_where_there_are_too_few() -> None:
    domain = made("challenger.pairs=5", "challenger.distance=0.9", "challenger.nearer=0.4")
    mind = domain.mind()
    day(domain, mind)
    asked = mind.challenger.propose(mind, 1)
    assert [challenge.distance for challenge in asked] == [0.9, 0.9, 0.5, 0.5, 0.1]
    assert len(set(asked)) == 5
    few = made("challenger.pairs=5")
    mind = few.mind()
    day(few, mind)
    assert len(mind.challenger.propose(mind, 1)) == 2
