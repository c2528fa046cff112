"""Opening a frozen generator: the one that comes with the program, a folder that diffusers has written, or a hub id."""

import copy
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from diffusers.loaders import StableDiffusionLoraLoaderMixin
from safetensors import SafetensorError
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
KINDS = {"unet": "UNet2DConditionModel", "text_encoder": "CLIPTextModel", "vae": "AutoencoderKL"}
"""The classes of a generator's parts that are known."""
for library in (diffusers, transformers):
    library.utils.logging.disable_progress_bar()  # the program has its own
KNOWN = 'dreamer.generator = { type = "strokes" }, or a folder with a UNet2DConditionModel, a CLIPTextModel and a scheduler'


def open_generator(settings: DiffusionDreamer, device: torch.device) -> FrozenGenerator:
    """The generator that a dreamer names. Its weights are shared by all that open it; where adapters go into them it is a copy.

    Raises:
        DataError: it can't be had, or isn't of the kind that is needed.
    """
    parts = _parts(places(settings.generator), str(device))
    vectors = getattr(settings.adapter, "vectors", 0)
    room = parts.encoder.config.max_position_embeddings - len(parts.caption)
    if vectors > room:
        raise DataError(f"dreamer.adapter.vectors: {vectors} don't fit the generator's captions", f"dreamer.adapter.vectors = {room}")
    if settings.adapter.type != "prompt":
        parts = copy.deepcopy(parts)
    return FrozenGenerator(parts, settings.sampler, settings.denoising, settings.checkpointing)


def places(generator: StrokesGenerator | FolderGenerator | HubGenerator) -> tuple[Path, ...]:
    """The generator's folder on this machine, and that of the LoRA that is fused into it where there is one; hub ids are fetched first.

    Raises:
        DataError: the hub can't be reached, or doesn't have it.
    """
    if isinstance(generator, StrokesGenerator):
        return (STROKES,)
    if isinstance(generator, FolderGenerator):
        return tuple(Path(folder) for folder in (generator.folder, generator.lora) if folder)
    wanted = (
        "model_index.json",
        *(f"{part}/*.{kind}" for part in (*NEEDED, "vae", "tokenizer") for kind in ("json", "safetensors", "txt")),
    )
    folder, lora = (hub_id.split("/")[-1] for hub_id in (generator.id, generator.lora))
    alone = f'generator = {{ type = "folder", folder = "{folder}" }} in [dreamer]'
    both = f'generator = {{ type = "folder", folder = "{folder}", lora = "{lora}" }} in [dreamer]'
    found = fetched("dreamer.generator", generator.id, generator.revision, wanted, both if lora else alone)
    if not lora:
        return (found,)
    return found, fetched("dreamer.generator.lora", generator.lora, generator.lora_revision, ("*.safetensors",), both)


@lru_cache(maxsize=1)
def _parts(where: tuple[Path, ...], device: str) -> Parts:
    """Read a generator, once for all minds of a process: nothing in it ever changes."""
    folder, *loras = where
    index = _index(folder)
    with torch.device("cpu"), _told(folder):
        unet = _read(diffusers.UNet2DConditionModel, folder / "unet")
        encoder = _read(SoftPromptClip, folder / "text_encoder")
        scheduler = diffusers.DDPMScheduler.from_pretrained(folder / "scheduler")
        vae = _read(diffusers.AutoencoderKL, folder / "vae") if "vae" in index else None
        parts = Parts(unet, encoder, scheduler, _caption(folder, index, encoder), vae)
    for lora in loras:
        with torch.device("cpu"), _told(lora):
            _fuse(unet, lora)
    _check_sizes(folder, parts)
    for part in (unet, encoder, vae):
        if part is not None:
            tensors.aligned(part).to(device)
    return parts


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    """What the libraries raise where a folder can't be read, as the user's mistake."""
    try:
        yield
    except DataError:
        raise
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        raise DataError(f"dreamer.generator: {folder} can't be read: {error}", "fetch or write that folder again") from error


def _index(folder: Path) -> dict[str, Any]:
    """The parts that a folder says it has, by name: library and class."""
    file = folder / "model_index.json"
    if not file.is_file():
        raise DataError(f"dreamer.generator: {folder} holds no model_index.json, so it is no folder of diffusers", KNOWN)
    with _told(folder):
        index: dict[str, Any] = json.loads(file.read_text())
    parts = {part: kind for part, kind in index.items() if isinstance(kind, list) and kind[0]}
    for part in (*NEEDED, *(part for part in ("vae", "tokenizer") if part in parts)):
        if part not in parts or not (folder / part).is_dir():
            raise DataError(f"dreamer.generator: {folder} ({index.get('_class_name')}) has no {part}", KNOWN)
    for part, kind in KINDS.items():
        if part in parts and parts[part][1] != kind:
            raise DataError(f"dreamer.generator: the {part} in {folder} is a {parts[part][1]}; only {kind} is known", KNOWN)
    for part in ("text_encoder_2", "transformer", "prior"):
        if part in parts:
            raise DataError(f"dreamer.generator: {folder} ({index.get('_class_name')}) has a {part}, which is not known", KNOWN)
    return parts


def _read(kind: Any, folder: Path) -> nn.Module:
    if not list(folder.glob("*.safetensors")):
        raise DataError(
            f"dreamer.generator: {folder} holds no safetensors; pickled weights are never read",
            "write it again with save_pretrained(..., safe_serialization=True)",
        )
    module: nn.Module = kind.from_pretrained(folder, torch_dtype=torch.float32, use_safetensors=True, local_files_only=True)
    return module


def _fuse(unet: Any, folder: Path) -> None:
    """Add a LoRA, as diffusers' `save_lora_weights` writes it, to the UNet's weights for good, such as one that makes it an LCM."""
    files = [file.name for file in folder.glob("*.safetensors")]
    if len(files) != 1:
        raise DataError(
            f"dreamer.generator: {folder} holds {len(files)} files of safetensors, a LoRA's folder has one", "one LoRA a folder"
        )
    read = {"weight_name": files[0], "use_safetensors": True, "local_files_only": True, "return_lora_metadata": True}
    state, alphas, metadata = StableDiffusionLoraLoaderMixin.lora_state_dict(str(folder), **read)
    if other := sorted({key.split(".")[0] for key in state} - {"unet"}):
        raise DataError(f"dreamer.generator: the LoRA in {folder} changes {', '.join(other)}; only the UNet's is known", "one of a UNet")
    StableDiffusionLoraLoaderMixin.load_lora_into_unet(state, alphas, unet, metadata=metadata)
    unet.fuse_lora()
    unet.unload_lora()


def _caption(folder: Path, index: Mapping[str, Any], encoder: Any) -> tuple[int, ...]:
    """Ids of a caption without words: what the tokenizer says, or the end alone of a generator that has none."""
    if "tokenizer" in index:
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
