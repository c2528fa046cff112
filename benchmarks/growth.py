"""Does an experience cost more the more came before it? NIC, 50 experiences: seconds and bytes of experiences 41 to 50 against 2 to 11.

    python benchmarks/growth.py --data ../shared/data

Bar: medians within 1.1, bytes equal. Every experience scores all tests, so that the measurement costs the same each time.
"""

import argparse
import json
import subprocess
import tempfile
from pathlib import Path
from statistics import median

from sleepwake.sweep import Arm, command


def main() -> None:
    """Run the recipe, read its journal, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="../shared/data")
    parser.add_argument("--recipe", default="vision/negative-nic-mnist")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "run"
        asked = command(Arm(args.recipe, args.seed, ()), folder, ["--data", args.data])
        subprocess.run(asked, check=True, stdout=subprocess.DEVNULL)
        events = [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]
        summary = json.loads((folder / "summary.json").read_text())
    days = [event for event in events if event["event"] == "committed"]
    seconds = [event["timing"]["seconds"] for event in days]
    early, late = median(seconds[1:11]), median(seconds[40:50])
    kept = [{role: metrics["bytes"] for role, metrics in event["metrics"].items()} for event in days]
    rows = [event["metrics"]["learner"]["rows"] for event in days]
    print(f"{args.recipe} seed {args.seed}: {len(days)} experiences, accuracy at the end {summary['acc']:.4f}")
    print(f"median seconds of experiences 2 to 11: {early:.3f}; of 41 to 50: {late:.3f}; ratio {late / early:.3f}")
    print(f"bytes after experience 11: {kept[10]} ({rows[10]} classes); after 50: {kept[-1]} ({rows[-1]} classes)")


if __name__ == "__main__":
    main()
