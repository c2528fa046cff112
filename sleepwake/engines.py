"""Where a sweep's runs are worked off. A cluster is one more class with the same method."""

import subprocess
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Protocol

Command = Sequence[str]


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    Attributes:
        place: of the command in the list that was given.
        code: its exit code.
        error: what it wrote to standard error.
    """

    place: int
    code: int
    error: str


class Engine(Protocol):
    """Works off commands that know nothing of each other, and that write into folders which this process sees too."""

    def run(self, commands: Sequence[Command]) -> Iterator[Ended]:
        """Run each command once, in any order; tell of each as it ends."""
        ...


class Processes:
    """Processes of this machine.

    Args:
        jobs: how many at a time.
    """

    def __init__(self, jobs: int) -> None:
        self.jobs = jobs

    def run(self, commands: Sequence[Command]) -> Iterator[Ended]:
        """Run each command once, in their order as far as `jobs` allows."""
        with ThreadPoolExecutor(self.jobs) as pool:
            running = {
                pool.submit(subprocess.run, command, capture_output=True, text=True, check=False): place
                for place, command in enumerate(commands)
            }
            for future in as_completed(running):
                done = future.result()
                yield Ended(running[future], done.returncode, done.stderr)
