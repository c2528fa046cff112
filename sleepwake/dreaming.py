"""Look into a run's dreams: what the mind of a commit would dream next, or what a night left of its own, with verdicts. Changes nothing."""

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sleepwake.errors import RunFolderError, writing
from sleepwake.seeds import seed
from sleepwake.session import Session, committed_events


def of_night(opened: Session, out: Path | None, night: int) -> list[str]:
    """What a night left of its dreams.

    Args:
        opened: an open run; its folder is released.
        out: as for `dream`.
        night: from 1, of all nights of the run that dreamed; its last round that judged dreams is shown.

    Returns:
        Lines to print, as `dream`.

    Raises:
        RunFolderError: there was no such night, or it dreamed nothing.
    """
    folder = opened.folder
    try:
        state, _ = folder.recover()
        nights: dict[tuple[int, int], dict[str, Any]] = {}
        for event in committed_events(folder):
            if event["event"] == "staged" and (event.get("pictures") or event.get("examples")):
                nights[event["day"], event["night"]] = event
        if not 1 <= night <= len(nights):
            hint = f"--night 1 to {len(nights)}" if nights else f"sleepwake dream {folder.path} shows what it would dream now"
            raise RunFolderError(f"{folder.path} has dreamed in {len(nights)} nights, not in a night {night}", hint)
        shown = list(nights.values())[night - 1]
        if not shown.get("pictures"):
            return _as_text(out, shown["examples"])
        assert state.last is not None, "a night follows a day"
        file = folder.folder(state.last) / shown["pictures"][0]["file"]
        return [_written(folder.path, out, file, shown["pictures"][0]["caption"])]
    finally:
        folder.release()


def _written(run: Path, out: Path | None, file: Path, caption: str) -> str:
    place = out or run.with_name(f"{run.name}-dreams.png")
    with writing(place):
        place.write_bytes(file.read_bytes())
    return f"{place}: {caption}"


def _as_text(out: Path | None, dreams: Sequence[Mapping[str, Any]]) -> list[str]:
    """Dreams that are no pictures, a JSON line each; where they are wanted in a file, they go there."""
    lines = [json.dumps(dream) for dream in dreams]
    if out is None:
        return lines
    with writing(out):
        out.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return [f"{out}: {len(lines)} dreams, a JSON line each"]


def dream(opened: Session, out: Path | None, n: int | None = None, step: int | None = None) -> list[str]:
    """Dream once and judge it.

    Args:
        opened: an open run; its folder is released.
        out: where the contact sheet goes; None: beside the run. Dreams that are text go there as JSON lines; None: to be printed.
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
                return [_written(folder.path, out, Path(scratch) / Path(pictures[0]["file"]).name, pictures[0]["caption"])]
        return _as_text(out, domain.describe(material, verdicts))
    finally:
        folder.release()
