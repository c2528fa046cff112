"""Images a second of a dreamer beside a bare diffusers loop of the same steps, in alternating blocks.

    python benchmarks/dream_speed.py

Both draw with the embedded generator and the same prompts; the bare loop is what a user of diffusers would write: UNet, scheduler, clamp.
Bar: within 10 %.
"""

import argparse
import time
from statistics import median

import torch

from sleepwake.domains.vision.adapters import adapters_of
from sleepwake.domains.vision.dreamer_settings import DiffusionDreamer
from sleepwake.domains.vision.images import Space
from sleepwake.domains.vision.pipelines import open_generator
from sleepwake.domains.vision.tuning import Painter

PROMPTS, EACH = 8, 32


def main() -> None:
    """Alternate, print medians and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blocks", type=int, default=7)
    parser.add_argument("--denoising", type=int, default=4)
    args = parser.parse_args()
    torch.set_num_threads(1)
    cpu, settings = torch.device("cpu"), DiffusionDreamer(type="diffusion", denoising=args.denoising)
    model = open_generator(settings, cpu)
    adapters = adapters_of(settings.adapter, model)
    names = [f"dream-{place}" for place in range(PROMPTS)]
    for place, name in enumerate(names):
        adapters.add(name, place)
    painter = Painter(adapters, Space((1, 16, 16), ("a",), cpu, 0), settings)
    ((_, conditions_PLE),) = adapters.groups(names)
    unet, scheduler = model.unet, model.sampler
    conditions_NLE = conditions_PLE.detach().repeat_interleave(EACH, dim=0)

    @torch.no_grad()
    def ours(seed: int) -> None:
        painter.paint(names, EACH, seed)

    @torch.no_grad()
    def bare(seed: int) -> None:
        sample = torch.randn((PROMPTS * EACH, 1, 16, 16), generator=torch.Generator().manual_seed(seed))
        for level in scheduler.timesteps:
            told = unet(sample, level, encoder_hidden_states=conditions_NLE).sample
            sample = scheduler.step(told, level, sample).prev_sample
        ((sample + 1) / 2).clamp(0, 1)

    seconds: dict[str, list[float]] = {"ours": [], "bare": []}
    for block in range(args.blocks + 1):
        for name, draw in (("ours", ours), ("bare", bare)):
            start = time.perf_counter()
            draw(block)
            if block:  # the first of each warms up
                seconds[name].append(time.perf_counter() - start)
    rates = {name: PROMPTS * EACH / median(taken) for name, taken in seconds.items()}
    print(f"{PROMPTS} prompts x {EACH} images, {args.denoising} steps, medians of {args.blocks} blocks")
    print(f"ours {rates['ours']:.1f} images a second, bare diffusers {rates['bare']:.1f}, ratio {rates['ours'] / rates['bare']:.3f}")


if __name__ == "__main__":
    main()
