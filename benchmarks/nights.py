"""Language nights side by side: frontiers, times to a level, the boundary; GRPO, seeding, the echo chamber, all skills and the arms.

    python benchmarks/nights.py --arms grpo "grpo: supervised" --seeds 0-4            # run what the ledgers lack, then print
    python benchmarks/nights.py --print

Ledgers, one JSON line each: benchmarks/results/nights.jsonl (a finished run) and boundary.jsonl (100 problems a level, 512 samples each,
before the first night and after the last; `band_of_halves` in older lines is a null band that was too narrow, decision 87). Seeds 0 to
4; settings were settled on seeds 100 and up. Times are of phases as the journal has them: compare runs made beside each other only.
"""

import argparse
import json
import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from statistics import fmean
from typing import Any

from judges import spent

from sleepwake import session
from sleepwake.engines import Processes
from sleepwake.sweep import Arm, parse_seeds, read_ledger, sweep

LEDGER = Path("benchmarks/results/nights.jsonl")
BOUNDARY = Path("benchmarks/results/boundary.jsonl")
RUNS = Path("checkpoints/nights")
GUARDED = ("sleep.rehearse.niche=0.5", "sleep.rehearse.generations=16", "sleep.rehearse.beta=0.1", 'sleep.rehearse.anchor="dusk"')
"""Attempts are measured by those written alike, of which eight attempts have two or three: twice as many, held near dusk."""
FRESH = 'sleep.consolidate={type="seed", larger={width=160, layers=4, heads=4}, each=1000, seed_steps=4000, polish=40}'
"""Of 1.03 million random weights instead of the small one's with new units beside."""
LORA = 'learner.fast="lora"'
CLIMB, TWO = "language/frontier-grpo", ("policy.nights=2",)
SUPERVISED = ('sleep.rehearse={type="supervised", easy=0.3}', "dreamer.attempts=5")
EQUAL = ("policy.nights=0", "wake.steps=9400")
"""Two nights of seed 0 take 180 seconds (sampling, judging and probes among them) where the day's 2,000 steps take 49: as long as 7,350 more.
By tokens that pass through the network in training it would be 4,930: 0.35 of 0.87 M sampled ones, three times, each with a prompt as long;
0.55 M recalled, 0.46 M consolidated; a step by day is 64 lines of 9."""
REPLAYED = (
    'wake.replay={type="exact"}',
    'sleep.stages=["consolidate"]',
    'sleep.consolidate={type="distil", rate=3e-4, lines="stored", steps=2450}',
)
"""Nights on stored lines of the day alone, by their own answers and dusk's word: half of that time a night, 96 lines of 9 a step."""
ARMS: dict[str, tuple[str, tuple[str, ...]]] = {
    "grpo": (CLIMB, ()),
    "grpo: supervised": (CLIMB, SUPERVISED),
    "grpo: random reward": (CLIMB, ('judge={type="random"}',)),
    "frontier": ("language/frontier", ()),
    "frontier: random reward": ("language/frontier-random", ()),
    "arms: full": (CLIMB, TWO),
    "arms: random reward": (CLIMB, (*TWO, 'judge={type="random"}')),
    "arms: oracle reward": (CLIMB, (*TWO, 'judge={type="oracle"}')),
    "arms: no RL": (CLIMB, (*TWO, *SUPERVISED)),
    "arms: no challenger": (CLIMB, (*TWO, 'challenger={type="even", level=5, problems=100}')),  # the first above the day's, all along
    "arms: no dreams": (CLIMB, (*TWO, *REPLAYED)),
    "arms: no consolidation": (CLIMB, (*TWO, 'sleep.stages=["challenge", "dream", "judge", "rehearse"]')),
    "arms: no guards": (CLIMB, (*TWO, "morning.tolerance=1")),
    "arms: no nights, equal compute": (CLIMB, EQUAL),
    "challenger: ladder": ("language/judges", ()),
    "challenger: learned": ("language/learned-challenger", ()),
    "dreams by gradient": ("language/judges", ("sleep.rehearse.keep=0.5",)),
    "dreams at random": ("language/judges", ("sleep.rehearse.keep=0.5", "sleep.rehearse.chance=1")),
    "dreams by what they improve": ("language/judges", ("sleep.rehearse.tried.groups=8",)),
    "LoRA: distilled": ("language/judges", (LORA,)),
    "LoRA: merged": ("language/judges", (LORA, 'sleep.consolidate={type="merge"}')),
    "LoRA: merged by svd": ("language/judges", (LORA, 'sleep.consolidate={type="merge", how="svd"}')),
    "LoRA: merged by TIES, half of it": ("language/judges", (LORA, 'sleep.consolidate={type="merge", how="ties", density=0.5}')),
    "LoRA: merged by DARE, half of it": ("language/judges", (LORA, 'sleep.consolidate={type="merge", how="dare_linear", density=0.5}')),
    "seeding": ("language/seeding", ()),
    "seeding: three nights": ("language/seeding", ("policy.nights=3",)),
    "seeding: fresh weights": ("language/seeding", (FRESH,)),
    "seeding: none": ("language/seeding", ('sleep.consolidate={type="distil"}',)),
    "echo": ("language/echo-chamber", ()),
    "echo: guarded": ("language/echo-chamber", GUARDED),
    "in context": ("language/context-codes", ()),
    "serl": ("language/serl", ()),
    "serl: judge not trained": ("language/serl", ("sleep.rehearse.judging=0",)),
    "all skills": ("language/all-skills", ()),
    "all skills: no nights": ("language/all-skills-nosleep", ()),
}
"""Recipe and what is said beyond it."""
REACHED = {"grpo", "grpo: random reward", "frontier", "frontier: random reward", "echo", "echo: guarded"}
"""Arms whose boundary is measured."""
TO = 12
"""Highest level that is sampled: a level of three families costs 307,200 samples, and nothing above was in reach before."""


def measure(name: str, arm: Arm, tell: Any) -> None:
    """Measure an arm's boundary once, from the run's folder."""
    folder = RUNS / arm.run
    if not folder.exists() or any(line["recipe_sha256"] == arm.key for line in read_ledger(BOUNDARY)):
        return
    few = name.startswith("echo")
    found = session.measure_boundary(session.reopen(folder, None, "cpu", None, tell, 0.0, False), 100, 128 if few else 512, TO)
    with BOUNDARY.open("a") as file:
        file.write(json.dumps({"recipe_sha256": arm.key, "arm": arm.name, "seed": arm.seed, "to": TO, "boundary": found}) + "\n")
        file.flush()
        os.fsync(file.fileno())
    tell(f"{arm.name} seed {arm.seed}: boundary measured")


def ended(frontier: dict[str, Any]) -> str:
    """How high a family came; in brackets the highest level that was dreamed (0: none), where the summary has it."""
    return f"{frontier['end']}" + (f" ({frontier['dreamed']})" if "dreamed" in frontier else "")


def row(name: str, lines: list[dict[str, Any]]) -> str:
    """An arm's line of the table."""
    summaries = [line["summary"] for line in lines]
    families = sorted(summaries[0]["frontier"])
    ends = ", ".join(f"{family} " + "/".join(ended(one["frontier"][family]) for one in summaries) for family in families)
    kept = sum(night["accepted"] is True for one in summaries for night in one["nights"])
    nights = sum(len(one["nights"]) for one in summaries)
    costs = "/".join(map(spent, summaries))
    wall = "/".join(f"{one['wall_s']:.0f}" for one in summaries)
    scores = "/".join(f"{one['acc']:.3f}" for one in summaries)
    return f"| {name} | {', '.join(str(line['seed']) for line in lines)} | {ends} | {scores} | {kept} of {nights} | {costs} | {wall} |"


def in_context(line: dict[str, Any]) -> str:
    """Of a run with days in context: every code's score with its table, after its night without it (a refused night leaves the table, which
    the next accepted one takes in), and at the end; and of the first day.
    """
    before, after, last = (line["summary"][key] for key in ("before_sleep", "after_sleep", "matrix"))
    kept = [night["accepted"] is True for night in line["summary"]["nights"]]
    told = [
        [f"{before[day][day]:.3f}" for day in range(1, len(before))],
        [f"{after[day][day]:.3f}" if kept[day] else "refused" for day in range(1, len(after))],
    ]
    end = [f"{score:.3f}" for score in last[-1]]
    return f"| {line['seed']} | {', '.join(told[0])} | {', '.join(told[1])} | {', '.join(end[1:])} | {end[0]} |"


def beyond(name: str, line: dict[str, Any]) -> list[str]:
    """Of a boundary: the levels that no sample reached before and that are solved now, and the ledger, a line a family."""
    told = []
    for family, levels in line["boundary"]["levels"].items():
        ledger = line["boundary"]["families"][family]
        new = [level for level, row in levels.items() if row["before"] == 0]
        won = [level for level in new if levels[level]["after_1"] >= 0.9]
        band = f"{ledger['band']:.1f}, {'outside' if ledger['outside'] else 'within'}" if "band" in ledger else "-"
        chance = f"{ledger['mcnemar']:.2g}" if "mcnemar" in ledger else "-"
        told.append(
            f"| {name} | {line['seed']} | {family} | {', '.join(new) or '-'} | {', '.join(won) or '-'} | {ledger['newly']:.1f} ({band}) "
            f"| {ledger['lost']:.1f} | {chance} | {ledger['acquired']:+.3f}, {ledger['sharpened']:+.3f} |"
        )
    return told


def reached(events: Sequence[dict[str, Any]], level: int = 16) -> float | None:
    """Seconds from a run's start to the first morning at which every family's frontier was so high."""
    times = [datetime.fromisoformat(event["timing"]["at"]) for event in events]
    for event, at in zip(events, times, strict=True):
        if event.get("what") == "frontier" and event["when"] == "morning" and min(event["frontier"].values()) >= level:
            return (at - times[0]).total_seconds()
    return None


def formats(events: Sequence[dict[str, Any]]) -> str | None:
    """Mean shares of formats in the first and in the last eight steps of each round, and the largest share of any step."""
    rounds = [event["facts"]["formats"] for event in events if event.get("stage") == "rehearse" and event["facts"].get("formats")]
    told = []
    for steps in (steps for families in rounds for steps in families.values()):
        names = sorted({name for step in steps for name in step})
        ends = [
            ", ".join(f"{name} {fmean(step.get(name, 0.0) for step in part):.2f}" for name in names) for part in (steps[:8], steps[-8:])
        ]
        told.append(f"{ends[0]} -> {ends[1]}; largest {max(max(step.values()) for step in steps):.2f}")
    return "; ".join(told) or None


def main() -> None:
    """Run what is missing, print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--print", action="store_true", dest="only_print")
    parser.add_argument("--seeds", default="0-4")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--arms", nargs="*", default=list(ARMS), choices=list(ARMS), metavar="ARM")
    parser.add_argument("--no-boundary", action="store_true")
    args = parser.parse_args()
    seeds = parse_seeds(args.seeds)
    wanted = {name: [Arm(ARMS[name][0], seed, ARMS[name][1]) for seed in seeds] for name in args.arms}

    def tell(text: str) -> None:
        print(text, flush=True)

    if not args.only_print:
        for name, arms in wanted.items():
            sweep(arms, LEDGER, RUNS, Processes(args.jobs), [], tell)
            for arm in arms if name in REACHED and not args.no_boundary else ():
                measure(name, arm, tell)
    runs = {line["recipe_sha256"]: line for line in read_ledger(LEDGER)}
    print(
        "\n| arm | seeds | frontier at the end (highest level dreamed), by seed | day's levels | nights kept | judge and challenger, % | seconds |\n"
        + "| --- " * 7
        + "|"
    )
    for name, arms in wanted.items():
        if lines := [runs[arm.key] for arm in arms if arm.key in runs]:
            print(row(name, lines))
    found = {line["recipe_sha256"]: line for line in read_ledger(BOUNDARY)}
    if told := [row for name, arms in wanted.items() for arm in arms if arm.key in found for row in beyond(name, found[arm.key])]:
        print(
            "\n| arm | seed | family | pass@k 0 before | of these at least 0.9 now | newly in reach (null band) | lost | McNemar's p "
            "| acquired, sharpened |\n" + "| --- " * 9 + "|"
        )
        print("\n".join(told))
    finished = [arm for arms in wanted.values() for arm in arms if arm.key in runs and (RUNS / arm.run).exists()]
    for arm in finished:  # whose folders still lie here
        events = session.committed(RUNS / arm.run)
        if (seconds := reached(events)) is not None:
            print(f"{arm.name} seed {arm.seed}: every frontier at 16 or more after {seconds:.0f} s")
        if shares := formats(events):
            print(f"{arm.name} seed {arm.seed}: {shares}")
    if told := [in_context(runs[arm.key]) for arm in wanted.get("in context", ()) if arm.key in runs]:
        print("\n| seed | in context | after the night | at the end | look-ups at the end |\n" + "| --- " * 5 + "|")
        print("\n".join(told))


if __name__ == "__main__":
    main()
