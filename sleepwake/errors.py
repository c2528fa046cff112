"""Users' mistakes, one family: what is wrong, where, and the line to write. Our own mistakes are plain assertions."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class SleepwakeError(ValueError):
    """A message for the user, shown without a traceback; the command ends with `exit_code`."""

    exit_code = 2

    def __init__(self, message: str, hint: str = "") -> None:
        self.message = message
        self.hint = hint
        super().__init__(f"{message}\nhint: {hint}" if hint else message)


class RecipeError(SleepwakeError):
    """A recipe or an override that can't be run; the message lists every error by its path."""


class DataError(SleepwakeError):
    """Data that a recipe names is missing or is not what it should be."""


class RunFolderError(SleepwakeError):
    """A run folder that is in use, in the way, or not a run."""


class DamagedRunError(SleepwakeError):
    """A file of a run folder that is not what was committed, and nothing good to fall back to."""

    exit_code = 1


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Write where the user said.

    Raises:
        RunFolderError: the system won't have it there.
    """
    try:
        yield
    except OSError as error:
        raise RunFolderError(f"{path} can't be written: {error.strerror or error}", "name another file or folder") from error
