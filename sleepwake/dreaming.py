"""Look into a run's dreams: what the mind of a commit would dream next, with its judge's verdicts. Changes nothing."""

import json
import tempfile
from pathlib import Path

from sleepwake.errors import RunFolderError
from sleepwake.seeds import seed
from sleepwake.session import Session


def dream(opened: Session, out: Path | None, n: int | None = None, step: int | None = None) -> list[str]:
    """Dream once and judge it.

    Args:
        opened: an open run; its folder is released.
        out: where the contact sheet goes, for dreams that are pictures; None: beside the run.
        n: how many dreams are shown at most, in equal spaces; None: all, as far as there is room.
        step: of the commit whose mind dreams; None: the last.

    Returns:
        Lines to print: the picture's place, or dreams as text.

    Raises:
        RunFolderError: nothing has been learned yet, the challenger has nothing to practise, or the commit isn't kept.
    """
    folder, domain, root = opened.folder, opened.domain, opened.recipe.seed
    try:
        state, _ = folder.recover()
        if state.last is None:
            raise RunFolderError(f"{folder.path} has learned nothing yet", f"learn a task first: sleepwake wake {folder.path}")
        kept = {commit.step: commit for commit in state.commits}
        if step is not None and step not in kept:
            raise RunFolderError(f"{folder.path} keeps no commit of step {step}", f"--step {' or '.join(map(str, kept))}")
        chosen = kept[state.last.step if step is None else step]
        mind, commit = domain.mind(), folder.folder(chosen)
        mind.load(commit)
        with domain.guard.night():
            mind.judge.freeze(commit)
            challenges = mind.challenger.propose(mind, seed(root, chosen.step, "look", "challenger"))
            if not len(challenges):
                raise RunFolderError(f"{folder.path} has nothing to practise yet", f"learn more: sleepwake wake {folder.path}")
            material = mind.dreamer.dream(challenges, mind.learner, seed(root, chosen.step, "look", "dreamer"))
            verdicts = mind.judge.verdicts(material, seed(root, chosen.step, "look", "judge"))
        if n is not None and n < len(material):
            shown = {place * len(material) // n for place in range(n)}
            mask = [place in shown for place in range(len(material))]
            material, verdicts = material.select(mask), verdicts.select(mask)
        with tempfile.TemporaryDirectory() as scratch:
            pictures = domain.picture(Path(scratch), chosen.step, mind, material, verdicts)
            if pictures:
                place = out or folder.path.with_name(f"{folder.path.name}-dreams.png")
                place.write_bytes((Path(scratch) / Path(pictures[0]["file"]).name).read_bytes())
                return [f"{place}: {pictures[0]['caption']}"]
        return [json.dumps(line) for line in domain.describe(material, verdicts)]
    finally:
        folder.release()
