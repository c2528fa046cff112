"""Every judge from the same start: where the frontier ends, how precise it was, and how far it thinks too well of errors.

    python benchmarks/judges.py            # run what the ledger lacks, then print
    python benchmarks/judges.py --print

Ledger: benchmarks/results/judges.jsonl, one JSON line a finished run. A seed's day is the same for all judges. Precision: share of accepted
answers that are right, pooled over rounds. Goodhart gap: mean reward of each problem's best attempt minus the share of these that is right.
Judge and challenger: their part of the rounds' seconds, in percent by seed.
"""

import argparse
from pathlib import Path
from statistics import fmean
from typing import Any

from sleepwake.engines import Processes
from sleepwake.sweep import Arm, parse_seeds, read_ledger, sweep

LEDGER = Path("benchmarks/results/judges.jsonl")
RECIPE = "language/judges"
JUDGES = ("metamorphic", "cycle", "majority", "self-certainty", "ensemble", "votes", "random", "oracle")


def settings(judge: str) -> tuple[str, ...]:
    """What an arm says beyond the recipe."""
    return (f'judge={{type="{judge}"}}',)


def spent(summary: dict[str, Any]) -> str:
    """Percent of the rounds' seconds that challenging and judging took; a judge that a trainer asks is counted with rehearsal."""
    rounds = [one["seconds"] for night in summary["nights"] for one in night["rounds"]]
    whole = sum(sum(seconds.values()) for seconds in rounds)
    ours = sum(seconds.get(name, 0.0) for seconds in rounds for name in ("challenge", "judge"))
    return f"{100 * ours / whole:.0f}" if whole else "-"


def row(summaries: list[dict[str, Any]]) -> str:
    """A judge's line of the table."""
    families = sorted(summaries[0]["frontier"])
    ends = ", ".join(f"{name} " + "/".join(str(summary["frontier"][name]["end"]) for summary in summaries) for name in families)
    audits = [audit for summary in summaries for audit in summary["judge_audit"]]
    accepted = sum(audit["accepted"] for audit in audits)
    hits = sum(audit["accepted"] * audit["precision"] for audit in audits if audit["accepted"])
    gaps = [audit["goodhart"] for audit in audits if audit["goodhart"] is not None]
    kept = sum(night["accepted"] is True for summary in summaries for night in summary["nights"])
    nights = sum(len(summary["nights"]) for summary in summaries)
    precision = f"{hits / accepted:.3f}" if accepted else "-"
    costs = "/".join(map(spent, summaries))
    return (
        f"{ends} | {accepted} | {precision} | {fmean(gaps):+.3f} | {kept} of {nights} | {fmean(s['acc'] for s in summaries):.3f} | {costs}"
    )


def main() -> None:
    """Run what is missing, print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--print", action="store_true", dest="only_print")
    parser.add_argument("--seeds", default="0-2")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--judges", nargs="*", default=list(JUDGES), choices=JUDGES)
    args = parser.parse_args()
    seeds = parse_seeds(args.seeds)
    arms = [Arm(RECIPE, seed, settings(judge)) for seed in seeds for judge in args.judges]
    if not args.only_print:
        sweep(arms, LEDGER, Path("checkpoints/judges"), Processes(args.jobs), [], lambda text: print(text, flush=True))
    runs = {line["recipe_sha256"]: line["summary"] for line in read_ledger(LEDGER)}
    print(
        "\n| judge | frontier at the end, by seed | accepted | precision | Goodhart gap | nights kept | day's levels | judge and challenger |"
    )
    print("| --- " * 8 + "|")
    for judge in args.judges:
        if found := [runs[key] for seed in seeds if (key := Arm(RECIPE, seed, settings(judge)).key) in runs]:
            print(f"| {judge} | {row(found)} |")


if __name__ == "__main__":
    main()
