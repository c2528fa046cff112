"""The stopper that learns: what is good in hindsight, when it speaks, and that it lasts from night to night."""

from pathlib import Path

import pytest
import torch
from days import a_round, day, saved

from sleepwake import recipe as recipes
from sleepwake.domains.vision.domain import Vision, build
from sleepwake.domains.vision.dreamer_settings import LearnedStop
from sleepwake.domains.vision.images import Batch
from sleepwake.domains.vision.learned_stop import WIDTH, Hindsight, Learned
from sleepwake.domains.vision.stopping import Sight
from sleepwake.errors import RecipeError
from sleepwake.records import Verdicts

CPU = torch.device("cpu")
RECIPE = Path(__file__).parent.parent / "recipes" / "vision" / "tiny-classes.toml"
STEPS = 12


class Bright:
    """Accepts images that are lighter than grey."""

    def verdicts(self, material: Batch, seed: int) -> Verdicts:
        return Verdicts(tuple(float(image.mean() > 0.5) for image in material.images_NCHW), ("",) * len(material))


def way(stopper: Learned, name: str, good_from: int) -> int:
    """Steps that an adapter takes whose images are light, and of two classes at once, from a step on."""
    for step in range(STEPS):
        light = step >= good_from
        chances = torch.tensor([[0.5, 0.5] if light else [0.95, 0.05]] * 4, device=CPU)
        if stopper.done(Sight(name, chances, 0, 1, torch.full((4, 1, 2, 2), float(light), device=CPU))):
            return step
    return STEPS


def test_a_step_was_good_where_no_later_one_is_better() -> None:
    """Shares smoothed over three steps are 0, 1/3, 2/3, 5/6, 2/3, 1/2, from which the greatest yet to come is 5/6 until it is past."""
    hindsight = Hindsight()
    hindsight.add(torch.zeros((6, WIDTH), device=CPU), torch.tensor([0.0, 0.0, 1.0, 1.0, 0.5, 0.5], device=CPU), margin=0.05)
    assert hindsight.good_T.tolist() == [False, False, False, True, True, True]
    loose = Hindsight()
    loose.add(torch.zeros((6, WIDTH), device=CPU), torch.tensor([0.0, 0.0, 1.0, 1.0, 0.5, 0.5], device=CPU), margin=0.2)
    assert loose.good_T.tolist() == [False, False, True, True, True, True]


def test_it_learns_to_stop_where_images_are_good() -> None:
    """The first round goes all the way; the next stops near the step from which on images are good, whichever that is."""
    hindsight, settings = Hindsight(), LearnedStop(type="learned")
    first = Learned(settings, hindsight, STEPS)
    assert [way(first, name, good_from) for name, good_from in (("a", 4), ("b", 7))] == [STEPS, STEPS]
    assert first.learn(Bright(), 1) == {"ways": 2, "good": int(hindsight.good_T.sum()), "seen": 2 * STEPS}
    second = Learned(settings, hindsight, STEPS)
    assert way(second, "watched", 2) == STEPS, "one of each round goes on, for hindsight"
    assert abs(way(second, "early", 3) - 3) <= 1
    assert abs(way(second, "late", 8) - 8) <= 1
    assert second.learn(Bright(), 1)["ways"] == 1


def made() -> Vision:
    quick = ['dreamer.begin="stored"', 'dreamer.first="random"', 'dreamer.fit="none"', "dreamer.prompt_steps=6", "wake.steps=40"]
    return build(recipes.load(RECIPE, ['dreamer.stop={type="learned"}', *quick], 100), "cpu", ())


def test_what_it_has_learned_lasts(tmp_path: Path) -> None:
    """Nights teach it from the judge's verdicts, and a mind that is loaded goes on as one that never stopped."""
    domain = made()
    mind = domain.mind()
    day(domain, mind)
    facts = a_round(domain, mind, saved(mind, tmp_path / "one"))[2]
    assert facts["stopper"]["ways"] == 2, "both pairs of two classes"
    assert facts["stopper"]["seen"] == 2 * 6
    assert facts["prompt_steps"] == 6
    twin = domain.mind()
    twin.load(saved(mind, tmp_path / "two"))
    assert torch.equal(twin.dreamer.hindsight.seen_TF, mind.dreamer.hindsight.seen_TF)
    assert torch.equal(twin.dreamer.hindsight.good_T, mind.dreamer.hindsight.good_T)
    told = [a_round(domain, each, tmp_path / "two", seed=5)[2] for each in (mind, twin)]
    assert told[0] == told[1]


@pytest.mark.parametrize("chosen", ['sleep.stages=["challenge", "dream", "rehearse"]', 'sleep.rehearse={type="supervised"}'])
def test_it_needs_a_judge_of_dreamed_classes(chosen: str) -> None:
    with pytest.raises(RecipeError, match=r"dreamer\.stop"):
        recipes.load(RECIPE, ['dreamer.stop={type="learned"}', chosen], 0)
