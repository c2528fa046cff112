"""A run's folder: commits that survive any kill, and the way back when a file is damaged.

    recipe.json      resolved recipe and machine; never changes
    journal.jsonl    what happened
    state.json       what counts: step, journal length, hashes; replaced whole, last of all
    00003-round/     one folder a commit: the mind's roles, progress.json, pictures/, manifest.json with a sha256 a file
    summary.json report.html lock

A commit is written aside (`.aside`), fsynced and renamed; then the journal; then `state.json`. Whatever `state.json` doesn't name
does not exist. This module sees no tensor: it moves folders and hashes bytes.
"""

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from sleepwake.errors import DamagedRunError, RunFolderError

FORMAT = 1
ASIDE = ".aside"
DERIVED = ("summary.json", "report.html")


@dataclass(frozen=True)
class Commit:
    """One commit as `state.json` names it.

    Attributes:
        step: its number, from 1.
        name: its folder.
        manifest: sha256 of its manifest.json.
        chain: sha256 over the chain before it and its manifest.
        journal_bytes: the journal's length once it was committed.
        journal_sha256: of those bytes.
    """

    step: int
    name: str
    manifest: str
    chain: str
    journal_bytes: int
    journal_sha256: str


@dataclass(frozen=True)
class State:
    """Content of `state.json`: kept commits, oldest first, and the journal that counts."""

    step: int
    journal_bytes: int
    journal_sha256: str
    recipe_sha256: str
    commits: tuple[Commit, ...] = ()
    derived: Mapping[str, str] | None = None

    @property
    def last(self) -> Commit | None:
        """The newest commit."""
        return self.commits[-1] if self.commits else None


def digest(path: Path) -> str:
    """sha256 of a file."""
    with path.open("rb") as file:
        hashed = sha256()
        while block := file.read(1 << 20):
            hashed.update(block)
        return hashed.hexdigest()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_file(path: Path, content: str, durable: bool = True) -> None:
    """Write a file aside and rename it into place; fsync both unless it can be derived again after a power cut."""
    aside = path.with_name(f".{path.name}.aside")
    aside.write_text(content)
    if durable:
        _sync(aside)
    aside.replace(path)
    if durable:
        _sync(path.parent)


def read_manifest(folder: Path) -> dict[str, str]:
    """Relative file name to sha256."""
    manifest: dict[str, str] = json.loads((folder / "manifest.json").read_text())["files"]
    return manifest


class RunFolder:
    """A locked run folder. One process at a time."""

    def __init__(self, path: Path) -> None:
        """Lock the folder.

        Raises:
            RunFolderError: no run there, or another process is on it.
        """
        if not (path / "recipe.json").exists() and not (path / "state.json").exists():
            raise RunFolderError(f"{path} holds no run", "start one with: sleepwake run RECIPE --out DIR")
        self.path = path
        self._lock = FileLock(path / "lock", timeout=0)
        try:
            self._lock.acquire()
        except Timeout:
            raise RunFolderError(f"{path} is in use by another process", "wait for it or stop it, then try again") from None

    @classmethod
    def refuse(cls, path: Path, overwrite: bool) -> None:
        """Say no where a new run can't be put.

        Raises:
            RunFolderError: a run is there already, or files that are not a run's, or another process is on it.
        """
        if not path.exists() or not any(path.iterdir()):
            return
        if not (path / "recipe.json").exists():
            raise RunFolderError(f"{path} is not empty and holds no recipe.json of ours", "name another folder with --out")
        if not overwrite:
            recipe = cls.named(path)
            hint = f"go on with it: sleepwake resume {path}   or start over with --overwrite, or elsewhere with --out"
            raise RunFolderError(f"{path} holds a run already{f', of the {recipe}' if recipe else ''}", hint)
        cls(path).release()

    @staticmethod
    def named(path: Path) -> str:
        """Which recipe a folder's run is of; "" where it can't be read."""
        try:
            recipe = json.loads((path / "recipe.json").read_text())["recipe"]
            return f"{recipe['domain']['type']} recipe {recipe['name']!r}"
        except (ValueError, KeyError, TypeError):
            return ""

    @classmethod
    def create(cls, path: Path, recipe: Mapping[str, Any]) -> "RunFolder":
        """Make the folder of a new run, in place of what `refuse` let pass, and lock it. It is there whole or not at all."""
        aside = path.with_name(f".{path.name}{ASIDE}")
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        write_file(aside / "recipe.json", json.dumps({"format": FORMAT, **recipe}, indent=1) + "\n")
        cls(aside).begin()
        shutil.rmtree(path, ignore_errors=True)
        aside.rename(path)
        _sync(path.parent)
        return cls(path)

    def begin(self) -> None:
        """Write the first state, and release."""
        self.write_state(State(0, 0, sha256().hexdigest(), digest(self.path / "recipe.json")))
        (self.path / "journal.jsonl").touch()
        self.release()

    def release(self) -> None:
        """Give the lock back."""
        self._lock.release()

    def folder(self, commit: Commit) -> Path:
        """A commit's folder."""
        return self.path / commit.name

    def recipe(self) -> dict[str, Any]:
        """Content of recipe.json."""
        content: dict[str, Any] = json.loads((self.path / "recipe.json").read_text())
        return content

    # state.json

    def write_state(self, state: State) -> None:
        """Replace state.json; from here on the state counts."""
        content: dict[str, Any] = {"format": FORMAT, **asdict(state), "chain": state.last.chain if state.last else ""}
        content["sha256"] = sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
        write_file(self.path / "state.json", json.dumps(content, indent=1, sort_keys=True) + "\n")

    def read_state(self) -> State:
        """Content of state.json, with its own hash and the recipe's checked.

        Raises:
            DamagedRunError: either is missing or not what was written.
        """
        try:
            content = json.loads((self.path / "state.json").read_text())
            own = content.pop("sha256")
            if own != sha256(json.dumps(content, sort_keys=True).encode()).hexdigest():
                raise ValueError("its hash is wrong")
        except (OSError, ValueError, KeyError, AttributeError) as error:
            raise DamagedRunError(f"{self.path / 'state.json'} is damaged: {error}", _LOST) from None
        recipe = self.path / "recipe.json"
        if not recipe.exists() or digest(recipe) != content["recipe_sha256"]:
            raise DamagedRunError(f"{recipe} is damaged: it is not what the run was started with", _LOST)
        if content.pop("format") != FORMAT:
            raise RunFolderError(f"{self.path} was written in another format", "use the sleepwake version that made it")
        content.pop("chain")
        commits = tuple(Commit(**commit) for commit in content.pop("commits"))
        return State(commits=commits, **content)

    # commits

    def aside(self) -> Path:
        """An empty folder in which the next commit is prepared."""
        aside = self.path / ASIDE
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir()
        return aside

    def seal(self, step: int, phase: str, state: State) -> Commit:
        """Turn the folder aside into a commit: hash, link what is unchanged, fsync, rename. Not yet counted."""
        aside, name = self.path / ASIDE, f"{step:05d}-{phase}"
        files = {str(f.relative_to(aside)): digest(f) for f in sorted(aside.rglob("*")) if f.is_file()}
        before = self.folder(state.last) if state.last else None
        known = read_manifest(before) if before else {}
        for file, hashed in files.items():
            if before is not None and known.get(file) == hashed:
                (aside / file).unlink()
                os.link(before / file, aside / file)
            else:
                _sync(aside / file)
        (aside / "manifest.json").write_text(json.dumps({"format": FORMAT, "files": files}, indent=1) + "\n")
        _sync(aside / "manifest.json")
        for directory in (aside, *(d for d in aside.rglob("*") if d.is_dir())):
            _sync(directory)
        shutil.rmtree(self.path / name, ignore_errors=True)
        aside.rename(self.path / name)
        _sync(self.path)
        manifest = digest(self.path / name / "manifest.json")
        chain = sha256(((state.last.chain if state.last else "") + manifest).encode()).hexdigest()
        return Commit(step, name, manifest, chain, 0, "")

    def count(self, commit: Commit, journal: tuple[int, str], state: State, keep: Sequence[int]) -> State:
        """Make a sealed commit count, and forget commits that are not needed: all but the last two and those in `keep`."""
        commit = replace(commit, journal_bytes=journal[0], journal_sha256=journal[1])
        every = (*state.commits, commit)
        kept = tuple(c for c in every if c in every[-2:] or c.step in keep)
        state = replace(state, step=commit.step, journal_bytes=journal[0], journal_sha256=journal[1], commits=kept, derived=None)
        self.write_state(state)
        self.sweep_out(state)
        return state

    def sweep_out(self, state: State) -> None:
        """Remove what the state doesn't name: forgotten commits, and what a kill left aside."""
        named = {commit.name for commit in state.commits}
        for item in self.path.iterdir():
            if item.is_dir() and item.name not in named:
                shutil.rmtree(item)
            elif item.name.endswith(".aside"):
                item.unlink()

    def write_derived(self, state: State, files: Mapping[str, str]) -> State:
        """Write summary and report, and note their hashes."""
        for name, content in files.items():
            write_file(self.path / name, content, durable=False)
        hashes = dict(state.derived or {}) | {name: sha256(text.encode()).hexdigest() for name, text in files.items()}
        state = replace(state, derived=hashes)
        self.write_state(state)
        return state

    # damage

    def damage(self, commit: Commit) -> list[str]:
        """What is wrong with a commit's files, one line each."""
        folder = self.folder(commit)
        manifest = folder / "manifest.json"
        if not manifest.exists() or digest(manifest) != commit.manifest:
            return [f"{manifest} is missing or damaged"]
        files = read_manifest(folder)
        wrong = [
            f"{folder / name} is missing or damaged"
            for name, hashed in files.items()
            if not (folder / name).is_file() or digest(folder / name) != hashed
        ]
        extra = {str(f.relative_to(folder)) for f in folder.rglob("*") if f.is_file()} - {*files, "manifest.json"}
        return wrong + [f"{folder / name} was not committed" for name in sorted(extra)]

    def journal_damage(self, length: int, hashed: str) -> list[str]:
        """Whether the journal's first bytes are what was committed."""
        journal = self.path / "journal.jsonl"
        content = journal.read_bytes()[:length] if journal.exists() else b""
        fine = len(content) == length and sha256(content).hexdigest() == hashed
        return [] if fine else [f"{journal} is missing or damaged"]

    def verify(self) -> list[str]:
        """Check every hash of the run; returns what is wrong, one line each.

        Raises:
            DamagedRunError: state.json or recipe.json is damaged.
        """
        state = self.read_state()
        wrong = self.journal_damage(state.journal_bytes, state.journal_sha256)
        for commit in state.commits:
            wrong += self.damage(commit)
        for name, hashed in (state.derived or {}).items():
            if not (self.path / name).exists() or digest(self.path / name) != hashed:
                wrong.append(f"{self.path / name} is missing or damaged")
        return wrong

    def recover(self) -> tuple[State, list[str]]:
        """The newest state whose commit and journal are whole, and what was found damaged on the way to it.

        Raises:
            DamagedRunError: nothing whole to fall back to.
        """
        state = self.read_state()
        told = self.journal_damage(state.journal_bytes, state.journal_sha256)
        if not told and not state.commits:
            return state, []
        for index in range(len(state.commits) - 1, -1, -1):
            commit = state.commits[index]
            journal_wrong = self.journal_damage(commit.journal_bytes, commit.journal_sha256)
            wrong = self.damage(commit) + journal_wrong
            newest = index == len(state.commits) - 1
            if not wrong and newest and not told:
                return state, []
            if not wrong:
                back = replace(
                    state, step=commit.step, commits=state.commits[: index + 1], derived=None,
                    journal_bytes=commit.journal_bytes, journal_sha256=commit.journal_sha256,
                )  # fmt: skip
                return back, told
            told = list(dict.fromkeys(told + wrong))
        raise DamagedRunError("nothing whole to go on from:\n" + "\n".join(f"  {line}" for line in told), _LOST)


_LOST = "this run can't go on; start it over with --overwrite, or put the file back from a copy"
