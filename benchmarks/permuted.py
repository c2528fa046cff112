"""Permuted MNIST, ten tasks, domain-incremental, by the published protocol (spec/vision.md 5.1): our figure beside the published one.

    python benchmarks/permuted.py --data ../shared/data        # run what the ledger lacks, then print; an hour or two of one core
    python benchmarks/permuted.py --print

Ledger: benchmarks/results/permuted.jsonl, one JSON line a finished run; a run that was cut off is resumed. One seed. Matrices are multiplied in
bfloat16 and summed in float32 where the machine has units for it (AMX: 2.3 times faster at these sizes); `--float32` asks for float32 throughout.
Published: van de Ven & Tolias (arXiv 1809.10635, table 4), domain-incremental.
"""

import argparse
from pathlib import Path

from sleepwake.engines import Processes
from sleepwake.sweep import Arm, read_ledger, sweep

LEDGER = Path("benchmarks/results/permuted.jsonl")
RECIPE = "vision/dgr-permuted"
ROWS: dict[str, tuple[tuple[str, ...], str, str]] = {
    "none": (('method="none"', 'dreamer={type="none"}'), "78.51", "within 1.5"),
    "SI": (('method="si"', 'dreamer={type="none"}', "wake.penalty.strength=5"), "95.33", "within 1.5"),
    "DGR + distillation": ((), "97.35", "within 1.5"),
    "EWC": (('method="ewc"', 'dreamer={type="none"}', "wake.penalty.strength=500"), "94.31", ""),
    "online EWC": (('method="online-ewc"', 'dreamer={type="none"}', "wake.penalty.strength=500"), "94.42", ""),
    "LwF": (('method="lwf"', 'dreamer={type="none"}'), "72.64", ""),
    "DGR": (('wake.replay.target="hard"',), "95.09", ""),
    "ER, bytes of DGR's generator": (
        ('method="er"', 'dreamer={type="none"}', "wake.replay.budget=52242832", 'wake.replay.unit="bytes"'),
        "",
        "",
    ),
    "joint": (('method="joint"', 'dreamer={type="none"}', 'wake.moments="fresh"'), "97.59", ""),
}
"""A method's settings, what was published, and the bar."""
FAST = ('matmul_precision="medium"',)
FIRST = ["none", "SI", "DGR + distillation"]


def main() -> None:
    """Run what is missing, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--print", action="store_true", dest="only_print")
    parser.add_argument("--data", default="../shared/data")
    parser.add_argument("--methods", nargs="*", default=FIRST, choices=list(ROWS), metavar="NAME")
    parser.add_argument("--float32", action="store_true")
    args = parser.parse_args()
    arms = {name: Arm(RECIPE, 0, (*settings, *(() if args.float32 else FAST))) for name, (settings, _, _) in ROWS.items()}
    if not args.only_print:
        wanted = [arms[name] for name in args.methods]
        sweep(wanted, LEDGER, Path("checkpoints/permuted"), Processes(1), ["--data", args.data], lambda text: print(text, flush=True))
    runs = {line["recipe_sha256"]: line["summary"] for line in read_ledger(LEDGER)}
    print("| method | ours (seed 0) | published | bar | seconds |\n| --- | --- | --- | --- | --- |")
    for name, (_, published, bar) in ROWS.items():
        if summary := runs.get(arms[name].key):
            print(f"| {name} | {100 * summary['acc']:.2f} | {published} | {bar} | {summary['wall_s']:.0f} |")


if __name__ == "__main__":
    main()
