"""Characters a second of rehearsal by GRPO beside a bare GRPOTrainer with the same model, problems and batch, in alternating blocks.

    python benchmarks/rehearsal_speed.py            # the same attempts trained on by both
    python benchmarks/rehearsal_speed.py --filter   # rehearsal leaves idle ones out of its passes, as the recipe has it

The bare trainer is what a user of TRL would write: the model, the same rewards, nothing deterministic. Rehearsal does all that a round
does: easy problems, verdicts on what was sampled; recall, which the bare trainer has not, is left out. What the judge takes is left out
on both sides. Bar: at least 0.95 of the bare trainer's rate.
"""

import argparse
import tempfile
import time
from functools import partial
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

import torch
from datasets import Dataset
from trl import GRPOConfig, GRPOTrainer

from sleepwake import recipe as recipes
from sleepwake.domains import tensors
from sleepwake.domains.language.domain import build
from sleepwake.domains.language.grpo import Reward
from sleepwake.domains.language.problems import Problem
from sleepwake.domains.language.rehearsal import easy_lines
from sleepwake.domains.language.trainers import quiet, trained
from sleepwake.recipebook import find
from sleepwake.seeds import seed as derive


def main() -> None:
    """Alternate, print medians and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blocks", type=int, default=5)
    parser.add_argument("--filter", action="store_true", help="rehearsal leaves out attempts that have no advantage")
    parser.add_argument("--deterministic", action="store_true", help="the bare trainer too")
    args = parser.parse_args()
    changes = ["wake.steps=600", "sleep.rehearse.recall=0", f"sleep.rehearse.filter={str(args.filter).lower()}"]
    domain = build(recipes.load(find("language/frontier-grpo"), changes, 100), "cpu", ())
    mind, task = domain.mind(), domain.tasks[0]
    mind.learner.open(task, 1)
    mind.learner.learn(task, domain.examples(task), None, 1)
    judged = [0.0]

    def timed(call: Any) -> Any:
        def asked(*arguments: Any) -> Any:
            start = time.perf_counter()
            told = call(*arguments)
            judged[0] += time.perf_counter() - start
            return told

        return asked

    with tempfile.TemporaryDirectory() as folder:
        mind.save(Path(folder))
        mind.judge.freeze(Path(folder))
    challenges = mind.challenger.propose(mind, 1)
    material = mind.dreamer.dream(challenges, mind.learner, 2)
    accepted = mind.judge.verdicts(material, 3)
    mind.judge.scores = timed(mind.judge.scores)

    def problems(seed: int) -> list[Problem]:
        """The very ones that rehearsal draws."""
        easy = [line.problem for line in easy_lines(mind, domain.stream.levels, derive(seed, "easy"))]
        easy = [problem for problem in easy if mind.judge.can_tell(problem)]
        valid = list(material.select(accepted.accepted).by_problem())
        return domain.rehearsal._prompts(valid, easy, [], Random(derive(seed, "prompts")))  # type: ignore[attr-defined, no-any-return]

    def ours(seed: int) -> int:
        twin = mind.learner.copy()
        _, _, facts = domain.rehearsal.rehearse(mind, lambda: mind, material, accepted, 1.0, seed)
        mind.learner.take(twin)
        return int(facts["tokens"])

    def bare(seed: int, chosen: list[Problem]) -> int:
        twin, asked = mind.learner.copy(), Reward(mind, None, 0.0, derive(seed, "rewards"))
        rows = [{"prompt": mind.learner.prompt(one), "family": one.family, "text": one.text} for one in chosen]
        with quiet(), tensors.seeded(seed, mind.learner.device), tempfile.TemporaryDirectory() as folder:
            twin.lasting.save_pretrained(folder)
            twin.lasting.config._name_or_path = folder
            longest = domain.rehearsal._longest(mind.learner, rows)  # type: ignore[attr-defined]
            settings = GRPOConfig(**domain.rehearsal._arguments(folder, 1.0, seed, mind.learner.device, longest))  # type: ignore[attr-defined]
            trained(GRPOTrainer(model=twin.model, reward_funcs=asked.reward, args=settings, train_dataset=Dataset.from_list(rows),
                                processing_class=mind.learner.codec.tokenizer))  # fmt: skip
        return int(asked.facts()["tokens"])  # type: ignore[call-overload, no-any-return]

    rates: dict[str, list[float]] = {"ours": [], "bare": []}
    for block in range(args.blocks + 1):
        given = problems(block)
        for name, train in (("ours", ours), ("bare", partial(bare, chosen=given))):
            torch.use_deterministic_algorithms(name == "ours" or args.deterministic)
            judged[0], start = 0.0, time.perf_counter()
            tokens = train(block)
            took = time.perf_counter() - start
            if block:  # the first of each warms up
                rates[name].append(tokens / (took - judged[0]))
                print(f"{name}: {tokens} characters, {took:.1f} s, of which the judge {judged[0]:.1f} s", flush=True)
    for name, each in rates.items():
        print(f"{name}: {median(each):.0f} characters a second, {median(each) / median(rates['bare']):.3f} of bare")


if __name__ == "__main__":
    main()
