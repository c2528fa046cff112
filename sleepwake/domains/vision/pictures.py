"""Contact sheets: a round's dreams as one PNG, framed by verdict."""

from collections.abc import Mapping
from pathlib import Path

import torch
from PIL import Image, ImageDraw
from torch import Tensor

from sleepwake.domains.vision.images import Batch, Space
from sleepwake.records import Verdicts

COLUMNS, SIZE, FRAME, MARGIN, GAP = 12, 40, 3, 74, 12
"""Dreams of each challenge at most, pixels of a dream's side, of its frame, of the text at the left, and between classes and dreams."""
ACCEPTED, REJECTED, ABSTAINED = (46, 125, 50), (198, 40, 40), (150, 150, 150)


def contact_sheet(file: Path, space: Space, material: Batch, verdicts: Verdicts, known: Mapping[int, Tensor]) -> list[dict[str, str]]:
    """Write the file: a row for each challenge, green accepted, red rejected, grey abstained from; what is known of its two classes first.

    Args:
        file: to write.
        space: of the images.
        material: dreams.
        verdicts: on them.
        known: an image (C, H, W) of each class, where there is one.
    """
    assert material.lures_N is not None
    assert material.distances_N is not None
    keys = list(zip(material.labels_N.tolist(), material.lures_N.tolist(), material.distances_N.tolist(), strict=True))
    rows = list(dict.fromkeys(keys))
    if not rows:
        return []
    cell = SIZE + 2 * FRAME + 2
    beside = MARGIN + 2 * cell + GAP
    sheet = Image.new("RGB", (beside + COLUMNS * cell, len(rows) * cell), "white")
    pen = ImageDraw.Draw(sheet)
    for row, (label, lure, distance) in enumerate(rows):
        places = [place for place, key in enumerate(keys) if key == (label, lure, distance)]
        shown = [places[i * len(places) // min(COLUMNS, len(places))] for i in range(min(COLUMNS, len(places)))]
        text = f"{space.classes[label]} > {space.classes[lure]}"
        pen.text((4, row * cell + 8), text, fill="black")
        pen.text((4, row * cell + 22), f"{distance:.2f}", fill=(110, 110, 110))
        for column, name in enumerate((label, lure)):
            if name in known:
                sheet.paste(picture(known[name]), (MARGIN + column * cell + FRAME, row * cell + FRAME))
        for column, place in enumerate(shown):
            reward = verdicts.rewards[place]
            colour = ABSTAINED if reward is None else ACCEPTED if verdicts.accepted[place] else REJECTED
            left, top = beside + column * cell, row * cell
            pen.rectangle((left, top, left + SIZE + 2 * FRAME - 1, top + SIZE + 2 * FRAME - 1), fill=colour)
            sheet.paste(picture(material.images_NCHW[place]), (left + FRAME, top + FRAME))
    file.parent.mkdir(exist_ok=True)
    sheet.save(file, optimize=True)
    counts = verdicts.counts()
    caption = (
        f"Two classes, and dreams of the first leaning towards the second, with the distance: {counts['accepted']} of {counts['judged']} "
        "accepted (green), "
        f"{counts['rejected']} rejected (red), {counts['abstained']} abstained from (grey); at most {COLUMNS} of each row are shown"
    )
    return [{"file": f"{file.parent.name}/{file.name}", "caption": caption}]


def picture(image_CHW: Tensor) -> Image.Image:
    """One image, enlarged without smoothing; grey, or RGB where it has three channels or more."""
    pixels_HWC = (image_CHW.detach().cpu().clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    whole = pixels_HWC[..., :3] if pixels_HWC.shape[2] >= 3 else pixels_HWC[..., 0]
    return Image.fromarray(whole).resize((SIZE, SIZE), Image.Resampling.NEAREST)
