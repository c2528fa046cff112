"""Are the dreams of finished runs new, and are they images? By judges that never guided them (docs/results/dreams.md).

    python benchmarks/new_images.py checkpoints/dreams/vision-dream-digits-0-* --data ../shared/data

For each run folder, 100 dreams of each dreamed class that its last commit has are drawn again; those that the night's judge accepts are asked
about (all of them where classes are recognised). Wanted: under 10 % taken for a known class with a confidence over 0.9, by judges that have
learned the known classes' real images and that there are images of no class; at least 90 % of the other half recognised by a classifier of
one half; near-duplicates under 2 %; at least 80 % below the 95th percentile of the denoising error of the generator's own drawings. Beside it
what judges say that have seen images of another data set in place of those made (mixtures, drawings), what a classifier that knows nothing
but the classes says, and what all of them say of dreams that were not accepted too, of real images and of uniform noise. Ledger:
benchmarks/results/new_images.jsonl, a line a run.
"""

import argparse
import json
import time
from functools import reduce
from pathlib import Path
from typing import Any

import torch

from sleepwake import session
from sleepwake.domains.tensors import generator
from sleepwake.domains.vision.data_sets import npz
from sleepwake.domains.vision.dream_measures import Informed, duplicates, like_drawings, recognised, taken_for_known
from sleepwake.domains.vision.dreamer_settings import DiffusionDreamer
from sleepwake.domains.vision.images import Batch
from sleepwake.domains.vision.mix_dreamers import pictured
from sleepwake.domains.vision.pipelines import open_generator
from sleepwake.domains.vision.stream_settings import NpzStream
from sleepwake.seeds import seed as seed_at

EACH = 100
STRANGE = 5000
"""Images of another data set that a judge is shown."""
LEDGER = Path("benchmarks/results/new_images.jsonl")


def measured(path: Path, data: Path, others: Path) -> dict[str, Any]:
    """The figures of a run's dreams, and of real images of its stream."""
    opened = session.reopen(path, None, "cpu", data, print, time.monotonic())
    folder, domain, recipe = opened.folder, opened.domain, opened.recipe
    try:
        if getattr(recipe.stream, "data", "") == others.name:
            raise SystemExit(f"{others.name} is the stream's own: name another with --others")
        if domain.dreamt is None:
            raise SystemExit(f"{path} has no dreamed classes")
        state, _ = folder.recover()
        assert state.last is not None, f"{path} has learned nothing"
        mind, commit = domain.mind(), folder.folder(state.last)
        mind.load(commit)
        mind.judge.freeze(commit)
        names = [name for name in mind.dreamer.inventory if not domain.space.is_practised(name)]
        if not names:  # such as after a night that was undone
            return {"run": path.name, "classes": 0}
        with torch.no_grad():
            images_PNCHW = mind.dreamer.again(names, EACH, seed_at(recipe.seed, "measure"))
        labels_N = torch.tensor(names).repeat_interleave(EACH)
        accepted_N = torch.tensor(mind.judge.verdicts(Batch(images_PNCHW.flatten(0, 1), labels_N), 1).accepted)
        accepted_NCHW = images_PNCHW.flatten(0, 1)[accepted_N]
        known = mind.learner.net.real
        with domain.guard.audit():
            learned = [task for task in domain.tasks if set(domain.space.ids(task.parts)) <= set(known)]
            examples = reduce(Batch.concat, [domain.examples(task) for task in learned])
            tests = torch.cat([domain.stream.test(domain.stream.of(task)).images_NCHW for task in learned])
            oracle = domain.oracle()
        noise_NCHW = torch.rand(tests.shape, generator=generator(1), device="cpu")
        asked = {"": accepted_NCHW, "all": images_PNCHW.flatten(0, 1), "real": tests, "noise": noise_NCHW}
        informed = Informed.of(examples, domain.space, 1)
        (strange,) = npz(NpzStream(type="npz", data=str(others)), ())
        others_NCHW = pictured(strange, torch.arange(STRANGE), domain.space)
        elsewhere = Informed.of(examples, domain.space, 1, others_NCHW=others_NCHW)
        judges = {"": informed, ", by others": elsewhere, ", plain": oracle}
        told = {
            f"{name} known{kind}".strip(): round(taken_for_known(judge, images, known), 4)
            for kind, judge in judges.items()
            for name, images in asked.items()
        }
        settings = recipe.dreamer if isinstance(recipe.dreamer, DiffusionDreamer) else DiffusionDreamer(type="diffusion")
        model = open_generator(settings, torch.device("cpu"))
        return {
            "run": path.name,
            "classes": len(names),
            "accepted": round(float(accepted_N.float().mean()), 4),
            **told,
            "recognised": round(recognised(images_PNCHW, domain.space, 1), 4),
            "duplicates": round(duplicates(accepted_NCHW), 4),
            "like drawings": round(like_drawings(model, accepted_NCHW[:400], 1), 4),
            "real like drawings": round(like_drawings(model, examples.images_NCHW[:400], 1), 4),
            "real duplicates": round(duplicates(examples.images_NCHW[:800]), 4),
        }
    finally:
        folder.release()


def main() -> None:
    """Print a line a run, and add it to the ledger."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument(
        "--others", default="fashion_mnist.npz", help="images of no class, for judges that know of them; not the stream's own"
    )
    args = parser.parse_args()
    for path in args.runs:
        line = json.dumps(measured(path, args.data, args.data / args.others))
        print(line, flush=True)
        with LEDGER.open("a") as file:
            file.write(line + "\n")


if __name__ == "__main__":
    main()
