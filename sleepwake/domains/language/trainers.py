"""What all trainers of TRL have in common here: silence, random states as they were, and arguments."""

import gc
import logging
import random
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import datasets
import numpy
import torch
import transformers
from transformers import PrinterCallback, Trainer

gc.collect()
gc.freeze()  # accelerate collects garbage when a trainer ends: half a second a round, were all that was just imported looked through again


def arguments(folder: str, rate: float, seed: int, device: torch.device) -> dict[str, Any]:
    """What every trainer's configuration says: one device, bfloat16 on a GPU, no logs, no checkpoints (a round is the unit of resume)."""
    return {
        "output_dir": folder,
        "seed": seed % 2**31,
        "use_cpu": device.type == "cpu",
        "bf16": device.type == "cuda",
        "gradient_checkpointing": False,
        "learning_rate": rate,
        "lr_scheduler_type": "constant",
        "report_to": "none",
        "save_strategy": "no",
        "logging_strategy": "no",
        "disable_tqdm": True,
        "dataloader_pin_memory": False,
    }


def calm(steps: int) -> dict[str, Any]:
    """Short pieces of reinforcement learning begin and end calmly, since their moments are fresh: constant rates lost the day's levels."""
    return {"lr_scheduler_type": "linear", "warmup_steps": steps // 4, "max_grad_norm": 0.3, "adam_beta2": 0.98}


def trained(trainer: Trainer) -> None:
    """Let a trainer run, without a word."""
    trainer.remove_callback(PrinterCallback)
    trainer.train()


@contextmanager
def quiet() -> Iterator[None]:
    """No bars or notices from trainers, and Python's and numpy's random states as they were (trainers reset them)."""
    python_state, numpy_state = random.getstate(), numpy.random.get_state()
    verbosity, trl = transformers.utils.logging.get_verbosity(), logging.getLogger("trl")
    level = trl.level
    transformers.utils.logging.set_verbosity_error()
    trl.setLevel(logging.ERROR)  # it warns of each abstention
    transformers.utils.logging.disable_progress_bar()
    datasets.disable_progress_bars()
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=FutureWarning)
            yield
    finally:
        transformers.utils.logging.set_verbosity(verbosity)
        trl.setLevel(level)
        random.setstate(python_state)
        numpy.random.set_state(numpy_state)
