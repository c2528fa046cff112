"""sleepwake: models that learn by day and improve themselves by night.

Set before any import of torch: idle OpenMP threads sleep instead of spinning (on shared cores spinning is 30 times slower),
and no library reports home.
"""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

__version__ = "0.1.0"
