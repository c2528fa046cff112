"""What both domains do with torch: seeded blocks, tensors in safetensors files, the machine's set-up."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from sleepwake.errors import RecipeError


def set_up(device: str, threads: int, matmul_precision: str) -> torch.device:
    """Deterministic kernels, the recipe's threads and precision, and the device to run on ("auto": cuda where there is one).

    Raises:
        RecipeError: there is no such device here.
    """
    if device not in ("auto", "cpu") and not (device.startswith("cuda") and torch.cuda.is_available()):
        seen = "torch sees no CUDA device" if device.startswith("cuda") else "there is no such device"
        raise RecipeError(f"--device {device}: {seen}", "--device cpu")
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when CUDA starts; without it cuBLAS isn't deterministic
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # a help in debugging that costs half of a TRL step
    torch.set_float32_matmul_precision(matmul_precision)
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(device)


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Run library code that draws from torch's global random state; the state is put back afterwards."""
    devices = [device] if device.type == "cuda" else []
    there = nullcontext() if torch.get_default_device() == device else torch.device(device)  # it looks at every call, which a trainer feels
    with torch.random.fork_rng(devices=devices), there:
        torch.manual_seed(seed)
        yield


def generator(seed: int, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator of its own for one draw. On the CPU unless asked, so that draws don't depend on the device."""
    return torch.Generator(device=device).manual_seed(seed)


def aligned(module: nn.Module) -> nn.Module:
    """The same weights in memory of their own: what is mapped from a file isn't aligned, on which the last bits of a result depend."""
    for tensor in (*module.parameters(), *module.buffers()):
        tensor.data = tensor.data.clone()
    return module


def save_module(module: nn.Module, file: Path) -> None:
    """Write a module's state as safetensors."""
    save_file({key: value.detach().cpu().clone().contiguous() for key, value in module.state_dict().items()}, file)


def load_module(module: nn.Module, file: Path) -> None:
    """Copy a state into an existing module; copying keeps memory alignment, on which the last bits of a result depend."""
    module.load_state_dict(load_file(file))


def save_tensors(tensors: Mapping[str, Tensor], file: Path) -> None:
    """Write named tensors as safetensors."""
    save_file({key: value.detach().cpu().clone().contiguous() for key, value in tensors.items()}, file)


def load_tensors(file: Path, device: torch.device) -> dict[str, Tensor]:
    """Read named tensors, cloned into aligned memory."""
    return {key: value.to(device).clone() for key, value in load_file(file).items()}


def save_json(value: Any, file: Path) -> None:
    """Write a role's plain state, sorted, so that equal states are equal files."""
    file.write_text(json.dumps(value, indent=1, sort_keys=True) + "\n")


def load_json(file: Path) -> Any:
    """Read what `save_json` wrote."""
    return json.loads(file.read_text())


def module_bytes(module: nn.Module) -> int:
    """Bytes of a module's parameters and buffers."""
    return tensor_bytes(module.state_dict())


def tensor_bytes(tensors: Mapping[Any, Tensor]) -> int:
    """Bytes of tensors under any names."""
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())


def machine() -> dict[str, Any]:
    """CPU capability and accelerator: equal runs need equal ones."""
    cuda = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {"cpu_capability": torch.backends.cpu.get_cpu_capability(), "cuda": cuda}
