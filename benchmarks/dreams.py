"""Dreamed classes and their controls: forward transfer, accuracy and forgetting, paired by seed (after Dream2Learn, arXiv 2603.01935).

    python benchmarks/dreams.py --data ../shared/data            # run what the ledger lacks, then print
    python benchmarks/dreams.py --print
    python benchmarks/dreams.py --commands                       # each control as a command of its own (the poor generator is made by a run)
    python benchmarks/dreams.py --recipes vision/dream-digits --seeds 100   # one seed, to settle settings on
    python benchmarks/dreams.py --recipes vision/dream-nic vision/dream-wrong --arms dreams "mapping without dreams" ER     # other streams
    python benchmarks/dreams.py --budgets 10 20 --arms dreams "dreams, and the least new practised" "labels of the class dreamed from" ER

Ledger: benchmarks/results/dreams.jsonl, one JSON line a finished run. Wanted: FWT_remap positive, and above interpolation, random prompts, no
oracle, mapping without dreams and equal compute by a paired 95 % interval; labels of the conditioning class and real images stand beside.
"""

import argparse
import os
import shlex
import subprocess
import sys
from functools import reduce
from itertools import product
from pathlib import Path
from statistics import fmean
from typing import Any

from sleepwake import recipe as recipes
from sleepwake import recipebook
from sleepwake.engines import Processes
from sleepwake.statistics import estimate
from sleepwake.sweep import Arm, parse_seeds, read_ledger, sweep

LEDGER = Path("benchmarks/results/dreams.jsonl")
ALONE = ("policy.nights=0", 'morning.probes="none"', 'dreamer={type="none"}', 'challenger={type="none"}', 'judge={type="none"}')
"""Experience replay by day, and nothing by night."""
GENERATED = (
    'wake.replay={type="generated", target="soft"}',
    'dreamer={type="diffusion", fit="images", adapter={type="lora", rank=8, layers="all"}, fit_steps=150, prompt_batch=32, prompt_lr=4e-3,'
    ' end_factor=0.02, denoising=4, pool=500, prompt_steps=10, dreams=32, stop={type="learned"}}',
)
"""Replay from a LoRA a class, fitted on its only day, in place of stored images; dreams begin at noise."""
COMPUTE = 16
"""So many times the steps take at least the seconds of a run with dreams, on either data set (seed 101: ten times took 32 beside 43 on
digits, 88 beside 62 on Fashion-MNIST)."""
POOR = Path("checkpoints/poor-generator")
"""A generator trained for a twentieth of the steps, by the recorded command; made where it is missing."""
OTHERS = {"vision/dream-digits": "fashion_mnist.npz", "vision/dream-fashion": "mnist.npz", "vision/dream-split-mnist": "fashion_mnist.npz"}
"""Real images of classes that the recipe's stream doesn't have."""
ARMS: dict[str, tuple[str, ...]] = {
    "dreams": (),
    "interpolated images": ('dreamer={type="mix"}',),
    "random prompts": ("dreamer.prompt_steps=0", 'dreamer.stop={type="fixed"}'),
    "no oracle": ('dreamer.stop={type="fixed"}',),
    "mapping without dreams": ("sleep.rehearse.steps=0", "wake.dreams.weight=0", "wake.dreams.recall=0"),
    "ER, equal steps": (*ALONE, "wake.steps=<more>"),
    "ER, equal compute": (*ALONE, "wake.steps=<seconds>"),
    "ER": ALONE,
    "labels of the class dreamed from": ('sleep.rehearse.label="shape"',),
    "dreams, and the least new practised": ("sleep.rehearse.practise=8", "challenger.pairs=20"),
    "dreams without mapping": ('wake.dreams.mapping="none"',),
    "pairs by confusion, farther as verdicts allow": ('challenger={type="confusion", pairs=12, start=0.5}',),
    "four denoising steps": ("dreamer.denoising=8",),
    "stopped by hits": ('dreamer.stop={type="hits"}',),
    "stopped by a band": ('dreamer.stop={type="band"}',),
    "entropy in a band": ("dreamer.objective={band=1.0}",),
    "diversity": ("dreamer.objective={diversity=0.5}",),
    "feature statistics": ("dreamer.objective={statistics=1.0}",),
    "prompt norm": ("dreamer.objective={norm=1.0}",),
    "dreams at 16 pixels": ("stream.side=16",),
    "ER at 16 pixels": (*ALONE, "stream.side=16"),
    "real images of other classes": ('dreamer={type="pictures", data="<others>"}',),
    "generative replay": (*GENERATED, "policy.nights=0", 'morning.probes="none"'),
    "generative replay, dreams": GENERATED,
    "generative replay, dreams, and the least new practised": (
        *GENERATED,
        'dreamer.begin="draws"',
        "sleep.rehearse.practise=8",
        "challenger.pairs=20",
    ),
    "a poor generator": ('dreamer.generator={type="folder", folder="<poor>"}',),
}
"""What each arm says beyond the recipe; `settings` fills in what stands in <>."""
FIGURES = ("fwt_remap", "fwt_gem", "fwt_probe", "fwt_speed", "acc", "forgetting_rwalk")
"""Of the summary, in hundredths."""


def settings(recipe: str, name: str, budget: int = 0) -> tuple[str, ...]:
    """An arm's settings for a recipe: as many steps by day as the recipe has by day and night, another data set, a place, a buffer."""
    checked = recipes.load(recipebook.find(recipe), (), 0)
    more = checked.wake.steps + checked.sleep.rounds * checked.sleep.rehearse.steps
    said = {"<more>": str(more), "<seconds>": str(COMPUTE * more), "<others>": OTHERS.get(recipe, ""), "<poor>": POOR.name}
    filled = tuple(reduce(lambda told, mark: told.replace(mark, said[mark]), said, line) for line in ARMS[name])
    return (*filled, f"wake.replay.budget={budget}") if budget else filled


def show(recipe: str, runs: dict[str, dict[str, Any]], seeds: list[int], budget: int) -> None:
    """Print a recipe's arms, from summaries by key of their arms."""
    keys = {name: {seed: Arm(recipe, seed, settings(recipe, name, budget)).key for seed in seeds} for name in ARMS}
    found = {name: {seed: runs[key] for seed, key in by_seed.items() if key in runs} for name, by_seed in keys.items()}
    title = f"{recipe}, {budget} stored" if budget else recipe
    print(f"\n| {title} | seeds | " + " | ".join(FIGURES) + " | FWT_remap of dreams above it | acc above ER | seconds |")
    print("| --- " * (len(FIGURES) + 5) + "|")
    for name, by_seed in found.items():
        if not by_seed:
            continue
        cells = []
        for figure in FIGURES:
            values = [100 * summary[figure] for summary in by_seed.values() if summary[figure] is not None]
            if not values:  # of one class at a time nothing can be told apart by a probe
                cells.append("")
                continue
            told = estimate(values)
            cells.append(f"{told.mean:.1f} +- {told.half:.1f}" if len(values) > 1 else f"{told.mean:.1f}")
        below = paired(found["dreams"], by_seed, "fwt_remap") if name != "dreams" else ""
        above = paired(by_seed, found["ER"], "acc") if name != "ER" else ""
        seconds = fmean(summary["wall_s"] for summary in by_seed.values())
        print(f"| {name} | {len(by_seed)} | {' | '.join(cells)} | {below} | {above} | {seconds:.0f} |")


def paired(ones: dict[int, dict[str, Any]], others: dict[int, dict[str, Any]], figure: str) -> str:
    """The mean difference of a figure over the seeds that both have, with half of its 95 % interval."""
    both = [seed for seed in ones if seed in others]
    if not both:
        return ""
    gap = estimate([100 * (ones[seed][figure] - others[seed][figure]) for seed in both])
    return f"{gap.mean:+.1f} +- {gap.half:.1f}" if len(both) > 1 else f"{gap.mean:+.1f}"


def main() -> None:
    """Run what is missing, print a table for each recipe."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--print", action="store_true", dest="only_print")
    parser.add_argument("--commands", action="store_true", help="print each arm as a command, and run nothing")
    parser.add_argument("--data", default="../shared/data")
    parser.add_argument("--seeds", default="0-4")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--recipes", nargs="*", default=["vision/dream-digits", "vision/dream-fashion"])
    parser.add_argument("--budgets", nargs="*", type=int, default=[0], help="stored images; 0: the recipe's own")
    parser.add_argument("--arms", nargs="*", default=list(ARMS), choices=list(ARMS), metavar="ARM")
    args = parser.parse_args()
    seeds = parse_seeds(args.seeds)
    if args.commands:
        for recipe, budget, name in product(args.recipes, args.budgets, args.arms):
            said = "".join(f" --set {shlex.quote(line)}" for line in settings(recipe, name, budget))
            where = f"SLEEPWAKE_DATA={POOR.parent} " if "<poor>" in "".join(ARMS[name]) else ""
            print(f"# {name}\n{where}sleepwake run {recipe} --data {args.data}{said}")
        return
    if not args.only_print and "a poor generator" in args.arms and not POOR.exists():
        make = ["-m", "sleepwake.domains.vision.stroke_training", "--steps", "300", "--out", str(POOR)]
        subprocess.run([sys.executable, *make], check=True)
    os.environ["SLEEPWAKE_DATA"] = str(POOR.parent.resolve())  # looked through after --data, so that no recipe holds this machine's paths
    for recipe, budget in product(args.recipes, args.budgets):
        arms = [Arm(recipe, seed, settings(recipe, name, budget)) for seed in seeds for name in args.arms]
        if not args.only_print:
            sweep(
                arms, LEDGER, Path("checkpoints/dreams"), Processes(args.jobs), ["--data", args.data], lambda text: print(text, flush=True)
            )
        show(recipe, {line["recipe_sha256"]: line["summary"] for line in read_ledger(LEDGER)}, seeds, budget)


if __name__ == "__main__":
    main()
