"""When to stop a dream: the learned stopper beside fixed step counts, by a judge that it was not taught by.

    python benchmarks/stoppers.py --data ../shared/data            # run what the ledger lacks, then print
    python benchmarks/stoppers.py --print
    python benchmarks/stoppers.py --seeds 100                      # one seed, to settle settings on

Ledger: benchmarks/results/stoppers.jsonl, one JSON line a finished run. Dreams are counted as good where a classifier of the whole stream's
real images is no surer of a class learned so far than the night's judge may be; the stopper is taught by that judge, whose networks are others.
Wanted: at least as many good dreams as the best fixed count, chosen with hindsight, at no more steps.
"""

import argparse
import json
import subprocess
import tempfile
from pathlib import Path
from statistics import fmean
from typing import Any

from sleepwake.statistics import estimate
from sleepwake.sweep import Arm, command, parse_seeds, read_ledger

LEDGER = Path("benchmarks/results/stoppers.jsonl")
RECIPE = "vision/dream-digits"
COUNTS = (0, 5, 10, 30)
LEARNED = ('dreamer.stop={type="learned"}', f"dreamer.prompt_steps={COUNTS[-1]}")
ARMS = {f"fixed {count}": ('dreamer.stop={type="fixed"}', f"dreamer.prompt_steps={count}") for count in COUNTS} | {"learned": LEARNED}
"""What each arm says beyond the recipe."""


def measured(arm: str, seed: int, data: str) -> dict[str, Any]:
    """Run an arm; good dreams, all dreams, and mean steps of a dream, over its nights."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "run"
        subprocess.run(command(Arm(RECIPE, seed, ARMS[arm]), folder, ["--data", data]), check=True, stdout=subprocess.DEVNULL)
        events = [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]
    audits = [event for event in events if event["event"] == "evaluated" and event.get("what") == "judge"]
    rounds = [event["facts"] for event in events if event["event"] == "staged" and event["stage"] == "rehearse"]
    good, judged = sum(audit["right"] for audit in audits), sum(audit["judged"] for audit in audits)
    steps = sum(facts["prompt_steps"] * audit["judged"] for facts, audit in zip(rounds, audits, strict=True)) / judged
    return {"arm": arm, "seed": seed, "settings": ARMS[arm], "good": good, "dreams": judged, "steps": round(steps, 3)}


def main() -> None:
    """Run what is missing, print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--print", action="store_true", dest="only_print")
    parser.add_argument("--data", default="../shared/data")
    parser.add_argument("--seeds", default="0-4")
    args = parser.parse_args()
    seeds = parse_seeds(args.seeds)
    for seed in seeds:
        for arm in ARMS:
            there = {(line["arm"], line["seed"]) for line in read_ledger(LEDGER)}
            if not args.only_print and (arm, seed) not in there:
                line = measured(arm, seed, args.data)
                print(line, flush=True)
                with LEDGER.open("a") as file:
                    file.write(json.dumps(line) + "\n")
    print(f"\n| {RECIPE} | seeds | good dreams of a hundred | steps of a dream |\n| --- | --- | --- | --- |")
    for arm in ARMS:
        lines = [line for line in read_ledger(LEDGER) if line["arm"] == arm and line["seed"] in seeds]
        if lines:
            share = estimate([100 * line["good"] / line["dreams"] for line in lines])
            spread = f" +- {share.half:.1f}" if len(lines) > 1 else ""
            print(f"| {arm} | {len(lines)} | {share.mean:.1f}{spread} | {fmean(line['steps'] for line in lines):.1f} |")


if __name__ == "__main__":
    main()
