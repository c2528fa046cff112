"""Opening a frozen generator: the one that comes with the program, a folder that diffusers has written, or a hub id."""

import copy
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from torch import nn

from sleepwake.domains import tensors
from sleepwake.domains.vision.dreamer_settings import DiffusionDreamer, FolderGenerator, HubGenerator, StrokesGenerator
from sleepwake.domains.vision.frozen import FrozenGenerator, Parts
from sleepwake.domains.vision.text_encoder import SoftPromptClip
from sleepwake.domains.weights import fetched
from sleepwake.errors import DataError

STROKES = Path(__file__).parent / "strokes_generator"
"""What `stroke_training` has made."""
NEEDED = ("unet", "text_encoder", "scheduler")
UNETS, ENCODERS = ("UNet2DConditionModel",), ("CLIPTextModel",)
for library in (diffusers, transformers):
    library.utils.logging.disable_progress_bar()  # the program has its own
KNOWN = 'dreamer.generator = { type = "strokes" }, or a folder with a UNet2DConditionModel, a CLIPTextModel and a scheduler'


def open_generator(settings: DiffusionDreamer, device: torch.device) -> FrozenGenerator:
    """The generator that a dreamer names. Its weights are shared by all that open it; where adapters go into them it is a copy.

    Raises:
        DataError: it can't be had, or isn't of the kind that is needed.
    """
    parts = _parts(where(settings.generator), str(device))
    if settings.adapter.type != "prompt":
        parts = copy.deepcopy(parts)
    return FrozenGenerator(parts, settings.sampler, settings.denoising, settings.checkpointing)


def where(generator: StrokesGenerator | FolderGenerator | HubGenerator) -> Path:
    """The generator's folder on this machine; a hub id is fetched first.

    Raises:
        DataError: the hub can't be reached, or doesn't have it.
    """
    if isinstance(generator, StrokesGenerator):
        return STROKES
    if isinstance(generator, FolderGenerator):
        return Path(generator.folder)
    wanted = (
        "model_index.json",
        *(f"{part}/*.{kind}" for part in (*NEEDED, "vae", "tokenizer") for kind in ("json", "safetensors", "txt")),
    )
    return fetched("dreamer.generator", generator.id, generator.revision, wanted)


@lru_cache(maxsize=1)
def _parts(folder: Path, device: str) -> Parts:
    """Read a folder, once for all minds of a process: nothing in it ever changes."""
    index = _index(folder)
    with torch.device("cpu"):
        unet = _read(diffusers.UNet2DConditionModel, folder / "unet")
        encoder = _read(SoftPromptClip, folder / "text_encoder")
        scheduler = diffusers.DDPMScheduler.from_pretrained(folder / "scheduler")
        vae = _read(getattr(diffusers, index["vae"][1]), folder / "vae") if index.get("vae", [None])[0] else None
    parts = Parts(unet, encoder, scheduler, _caption(folder, encoder), vae)
    _check_sizes(folder, parts)
    for part in (unet, encoder, vae):
        if part is not None:
            tensors.aligned(part).to(device)
    return parts


def _index(folder: Path) -> dict[str, Any]:
    file = folder / "model_index.json"
    if not file.is_file():
        raise DataError(f"dreamer.generator: {folder} holds no model_index.json, so it is no folder of diffusers", KNOWN)
    index: dict[str, Any] = json.loads(file.read_text())
    for part in NEEDED:
        if part not in index or not (folder / part).is_dir():
            raise DataError(f"dreamer.generator: {folder} ({index.get('_class_name')}) has no {part}", KNOWN)
    for part, kinds in (("unet", UNETS), ("text_encoder", ENCODERS)):
        if index[part][1] not in kinds:
            raise DataError(f"dreamer.generator: the {part} in {folder} is a {index[part][1]}; only {', '.join(kinds)} is known", KNOWN)
    for part in ("text_encoder_2", "transformer", "prior"):
        if index.get(part, [None])[0]:
            raise DataError(f"dreamer.generator: {folder} ({index.get('_class_name')}) has a {part}, which is not known", KNOWN)
    return index


def _read(kind: Any, folder: Path) -> nn.Module:
    if not list(folder.glob("*.safetensors")):
        raise DataError(
            f"dreamer.generator: {folder} holds no safetensors; pickled weights are never read",
            "write it again with save_pretrained(..., safe_serialization=True)",
        )
    try:
        module: nn.Module = kind.from_pretrained(folder, torch_dtype=torch.float32, use_safetensors=True, local_files_only=True)
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise DataError(f"dreamer.generator: {folder} can't be read: {error}", "fetch or write that folder again") from error
    return module


def _caption(folder: Path, encoder: Any) -> tuple[int, ...]:
    """Ids of a caption without words: what the tokenizer says, or the end alone where there is none."""
    if (folder / "tokenizer").is_dir():
        return tuple(transformers.CLIPTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True)("").input_ids)
    return (encoder.config.eos_token_id,)


def _check_sizes(folder: Path, parts: Parts) -> None:
    width, wanted = parts.encoder.config.hidden_size, parts.unet.config.cross_attention_dim
    if width != wanted:
        raise DataError(f"dreamer.generator: {folder}: the text encoder gives {width} numbers a word, the UNet takes {wanted}", KNOWN)
    channels = parts.unet.config.in_channels
    if channels != parts.unet.config.out_channels:
        raise DataError(
            f"dreamer.generator: {folder}: the UNet takes {channels} channels and gives {parts.unet.config.out_channels}", KNOWN
        )
    if parts.vae is None and channels not in (1, 3):
        raise DataError(f"dreamer.generator: {folder}: a UNet of {channels} channels needs a vae, and there is none", KNOWN)
    if parts.vae is not None and channels != parts.vae.config.latent_channels:
        raise DataError(f"dreamer.generator: {folder}: the vae has {parts.vae.config.latent_channels} channels, the UNet {channels}", KNOWN)
