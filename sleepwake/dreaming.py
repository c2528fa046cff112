"""Look into a run's dreams: what the mind of the last commit would dream next, with its judge's verdicts. Changes nothing."""

import json
import tempfile
from pathlib import Path

from sleepwake.errors import RunFolderError
from sleepwake.seeds import seed
from sleepwake.session import Session


def dream(opened: Session, out: Path | None) -> list[str]:
    """Dream once and judge it.

    Args:
        opened: an open run; its folder is released.
        out: where the contact sheet goes, for dreams that are pictures; None: beside the run.

    Returns:
        Lines to print: the picture's place, or dreams as text.

    Raises:
        RunFolderError: nothing has been learned yet, or the challenger has nothing to practise.
    """
    folder, domain, root = opened.folder, opened.domain, opened.recipe.seed
    try:
        state, _ = folder.recover()
        if state.last is None:
            raise RunFolderError(f"{folder.path} has learned nothing yet", f"learn a task first: sleepwake wake {folder.path}")
        mind, commit = domain.mind(), folder.folder(state.last)
        mind.load(commit)
        with domain.guard.night():
            mind.judge.freeze(commit)
            challenges = mind.challenger.propose(mind, seed(root, state.step, "look", "challenger"))
            if not len(challenges):
                raise RunFolderError(f"{folder.path} has nothing to practise yet", f"learn more: sleepwake wake {folder.path}")
            material = mind.dreamer.dream(challenges, mind.learner, seed(root, state.step, "look", "dreamer"))
            verdicts = mind.judge.verdicts(material, seed(root, state.step, "look", "judge"))
        with tempfile.TemporaryDirectory() as scratch:
            pictures = domain.picture(Path(scratch), state.step, material, verdicts)
            if pictures:
                place = out or folder.path.with_name(f"{folder.path.name}-dreams.png")
                place.write_bytes((Path(scratch) / Path(pictures[0]["file"]).name).read_bytes())
                return [f"{place}: {pictures[0]['caption']}"]
        return [json.dumps(line) for line in domain.describe(material, verdicts)]
    finally:
        folder.release()
