"""Procedural drawings: a few random lines, arcs and filled shapes with the words for them. What the frozen generator knows of the world.

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
SHAPES = {"disc": (0, 8), "block": (45, 4), "wedge": (270, 3), "funnel": (90, 3)}
"""Filled: direction of the first corner in degrees, and how many corners."""
SLOTS = {
    "whole": (0.5, 0.5, 0.34),
    "upper": (0.5, 0.3, 0.22),
    "lower": (0.5, 0.7, 0.22),
    "left": (0.28, 0.5, 0.22),
    "right": (0.72, 0.5, 0.22),
}
"""Where a caption's words put their strokes: across, down and radius, the image being the unit square."""
WORDS = ("end", "nothing", *LINES, *ARCS, *SHAPES)
"""The vocabulary: a word's id is its place. A caption is a word a slot, "nothing" where there is no stroke, then "end"."""
END = 0
NOTHING = 1
LENGTH = len(SLOTS) + 1
"""Words of a caption, the end among them."""
POINTS = 13
"""Points of the polyline that a stroke, or a shape's outline, is drawn as; one more than a multiple of the corners of most shapes."""
FILLED = 0.4
"""Chance of a slot to have something in it."""


def draw(n: int, height: int, width: int, seed: int) -> tuple[Tensor, Tensor]:
    """Draw n images of up to five strokes and shapes, on the CPU; there is always one at least.

    Returns:
        Images (n, 1, H, W) in [0, 1], and captions (n, LENGTH) of word ids.
    """
    chance = generator(seed)
    shape = (n, len(SLOTS))
    words_NS = torch.randint(NOTHING + 1, len(WORDS), shape, generator=chance, device="cpu")
    there_NS = _uniform(0.0, 1.0, shape, chance) < FILLED
    one_N = torch.randint(len(SLOTS), (n,), generator=chance, device="cpu")
    there_NS[torch.arange(n, device="cpu"), one_N] = True
    words_NS = words_NS.where(there_NS, NOTHING)
    images_NHW = _drawn(_polylines(words_NS, chance), words_NS, height, width, chance)
    ends_N1 = torch.full((n, 1), END, dtype=torch.int64, device="cpu")
    return images_NHW[:, None], torch.cat([words_NS, ends_N1], dim=1)


def _uniform(low: float, high: float, shape: tuple[int, ...], chance: torch.Generator) -> Tensor:
    return low + (high - low) * torch.rand(shape, generator=chance, device="cpu")


def _polylines(words_NS: Tensor, chance: torch.Generator) -> Tensor:
    """Points (N, S, POINTS, 2) of each stroke or outline, x to the right and y downwards, the image being the unit square."""
    shape = tuple(words_NS.shape)
    # start and extent in degrees, and corners, by word: a line has no extent, "end" and "nothing" are never drawn
    rows = [(0, 0, 0), (0, 0, 0), *((angle, 0, 0) for angle in LINES.values()), *((*arc, 0) for arc in ARCS.values())]
    rows += [(start, 360, corners) for start, corners in SHAPES.values()]
    start_NS1, extent_NS1, corners_NS1 = torch.tensor(rows, device="cpu").float()[words_NS][..., None].unbind(dim=2)
    start_NS1 = torch.deg2rad(start_NS1) + _uniform(-0.25, 0.25, (*shape, 1), chance)
    slots_S3 = torch.tensor(list(SLOTS.values()), device="cpu")
    centre_NS12 = slots_S3[:, None, :2] + _uniform(-0.08, 0.08, (*shape, 1, 2), chance)
    radius_NS12 = slots_S3[:, 2, None, None] * _uniform(0.6, 1.25, (*shape, 1, 2), chance)
    along_P = torch.linspace(0.0, 1.0, POINTS, device="cpu")
    line_NSP2 = radius_NS12 * (2 * along_P - 1)[:, None] * _heading(start_NS1)
    # the point of an outline stays at the corner that it has passed last
    steps_NSP = torch.where(corners_NS1 > 0, (along_P * corners_NS1 + 1e-4).floor() / corners_NS1.clamp(min=1), along_P)
    round_NSP2 = radius_NS12 * _heading(start_NS1 + torch.deg2rad(extent_NS1) * steps_NSP)
    return centre_NS12 + torch.where((extent_NS1 > 0)[..., None], round_NSP2, line_NSP2)


def _heading(angles: Tensor) -> Tensor:
    return torch.stack([angles.cos(), angles.sin()], dim=-1)


def _drawn(points_NSP2: Tensor, words_NS: Tensor, height: int, width: int, chance: torch.Generator) -> Tensor:
    """Ink (N, H, W): near a stroke, or within an outline, with a pixel of soft edge; what is brighter covers what is darker."""
    rows_H, columns_W = (torch.arange(size, device="cpu").add(0.5) / size for size in (height, width))
    pixels_D12 = torch.stack(torch.meshgrid(columns_W, rows_H, indexing="xy"), dim=-1).reshape(-1, 1, 2)
    starts_NS1L2, ways_NS1L2 = points_NSP2[:, :, None, :-1], points_NSP2.diff(dim=2)[:, :, None]
    away_NSDL2 = pixels_D12 - starts_NS1L2
    lengths_NS1L = (ways_NS1L2**2).sum(dim=-1).clamp(min=1e-9)
    along_NSDL = ((away_NSDL2 * ways_NS1L2).sum(dim=-1) / lengths_NS1L).clamp(0.0, 1.0)
    apart_NSD = (away_NSDL2 - along_NSDL[..., None] * ways_NS1L2).norm(dim=-1).amin(dim=-1)
    # a pixel is within an outline where a ray to the right crosses it an odd number of times
    above_NSDL = away_NSDL2[..., 1] < 0
    ends_NSDL = away_NSDL2[..., 1] < ways_NS1L2[..., 1]
    at_NSDL = away_NSDL2[..., 1] / ways_NS1L2[..., 1].where(ways_NS1L2[..., 1] != 0, 1.0) * ways_NS1L2[..., 0]
    crossed_NSDL = (above_NSDL != ends_NSDL) & (at_NSDL > away_NSDL2[..., 0])
    within_NSD = crossed_NSDL.sum(dim=-1) % 2 == 1
    filled_NS1 = words_NS[..., None] >= len(WORDS) - len(SHAPES)
    half_NS1 = _uniform(0.03, 0.09, (*words_NS.shape, 1), chance).where(~filled_NS1, 0.0)
    depth_NSD = torch.where(filled_NS1 & within_NSD, apart_NSD, half_NS1 - apart_NSD)
    bright_NS1 = _uniform(0.5, 1.0, (*words_NS.shape, 1), chance) * (words_NS > NOTHING)[..., None]
    ink_NSD = bright_NS1 * (0.5 + depth_NSD * math.sqrt(height * width)).clamp(0.0, 1.0)
    images_NHW: Tensor = ink_NSD.amax(dim=1).unflatten(1, (height, width))
    return images_NHW
