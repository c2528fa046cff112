"""The night. One file a stage; each states what it needs and what it gives, and `check` asks it.

Map: `challenge` -> `dream` -> `judge` -> `rehearse` make a round, a commit of its own; `consolidate` folds the night's result once.
To add a stage: its file, its name in `StageName` and its line in `STAGES`.
"""

from typing import Literal

from sleepwake.sleep.challenge import Challenge
from sleepwake.sleep.consolidate import Consolidate
from sleepwake.sleep.dream import Dream
from sleepwake.sleep.judge import Judge
from sleepwake.sleep.rehearse import Rehearse
from sleepwake.sleep.stage import Stage

StageName = Literal["challenge", "dream", "judge", "rehearse", "consolidate"]
STAGES: dict[StageName, Stage] = {
    "challenge": Challenge(),
    "dream": Dream(),
    "judge": Judge(),
    "rehearse": Rehearse(),
    "consolidate": Consolidate(),
}
