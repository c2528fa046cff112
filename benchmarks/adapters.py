"""Adapters as memory: split MNIST at 16 x 16 from one LoRA a class, beside generators that are trained on and on.

    python benchmarks/adapters.py --data ../shared/data            # run what the ledger lacks, then print
    python benchmarks/adapters.py --print

Ledger: benchmarks/results/adapters.jsonl, one JSON line a finished run. Seeds 0 to 4; settings were settled on seed 100. Wanted: adapters at
least 95, no image stored. Adapters and the frozen generator under them hold 11.6 MB, a VAE of 2 x 400 units 2.6 MB, one of 2 x 1000 11.2 MB.
"""

import argparse
from pathlib import Path

from sleepwake import terminal
from sleepwake.engines import Processes
from sleepwake.statistics import results
from sleepwake.sweep import Arm, parse_seeds, read_ledger, sweep

LEDGER = Path("benchmarks/results/adapters.jsonl")
SMALL = ("stream.side=16", "evaluate.draws=100")
ALIKE = ('learner={type="cnn"}', "wake.steps=4000")
DREAMS = (
    "policy.nights=1", 'morning.probes="kept"', "domain.kept_probes=10", 'challenger={type="random", pairs=12, distance=1.0, nearer=0.05}',
    'judge={type="novelty"}', 'sleep.stages=["challenge", "dream", "judge", "rehearse"]', "sleep.rounds=1",
    'sleep.rehearse={type="classes", slots=8, steps=300, batch=64, share=0.8, recall=2.0, renew=true}',
    "wake.dreams={weight=0.2, batch=32, pool=64, recall=3.0}", "evaluate.remap=true", "dreamer.prompt_steps=10", "dreamer.prompt_batch=8",
    'dreamer.stop={type="learned"}',
)  # fmt: skip
"""The nights of vision/dream-digits, from noise."""
ARMS: dict[str, tuple[str, tuple[str, ...]]] = {
    "adapters": ("vision/adapters-split-mnist", ()),
    "adapters, dreams": ("vision/adapters-split-mnist", DREAMS),
    "adapters, mlp": ("vision/adapters-split-mnist", ('learner={type="mlp", hidden=[400, 400]}', "wake.steps=2000")),
    "dgr": ("vision/dgr-split", ('method="dgr"', *SMALL)),
    "dgr-distill": ("vision/dgr-split", ('method="dgr-distill"', *SMALL)),
    "dgr-distill, cnn": ("vision/dgr-split", ('method="dgr-distill"', *ALIKE, *SMALL)),
    "equal bytes": ("vision/dgr-split", ('method="dgr-distill"', "dreamer.hidden=[1000, 1000]", *ALIKE, *SMALL)),
}
"""Recipe and what is said beyond it."""


def main() -> None:
    """Run what is missing, print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--print", action="store_true", dest="only_print")
    parser.add_argument("--data", default="../shared/data")
    parser.add_argument("--seeds", default="0-4")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--arms", nargs="*", default=list(ARMS), choices=list(ARMS), metavar="ARM")
    args = parser.parse_args()
    arms = [Arm(ARMS[name][0], seed, ARMS[name][1]) for name in args.arms for seed in parse_seeds(args.seeds)]
    if not args.only_print:
        sweep(arms, LEDGER, Path("checkpoints/adapters"), Processes(args.jobs), ["--data", args.data], lambda text: print(text, flush=True))
    keys = {arm.key for arm in arms}
    if lines := [line for line in read_ledger(LEDGER) if line["recipe_sha256"] in keys]:
        terminal.sweep(results(sorted(lines, key=lambda line: (line["arm"], line["seed"]))))


if __name__ == "__main__":
    main()
