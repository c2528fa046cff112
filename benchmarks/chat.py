"""MAGPIE and notes on a small chat model: what a night on questions that it writes itself adds, beside nights without it.

    python benchmarks/chat.py                  # run what the ledger lacks, then print
    python benchmarks/chat.py --print

A Qwen3 of 0.2 M random weights with a chat template learns sums of two numbers below 40 from 300 of the 1,600 questions by day; 400 others
are the test. By night it writes questions (MAGPIE) and is trained on answers that a majority of its own attempts gives.
Ledger: benchmarks/results/chat.jsonl, one JSON line a finished run. Seeds 0 to 4; settings were settled on seed 100.
"""

import argparse
import json
import sys
from pathlib import Path
from random import Random

import torch
from transformers import Qwen3Config, Qwen3ForCausalLM

from sleepwake.domains.tensors import seeded
from sleepwake.engines import Processes
from sleepwake.sweep import Arm, parse_seeds, read_ledger, sweep

sys.path.insert(0, "tests")
from chat_models import tokenizer

LEDGER = Path("benchmarks/results/chat.jsonl")
RUNS = Path("checkpoints/chat")
BASE = (
    "threads=1", "stream.examples=2000", "stream.kept=60", "stream.tests=400", "stream.frontier_tests=20",
    'stream.sets.gsm8k={path="sums.jsonl", extract="number"}',
    'learner={type="pretrained", model={type="folder", folder="model"}, fast="full", longest=16}',
    'dreamer={type="magpie", pool=300, attempts=8, longest=40, alike=1.0, quality=0.0}', "challenger.problems=150",
    "wake.steps=2500", "wake.batch=32", "wake.rate=2e-3",
    'sleep.rehearse={type="supervised", steps=60, batch=64, rate=3e-4, fresh=0.5, easy=0.2}', "sleep.rounds=6",
    "sleep.consolidate.steps=20", "sleep.consolidate.rate=1e-4", "morning.floors={}", "policy.nights=1", "policy.ungrounded=0",
)  # fmt: skip
ARMS: dict[str, tuple[str, ...]] = {
    "magpie, majority": (),
    "magpie, random reward": ('judge={type="random"}',),
    "magpie, oracle": ('judge={type="oracle"}',),
    "no nights, equal steps": ("policy.nights=0", "wake.steps=2880"),
    "notes": ('sleep.rehearse={type="notes", longest=40}', 'sleep.consolidate={type="replay"}', 'judge={type="self-certainty"}'),
}
"""What is said beyond the base."""


def prepare(folder: Path) -> None:
    """The questions, and a chat model that knows nothing."""
    if (folder / "sums.jsonl").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    words = tokenizer()
    config = Qwen3Config(
        vocab_size=len(words), hidden_size=64, intermediate_size=192, num_hidden_layers=4, num_attention_heads=4, num_key_value_heads=4,
        head_dim=16, max_position_embeddings=512, tie_word_embeddings=True, bos_token_id=None, eos_token_id=words.eos_token_id,
        pad_token_id=words.pad_token_id,
    )  # fmt: skip
    with seeded(0, torch.device("cpu")):
        Qwen3ForCausalLM(config).save_pretrained(folder / "model")
    words.save_pretrained(folder / "model")
    pairs = [(a, b) for a in range(40) for b in range(40)]
    Random(0).shuffle(pairs)
    rows = [
        {
            "split": "train" if at < 300 else "test" if at < 700 else "unseen",
            "question": f"What is {a} plus {b}?",
            "answer": f"It is {a + b}.",
        }
        for at, (a, b) in enumerate(pairs)
    ]
    (folder / "sums.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")


def main() -> None:
    """Run what is missing, print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--print", action="store_true", dest="only_print")
    parser.add_argument("--seeds", default="0-4")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--arms", nargs="*", default=list(ARMS), choices=list(ARMS), metavar="ARM")
    args = parser.parse_args()
    arms = [Arm("language/gsm8k-gpu", seed, (*BASE, *ARMS[name])) for name in args.arms for seed in parse_seeds(args.seeds)]
    if not args.only_print:
        prepare(RUNS / "base")
        sweep(arms, LEDGER, RUNS, Processes(args.jobs), ["--data", str(RUNS / "base")], lambda text: print(text, flush=True))
    runs = {line["recipe_sha256"]: line["summary"] for line in read_ledger(LEDGER)}
    print("\n| arm | seeds | after the day | at the end | difference | nights kept |\n" + "| --- " * 6 + "|")
    for name in args.arms:
        mine = [Arm("language/gsm8k-gpu", seed, (*BASE, *ARMS[name])) for seed in parse_seeds(args.seeds)]
        told = [(arm.seed, runs[arm.key]) for arm in mine if arm.key in runs]
        if told:
            before = [one["before_sleep"][0][0] if one["nights"] else one["acc"] for _, one in told]
            after = [one["acc"] for _, one in told]
            kept = sum(night["accepted"] is True for _, one in told for night in one["nights"])
            shown = [", ".join(f"{value:.3f}" for value in values) for values in (before, after)]
            gain = sum(after) / len(after) - sum(before) / len(before)
            print(
                f"| {name} | {', '.join(str(seed) for seed, _ in told)} | {shown[0]} | {shown[1]} | {gain:+.3f} | {kept} of {len(told)} |"
            )


if __name__ == "__main__":
    main()
