"""Split MNIST by the published protocol (spec/vision.md 5.1, protocol A): our figure beside the published one, for each method and scenario.

    python benchmarks/split_mnist.py --data ../shared/data                       # run what the ledger lacks, then print
    python benchmarks/split_mnist.py --data ../shared/data --scenario class --methods DGR SI
    python benchmarks/split_mnist.py --data ../shared/data --scenario task --methods none --seeds 10
    python benchmarks/split_mnist.py --print

Ledger: benchmarks/results/split-mnist.jsonl, one JSON line a finished run. Seeds from 0 on; strengths were settled on seeds 100 and up.
Published: van de Ven & Tolias (arXiv 1809.10635, table 3), van de Ven, Siegelmann & Tolias (arXiv 1904.07734; iCaRL too), and, for CWR, CWR+, AR1, the
labels trick, SLDA and the generative classifier, van de Ven, Li & Tolias (CVPR workshops 2021, table 2). Mean and standard error.
"""

import argparse
import json
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

from sleepwake.engines import Processes
from sleepwake.statistics import estimate
from sleepwake.sweep import Arm, read_ledger, sweep

LEDGER = Path("benchmarks/results/split-mnist.jsonl")
RECIPE = "vision/dgr-split"
PLAIN = ('method="none"',)
KEPT = 'wake.moments="kept"'
JOINT = ('method="joint"', "wake.steps=4000")


def stored(room: int) -> tuple[str, ...]:
    """Experience replay with so many bytes of stored images."""
    return ('method="er"', f"wake.replay.budget={room}", 'wake.replay.unit="bytes"')


@dataclass(frozen=True)
class Row:
    """A method: its settings, by scenario where they differ, and what was published."""

    name: str
    settings: tuple[str, ...]
    published: dict[str, str]
    bar: dict[str, str] = field(default_factory=dict)
    strength: dict[str, float] = field(default_factory=dict)

    @property
    def scenarios(self) -> tuple[str, ...]:
        """Those with a published figure; class-incremental where there is none."""
        return tuple(self.published) or ("class",)

    def arm(self, scenario: str, seed: int) -> Arm:
        """One run."""
        extra = [f"wake.penalty.strength={self.strength[scenario]}"] if self.strength else []
        told = [] if scenario == "class" else [f'stream.scenario="{scenario}"']
        return Arm(RECIPE, seed, (*self.settings, *told, *extra))


ROWS = [
    Row("none", PLAIN, {"class": "19.90", "task": "85.15", "domain": "57.33"}, {"class": "19.4 to 20.4"}),
    Row("joint", JOINT, {"class": "97.93", "task": "99.64", "domain": "98.41"}, {"class": ">= 97.8"}),
    Row("EWC", ('method="ewc"',), {"class": "20.01", "task": "98.64", "domain": "63.95"}, {"class": "19.5 to 20.7"},
        {"class": 1e6, "task": 1e7, "domain": 1e6}),
    Row("SI", ('method="si"',), {"class": "20.04", "task": "99.14", "domain": "63.77"}, {"class": "19.5 to 20.7"},
        {"class": 0.5, "task": 50.0, "domain": 500.0}),
    Row("LwF", ('method="lwf"', "wake.replay.squared=false"), {"class": "24.17", "task": "99.60", "domain": "71.02"}, {"class": "22 to 27"}),
    Row("DGR", ('method="dgr"',), {"class": "91.24", "task": "99.47", "domain": "95.74"}, {"class": ">= 90"}),
    Row("DGR + distillation", ('method="dgr-distill"',), {"class": "91.79", "task": "99.61", "domain": "96.83"}, {"class": ">= 91.5"}),
    Row("RtF", ('method="rtf"',), {"class": "92.56", "task": "99.66", "domain": "97.31"}, {"class": ">= 92"}),
    Row("BI-R, pixels", ('method="bir"',), {}, {"class": ">= RtF"}),
    Row("frozen VAE a class", ('method="dgr-frozen"',), {"class": "(94.8: a first try)"}),
    Row("none, moments kept", (*PLAIN, KEPT), {"task": "85.15", "domain": "57.33"}),
    Row("EWC, moments kept", ('method="ewc"', KEPT), {"domain": "63.95"}, strength={"domain": 1e6}),
    Row("LwF, moments kept", ('method="lwf"', "wake.replay.squared=false", KEPT), {"domain": "71.02"}),
    Row("CWR", ('method="cwr"',), {"class": "32.48 +- 2.64"}, {"class": "published spread"}),
    Row("CWR+", ('method="cwr-plus"',), {"class": "37.20 +- 3.11"}, {"class": "published spread"}),
    Row("AR1", ('method="ar1"',), {"class": "48.84 +- 2.55"}, {"class": "published spread"}),
    Row("labels trick", ('method="labels-trick"',), {"class": "32.46 +- 1.95"}),
    Row("SLDA", (*PLAIN, 'learner={type="slda"}'), {"class": "87.30 +- 0.02"}, {"class": "85.5 to 88.5"}),
    Row("generative classifier", (*PLAIN, 'learner={type="generative"}'), {"class": "93.79 +- 0.08"}, {"class": ">= 93"}),
    Row("random features + ridge", (*PLAIN, 'learner={type="ridge"}'), {"class": "(95.5: a first try)"}),
    Row("cumulative", ('method="cumulative"',), {}),
    Row("ER, reservoir of 1000", ('method="er-reservoir"',), {}),
    Row("DER++, 200", ('method="der-plus-plus"', "wake.replay.budget=200"), {}),
    Row("DER++, 1000", ('method="der-plus-plus"',), {}),
    Row("BiC, 2000", ('method="bic"',), {}),
    Row("iCaRL, 2000", ('method="icarl"',), {"class": "94.57 +- 0.11"}),
    Row("ER, bytes of RtF's decoder", stored(2384672), {}),
    Row("ER, bytes of DGR's generator", stored(4282272), {}),
    Row("ER, bytes of the frozen VAEs", stored(8264960), {}),
]  # fmt: skip
SCENARIOS = ("class", "task", "domain")
SHORT = {row.name: row for row in ROWS}


def figures(runs: dict[str, dict[str, Any]], scenarios: list[str], names: list[str], seeds: range) -> None:
    """Print the table from the ledger's runs, by key of their arms."""
    print("| method | scenario | ours (95 % interval; each seed) | published | bar | seconds | bytes: weights, generator |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for scenario in scenarios:
        for row in [SHORT[name] for name in names if scenario in SHORT[name].scenarios]:
            keys = [row.arm(scenario, seed).key for seed in seeds]
            found = [runs[key] for key in keys if key in runs]
            if not found:
                continue
            scores = [100 * summary["acc"] for summary in found]
            spread = f" +- {estimate(scores).half:.2f}" if len(scores) > 1 else ""
            each = ", ".join(f"{score:.2f}" for score in scores)
            bytes_ = f"{found[0]['bytes']['weights'] / 1e6:.1f} MB, {found[0]['bytes']['memory']['generator'] / 1e6:.1f} MB"
            seconds = fmean(summary["wall_s"] for summary in found)
            print(
                f"| {row.name} | {scenario} | {fmean(scores):.2f}{spread} ({each}) | {row.published.get(scenario, '')} "
                f"| {row.bar.get(scenario, 'within 1.5 of published' if scenario != 'class' else '')} | {seconds:.0f} | {bytes_} |"
            )


def main() -> None:
    """Run what is missing, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--print", action="store_true", dest="only_print")
    parser.add_argument("--data", default="../shared/data")
    parser.add_argument("--scenario", nargs="*", default=list(SCENARIOS), choices=SCENARIOS)
    parser.add_argument("--methods", nargs="*", default=list(SHORT), choices=list(SHORT), metavar="NAME")
    parser.add_argument("--seeds", type=int, default=3, help="how many, from 0 on")
    parser.add_argument("--jobs", type=int, default=1)
    args = parser.parse_args()
    seeds = range(args.seeds)
    wanted = [
        SHORT[name].arm(scenario, seed)
        for scenario in args.scenario
        for seed in seeds
        for name in args.methods
        if scenario in SHORT[name].scenarios
    ]
    if not args.only_print:
        sweep(
            wanted,
            LEDGER,
            Path("checkpoints/split-mnist"),
            Processes(args.jobs),
            ["--data", args.data],
            lambda text: print(text, flush=True),
        )
    figures({line["recipe_sha256"]: line["summary"] for line in read_ledger(LEDGER)}, args.scenario, args.methods, seeds)
    print(json.dumps({"seeds": list(seeds), "recipe": RECIPE}))


if __name__ == "__main__":
    main()
