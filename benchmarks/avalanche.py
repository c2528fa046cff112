"""Deep generative replay's training steps against Avalanche's GenerativeReplay: protocol A of split MNIST, third day.

    python3 -m venv /tmp/avalanche                                            # outside the repository
    /tmp/avalanche/bin/pip install torch==2.13.0                              # the build for the CPU
    /tmp/avalanche/bin/pip install torch==2.13.0 avalanche-lib==0.6.0         # in one line, or torch is raised to a build for CUDA
    python benchmarks/avalanche.py --peer /tmp/avalanche/bin/python --data ../shared/data/mnist.npz

Both sides train an MLP of 2 x 400 units and a VAE of 2 x 400 with 100 codes on the same images, 87 steps each a block, with 128 images of the
day and 128 replayed a step, by Adam at 1e-3. Each runs on one thread, and blocks alternate: ours, then each variant of the peer
(benchmarks/peers/avalanche_replay.py says which). Ratios are those of medians, theirs over ours. CPU seconds hold where others use the machine.
Appends one line to benchmarks/results/avalanche.jsonl. 70 seconds of CPU time in all.

Not quite equal: ours draws its images with replacement, weights the day 1/3 and the replay 2/3 in two passes of 128, and its old solver has 4
rows in place of 6; Avalanche shuffles, weights both alike, and makes one pass of 256. The variant `tuned` does as much arithmetic as ours, to
0.01 %; `usual` does 34 % more, backward through the old decoder: see `gflop` in the ledger. `--matmul-precision medium` multiplies in bfloat16, as
the recipe's setting of that name does, on our side and in `tuned`; `usual` stays as Avalanche's users have it.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from speed import ours
from torch.utils.flop_counter import FlopCounterMode

from sleepwake.domains.vision.images import Batch
from sleepwake.machine import git_commit, versions

LEDGER = Path("benchmarks/results/avalanche.jsonl")
SCRIPT = Path(__file__).parent / "peers" / "avalanche_replay.py"
VARIANTS = ("usual", "tuned")
ITERATIONS = 87
"""Full batches of 128 in the images of 4 and 5: an epoch of Avalanche's."""


class Peer:
    """A process that trains a block whenever it's asked, and waits in between."""

    def __init__(self, python: str, data: str, variant: str, precision: str) -> None:
        command = [python, "-W", "ignore", str(SCRIPT), "--data", data, "--variant", variant, "--matmul-precision", precision]
        alone = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {"OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=alone)
        self.about = self.answer()

    def answer(self) -> dict[str, Any]:
        """The next line that it writes."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"the peer ended with code {self.process.wait()}")
        found: dict[str, Any] = json.loads(line)
        return found

    def block(self) -> dict[str, Any]:
        """Seconds, CPU seconds and iterations of one block."""
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        return self.answer()

    def end(self) -> None:
        """Close its input, which ends it."""
        self.process.communicate()


def digits(file: str) -> Batch:
    """The images of 4 and 5 that Avalanche trains on."""
    arrays = np.load(file)
    kept = np.flatnonzero(arrays["y_train"] // 2 == 2)[: ITERATIONS * 128]
    return Batch(torch.from_numpy(arrays["x_train"][kept]).float()[:, None] / 255, torch.from_numpy(arrays["y_train"][kept]))


def block(examples: Batch) -> dict[str, Any]:
    """Ours: seconds, CPU seconds and iterations of one block."""
    cpu = time.process_time()
    seconds = ours(ITERATIONS, examples)
    return {"seconds": seconds, "cpu_seconds": time.process_time() - cpu, "iterations": ITERATIONS}


def main() -> None:
    """Alternate blocks, print seconds and ratios, append a line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", required=True, help="the python of the environment that holds avalanche-lib")
    parser.add_argument("--data", default="../shared/data/mnist.npz")
    parser.add_argument("--blocks", type=int, default=5)
    parser.add_argument("--matmul-precision", default="highest", choices=("highest", "high", "medium"))
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_float32_matmul_precision(args.matmul_precision)

    examples = digits(args.data)
    with FlopCounterMode(display=False) as counter:  # warms up, too
        ours(20, examples)
    gflop = {"sleepwake": round(counter.get_total_flops() / 20 / 1e9, 3)}
    precisions = {"usual": "highest", "tuned": args.matmul_precision}
    peers = {variant: Peer(args.peer, args.data, variant, precisions[variant]) for variant in VARIANTS}
    gflop |= {variant: peer.about["gflop"] for variant, peer in peers.items()}
    for peer in peers.values():
        peer.block()  # warms up

    found: dict[str, list[dict[str, Any]]] = {name: [] for name in ("sleepwake", *VARIANTS)}
    for _ in range(args.blocks):
        found["sleepwake"].append(block(examples))
        for variant, peer in peers.items():
            found[variant].append(peer.block())
        print(
            ", ".join(f"{name} {rows[-1]['seconds']:.2f} s (CPU {rows[-1]['cpu_seconds']:.2f} s)" for name, rows in found.items()),
            flush=True,
        )
    for peer in peers.values():
        peer.end()
    assert all(row["iterations"] == ITERATIONS for rows in found.values() for row in rows)

    def ratio(variant: str, of: str) -> float:
        theirs, mine = (median(row[of] for row in found[name]) for name in (variant, "sleepwake"))
        return round(theirs / mine, 3)

    ratios = {variant: {of: ratio(variant, of) for of in ("seconds", "cpu_seconds")} for variant in VARIANTS}
    for variant in VARIANTS:
        wall, cpu = ratios[variant].values()
        print(
            f"Avalanche, {variant}: {wall} times our seconds, {cpu} times our CPU seconds; GFLOP an iteration {gflop[variant]}, ours {gflop['sleepwake']}"
        )
    line = {
        "matmul_precision": args.matmul_precision,
        "iterations": ITERATIONS,
        "blocks": {name: [{of: round(row[of], 3) for of in ("seconds", "cpu_seconds")} for row in rows] for name, rows in found.items()},
        "ratios": ratios,
        "gflop": gflop,
        "commit": git_commit(),
        "versions": versions(),
        "peer_versions": peers["usual"].about["versions"],
    }
    with LEDGER.open("a") as ledger:
        ledger.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
