"""Generative negative replay (Graffieti et al., ICLR 2022 submission) on split MNIST and split Fashion-MNIST: the order of its arms.

    python benchmarks/negative.py --data ../shared/data        # run what the ledger lacks, then print
    python benchmarks/negative.py --print

AR1free (a CWR head, a small rate for the body, no penalty), two classes an experience, 500 iterations a task, ten paired seeds. The generator is
stopped so early that a judge trained on the real data agrees with the labels of about half of its draws. Wanted, as published on CORe50: PR-OD >
NR-GD > none > PR-GD, and NR-RD > none, each paired difference outside its 95 % interval. Settings were settled on seeds 100 and up.
Ledger: benchmarks/results/negative.jsonl, one JSON line a finished run.
"""

import argparse
from pathlib import Path
from statistics import fmean
from typing import Any

from sleepwake.statistics import estimate
from sleepwake.sweep import Arm, read_ledger, sweep

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
}
"""Positive or negative replay of original, generated, or random data: the recipe's settings that differ."""
ORDER = [("PR-OD", "NR-GD"), ("NR-GD", "none"), ("none", "PR-GD"), ("NR-RD", "none")]
"""Pairs of which the first must be better."""


def show(name: str, runs: dict[str, dict[str, Any]], seeds: range) -> None:
    """Print means, agreement of the draws, and the paired differences, from summaries by key of their arms."""
    found = {
        arm: {seed: runs[key] for seed in seeds if (key := Arm(f"vision/{name}", seed, settings).key) in runs}
        for arm, settings in ARMS.items()
    }
    print(f"\n| {name}: arm | seeds | accuracy (95 % interval) | generator's agreement: mean, least, most |\n| --- | --- | --- | --- |")
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
    args = parser.parse_args()
    for name in args.recipes:
        arms = [Arm(f"vision/{name}", seed, settings) for seed in SEEDS for settings in ARMS.values()]
        if not args.only_print:
            sweep(arms, LEDGER, Path("checkpoints/negative"), args.jobs, ["--data", args.data], lambda text: print(text, flush=True))
        show(name, {line["recipe_sha256"]: line["summary"] for line in read_ledger(LEDGER)}, SEEDS)


if __name__ == "__main__":
    main()
