"""Procedural drawings: a few random lines and arcs with the words for them. What the frozen generator knows of the world.

No glyph and no image of any data set goes in, so nothing of a stream can leak into its dreams; the words, their places' jitter, size,
slant, width and brightness are random.
"""

import math

import torch
from torch import Tensor

from sleepwake.domains.tensors import generator

LINES = {"across": 0, "falling": 45, "down": 90, "rising": 135}
"""Direction of each straight stroke in degrees, clockwise from rightwards (rows count downwards)."""
ARCS = {"ring": (0, 360), "bowl": (0, 180), "arch": (180, 180), "left bow": (90, 180), "right bow": (270, 180)}
"""Where each arc starts and how far it goes, in degrees, clockwise."""
SLOTS = ((0.5, 0.32), (0.3, 0.2), (0.7, 0.2))
"""Where a caption's words put their strokes: height of the centre and radius. Over the whole image, in its upper half, in its lower."""
WORDS = ("end", "nothing", *LINES, *ARCS)
"""The vocabulary: a word's id is its place. A caption is a word a slot, "nothing" where there is no stroke, then "end"."""
END = 0
NOTHING = 1
POINTS = 9
"""Points of the polyline that a stroke is drawn as."""


def draw(n: int, height: int, width: int, seed: int) -> tuple[Tensor, Tensor]:
    """Draw n images of up to three strokes, each slot empty half of the time, on the CPU.

    Returns:
        Images (n, 1, H, W) in [0, 1], and captions (n, SLOTS + 1) of word ids.
    """
    chance = generator(seed)
    shape = (n, len(SLOTS))
    words_NS = torch.randint(NOTHING + 1, len(WORDS), shape, generator=chance, device="cpu")
    words_NS = words_NS.where(_uniform(0.0, 1.0, shape, chance) < 0.5, NOTHING)
    images_NHW = _drawn(_polylines(words_NS, chance), words_NS > NOTHING, height, width, chance)
    ends_N1 = torch.full((n, 1), END, dtype=torch.int64, device="cpu")
    return images_NHW[:, None], torch.cat([words_NS, ends_N1], dim=1)


def _uniform(low: float, high: float, shape: tuple[int, ...], chance: torch.Generator) -> Tensor:
    return low + (high - low) * torch.rand(shape, generator=chance, device="cpu")


def _polylines(words_NS: Tensor, chance: torch.Generator) -> Tensor:
    """Points (N, S, POINTS, 2) of each stroke, x to the right and y downwards, the image being the unit square."""
    shape = tuple(words_NS.shape)
    # start and extent in degrees by word; a line has no extent, "end" and "nothing" are never drawn
    table_V2 = torch.tensor([(0, 0), (0, 0), *((angle, 0) for angle in LINES.values()), *ARCS.values()], device="cpu")
    start_NS1, extent_NS1 = torch.deg2rad(table_V2[words_NS].float())[..., None].unbind(dim=2)
    start_NS1 = start_NS1 + _uniform(-0.2, 0.2, (*shape, 1), chance)
    slots_S2 = torch.tensor(SLOTS, device="cpu")
    middle_S12 = torch.stack([torch.full_like(slots_S2[:, 0], 0.5), slots_S2[:, 0]], dim=1)[:, None]
    centre_NS12 = middle_S12 + _uniform(-0.08, 0.08, (*shape, 1, 2), chance)
    radius_NS12 = slots_S2[:, 1, None, None] * _uniform(0.75, 1.25, (*shape, 1, 2), chance)
    along_P = torch.linspace(0.0, 1.0, POINTS, device="cpu")
    line_NSP2 = radius_NS12 * (2 * along_P - 1)[:, None] * _heading(start_NS1)
    arc_NSP2 = radius_NS12 * _heading(start_NS1 + extent_NS1 * along_P)
    return centre_NS12 + torch.where((extent_NS1 > 0)[..., None], arc_NSP2, line_NSP2)


def _heading(angles: Tensor) -> Tensor:
    return torch.stack([angles.cos(), angles.sin()], dim=-1)


def _drawn(points_NSP2: Tensor, there_NS: Tensor, height: int, width: int, chance: torch.Generator) -> Tensor:
    """Ink (N, H, W) where a pixel's centre is nearer to a stroke than its half width, with a pixel of soft edge."""
    rows_H, columns_W = (torch.arange(size, device="cpu").add(0.5) / size for size in (height, width))
    pixels_D12 = torch.stack(torch.meshgrid(columns_W, rows_H, indexing="xy"), dim=-1).reshape(-1, 1, 2)
    starts_NS1L2, ways_NS1L2 = points_NSP2[:, :, None, :-1], points_NSP2.diff(dim=2)[:, :, None]
    away_NSDL2 = pixels_D12 - starts_NS1L2
    lengths_NS1L = (ways_NS1L2**2).sum(dim=-1).clamp(min=1e-9)
    along_NSDL = ((away_NSDL2 * ways_NS1L2).sum(dim=-1) / lengths_NS1L).clamp(0.0, 1.0)
    apart_NSD = (away_NSDL2 - along_NSDL[..., None] * ways_NS1L2).norm(dim=-1).amin(dim=-1)
    half_NS1 = _uniform(0.05, 0.1, (*there_NS.shape, 1), chance)
    ink_NSD = (0.5 + (half_NS1 - apart_NSD) * math.sqrt(height * width)).clamp(0.0, 1.0) * there_NS[..., None]
    bright_N1 = _uniform(0.7, 1.0, (len(points_NSP2), 1), chance)
    images_NHW: Tensor = (bright_N1 * ink_NSD.amax(dim=1)).unflatten(1, (height, width))
    return images_NHW
