"""Generative negative replay (Graffieti et al., ICLR 2022 submission) on split MNIST and split Fashion-MNIST: the order of its arms.

    python benchmarks/negative.py --data ../shared/data              # run what the ledger lacks, then print
    python benchmarks/negative.py --print
    python benchmarks/negative.py --data ../shared/data --at hidden1 # the other setting

AR1free (a CWR head, a small rate for the body, no penalty), two classes an experience, 500 iterations a task, ten paired seeds. The generator is
stopped so early that a judge trained on the real data agrees with the labels of about half of its draws. Wanted, as published on CORe50: PR-OD >
NR-GD > none > PR-GD, and NR-RD > none, each paired difference outside its 95 % interval. Settings were settled on seeds 100 and up.

At `pixels` the body begins at random, and images are generated. At `hidden1`, nearer to what is published, the body was trained on other data
before (the other of the two sets; theirs on ImageNet), and a layer's activations are generated; PR-OD stores images there too.
Ledger: benchmarks/results/negative.jsonl, one JSON line a finished run.
"""

import argparse
import os
import subprocess
from pathlib import Path
from statistics import fmean
from typing import Any

from sleepwake.engines import Processes
from sleepwake.statistics import estimate
from sleepwake.sweep import Arm, command, read_ledger, sweep

LEDGER = Path("benchmarks/results/negative.jsonl")
SEEDS = range(10)
NOTHING = 'dreamer={type="none"}'
ARMS: dict[str, tuple[str, ...]] = {
    "PR-OD": (NOTHING, 'wake.replay={type="exact", target="hard", budget=1500}'),
    "NR-GD": ("evaluate.draws=100",),
    "none": (NOTHING, "wake.batch=128", 'wake.replay={type="none"}'),
    "PR-GD": ("evaluate.draws=100", 'wake.replay={type="generated", target="hard", mode="positive"}'),
    "NR-RD": (
        NOTHING,
        "wake.batch=107",
        "wake.replay_batch=21",
        'wake.replay={type="noise", distribution="uniform", labels="random", target="hard", mode="negative"}',
    ),
    "AR1": (
        NOTHING,
        "wake.batch=128",
        'wake.replay={type="none"}',
        "wake.body_lr=0",
        'wake.penalty={type="si", strength=100, clip=0.01, head=false}',
    ),
}
"""Positive or negative replay of original, generated, or random data: the recipe's settings that differ. AR1: what the paper's table 4 has for "none",
the body at the head's rate and held by synaptic intelligence (its strength settled on seed 100)."""
OTHER = {"negative-split-mnist": "fashion_mnist.npz", "negative-split-fashion": "mnist.npz"}
"""What the body was trained on before, by recipe."""
BEFORE = ('method="none"', "stream.classes_per_task=10", 'matmul_precision="medium"')
"""How, beside the data."""
EVERY = ("wake.body_lr=6e-5", 'matmul_precision="medium"')
"""What all arms have at `hidden1`."""
DRAWN = ("wake.batch=64", "wake.replay_batch=192", "wake.ratio=0.5", "dreamer.steps=30", 'dreamer.likelihood="squared"')
"""What arms with a generator have there."""
INNER = {
    "NR-GD": ('wake.layer="hidden1"', *DRAWN),
    "PR-GD": ('wake.layer="hidden1"', *DRAWN, "evaluate.draws=0"),  # the same generator; judging it takes as long as the run
    "NR-RD": ('wake.layer="hidden1"',),
}
"""Where a layer's activations are replayed: what is said beyond ARMS."""
FOLDER = Path("checkpoints/negative")
ORDER = [("PR-OD", "NR-GD"), ("NR-GD", "none"), ("none", "PR-GD"), ("NR-RD", "none"), ("NR-GD", "PR-GD"), ("AR1", "PR-GD")]
"""Pairs of which the first must be better: the bar's four, what follows from them, and the paper's own "none"."""


def run_of(name: str, arm: str, seed: int, at: str) -> Arm:
    """One run: a recipe's arm at a layer, or at pixels."""
    inner = (f'learner.weights={{folder="body-{name}-{seed}/00001-wake/learner"}}', *EVERY, *INNER.get(arm, ()))
    return Arm(f"vision/{name}", seed, (*ARMS[arm], *(inner if at == "hidden1" else ())))


def train_body(name: str, seed: int, data: str) -> None:
    """Train the body of `run_of` on all classes of the other data set, once; its folder is found through $SLEEPWAKE_DATA."""
    out = FOLDER / f"body-{name}-{seed}"
    if (out / "00001-wake").exists():
        return
    arm = Arm("vision/dgr-split", seed, (*BEFORE, f'stream.data="{OTHER[name]}"'))
    subprocess.run(command(arm, out, ["--data", data]), check=True, capture_output=True)


def show(name: str, runs: dict[str, dict[str, Any]], seeds: range, at: str) -> None:
    """Print means, agreement of the draws, and the paired differences, from summaries by key of their arms."""
    found = {arm: {seed: runs[key] for seed in seeds if (key := run_of(name, arm, seed, at).key) in runs} for arm in ARMS}
    print(
        f"\n| {name}, {at}: arm | seeds | accuracy (95 % interval) | generator's agreement: mean, least, most |\n| --- | --- | --- | --- |"
    )
    for arm, by_seed in found.items():
        if len(by_seed) > 1:
            scores = [100 * summary["acc"] for summary in by_seed.values()]
            agreed = [100 * summary["draws"][-1]["agreement"] for summary in by_seed.values() if summary.get("draws")]
            shown = f"{fmean(agreed):.0f}, {min(agreed):.0f}, {max(agreed):.0f} %" if agreed else ""
            print(f"| {arm} | {len(scores)} | {fmean(scores):.2f} +- {estimate(scores).half:.2f} | {shown} |")
    print("\n| wanted | paired difference (95 % interval) | holds |\n| --- | --- | --- |")
    for better, worse in ORDER:
        both = sorted(set(found[better]) & set(found[worse]))
        if len(both) > 1:
            gap = estimate([100 * (found[better][seed]["acc"] - found[worse][seed]["acc"]) for seed in both])
            print(f"| {better} > {worse} | {gap.mean:+.2f} +- {gap.half:.2f} | {'yes' if gap.mean > gap.half else 'no'} |")


def main() -> None:
    """Run what is missing, print a table for each data set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--print", action="store_true", dest="only_print")
    parser.add_argument("--data", default="../shared/data")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--recipes", nargs="*", default=["negative-split-mnist", "negative-split-fashion"])
    parser.add_argument("--at", default="pixels", choices=("pixels", "hidden1"))
    args = parser.parse_args()
    if args.at == "hidden1":
        os.environ["SLEEPWAKE_DATA"] = str(FOLDER.resolve())
    for name in args.recipes:
        arms = [run_of(name, arm, seed, args.at) for seed in SEEDS for arm in ARMS]
        if not args.only_print:
            for seed in SEEDS if args.at == "hidden1" else ():
                train_body(name, seed, args.data)
            sweep(arms, LEDGER, FOLDER, Processes(args.jobs), ["--data", args.data], lambda text: print(text, flush=True))
        show(name, {line["recipe_sha256"]: line["summary"] for line in read_ledger(LEDGER)}, SEEDS, args.at)


if __name__ == "__main__":
    main()
