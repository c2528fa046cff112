"""Avalanche's generative replay on the third experience of split MNIST: the peer that benchmarks/avalanche.py starts.

    PYTHON benchmarks/peers/avalanche_replay.py --data mnist.npz --variant usual

It runs in an environment of its own. Once the first two experiences are learned (untimed), it writes one line of JSON: versions and the
billions of floating-point operations of one iteration, counted on the second experience. Then, for each line that it reads, it trains on the third for
one epoch and answers with seconds, CPU seconds and iterations: so many steps of the solver, then as many of the generator.

The strategies, the plugins, the solver (`SimpleMLP`) and the data loading are Avalanche's own. The generator is a subclass of its `Generator`,
since the layers of its `MlpVAE` are fixed. Variants:

    usual   Adam as PyTorch makes it; `generate` keeps its graph, as that of `MlpVAE` does, so that backward passes through the old decoder too
    tuned   fused Adam and no graph: the same arithmetic as ours
"""

import argparse
import json
import platform
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.data import TensorDataset
from torch.utils.flop_counter import flop_registry

# Beside a PyTorch for the CPU, torchvision can't load its compiled part (built for CUDA), and its import fails where it describes the shapes of
# these two operators, which that part would have declared. They are never called here.
OPERATORS = torch.library.Library("torchvision", "DEF")
OPERATORS.define("nms(Tensor boxes, Tensor scores, float threshold) -> Tensor")
OPERATORS.define("qnms(Tensor boxes, Tensor scores, float threshold) -> Tensor")

import avalanche  # noqa: E402
import torchvision  # noqa: E402
from avalanche.benchmarks import nc_benchmark  # noqa: E402
from avalanche.models import SimpleMLP  # noqa: E402
from avalanche.models.generator import Generator  # noqa: E402
from avalanche.training import GenerativeReplay, VAETraining  # noqa: E402
from avalanche.training.plugins import GenerativeReplayPlugin  # noqa: E402

BATCH, PIXELS, LATENT = 128, 784, 100
IMAGES = 87 * BATCH
"""Training images of each pair of digits, so that every batch is full; the smallest pair, 4 and 5, has 11,263."""


class Counter(TorchDispatchMode):
    """Adds up floating-point operations by PyTorch's own table; its `FlopCounterMode` fails where a module without graph is given one's output."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operator and add its cost, if the table knows it."""
        out = func(*args, **(kwargs or {}))
        if cost := flop_registry.get(func._overloadpacket):
            self.total += cost(*args, **(kwargs or {}), out_val=out)
        return out


class Vae(Generator, nn.Module):
    """A VAE of 2 x 400 units with 100 codes and a Bernoulli likelihood, layer by layer that of benchmarks/speed.py."""

    def __init__(self, keeps_graph: bool) -> None:
        super().__init__()
        self.keeps_graph = keeps_graph
        self.encoder = nn.Sequential(
            nn.Flatten(), nn.Linear(PIXELS, 400), nn.ReLU(), nn.Linear(400, 400), nn.ReLU(), nn.Linear(400, 2 * LATENT)
        )
        self.decoder = nn.Sequential(nn.Linear(LATENT, 400), nn.ReLU(), nn.Linear(400, 400), nn.ReLU(), nn.Linear(400, PIXELS))

    def get_features(self, images: Tensor) -> Tensor:
        """Means and log variances of the codes."""
        return self.encoder(images)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits of the pixels, means and log variances of the codes."""
        mean, log = self.encoder(images).chunk(2, 1)
        return self.decoder(mean + (0.5 * log).exp() * torch.randn_like(mean)), mean, log

    def generate(self, batch_size: int | None = None, condition: object = None) -> Tensor:
        """Images drawn from the prior."""
        with torch.set_grad_enabled(self.keeps_graph):
            return self.decoder(torch.randn(batch_size or 1, LATENT)).sigmoid().view(-1, 1, 28, 28)


def bound(images: Tensor, output: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    """Mean negative evidence lower bound."""
    decoded, mean, log = output
    divergence = -0.5 * (1 + log - mean**2 - log.exp()).sum(1)
    return (functional.binary_cross_entropy_with_logits(decoded, images.flatten(1), reduction="none").sum(1) + divergence).mean()


def split(file: Path, part: str) -> TensorDataset:
    """Images (N, 1, 28, 28) in [0, 1] and labels, at most `IMAGES` of each pair of digits."""
    arrays = np.load(file)
    labels = arrays[f"y_{part}"]
    kept = np.concatenate([np.flatnonzero(labels // 2 == pair)[:IMAGES] for pair in range(5)])
    data = TensorDataset(torch.from_numpy(arrays[f"x_{part}"][kept]).float()[:, None] / 255, torch.from_numpy(labels[kept]))
    data.targets = labels[kept].tolist()  # where Avalanche looks for them
    return data


def main() -> None:
    """Learn two experiences, then time the third as often as asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--variant", choices=["usual", "tuned"], required=True)
    parser.add_argument("--matmul-precision", choices=["highest", "high", "medium"], default="highest")
    args = parser.parse_args()
    torch.set_num_threads(1)
    tuned = args.variant == "tuned"
    torch.set_float32_matmul_precision(args.matmul_precision)

    vae, net = Vae(keeps_graph=not tuned), SimpleMLP(num_classes=6, hidden_size=400, hidden_layers=2, drop_rate=0)
    drawer, adam = (torch.optim.Adam(model.parameters(), lr=1e-3, fused=tuned or None) for model in (vae, net))
    # Without an evaluator nothing is measured, logged or drawn as a progress bar.
    generator = VAETraining(
        model=vae, optimizer=drawer, criterion=bound, train_mb_size=BATCH, plugins=[GenerativeReplayPlugin()], evaluator=None
    )
    solver = GenerativeReplay(model=net, optimizer=adam, train_mb_size=BATCH, generator_strategy=generator, evaluator=None)
    stream = nc_benchmark(
        split(args.data, "train"), split(args.data, "test"), n_experiences=5, task_labels=False, fixed_class_order=list(range(10))
    ).train_stream

    solver.train(stream[0])
    before = solver.clock.train_iterations
    with Counter() as counter:
        solver.train(stream[1])
    versions = {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "avalanche-lib": avalanche.__version__,
    }
    gflop = counter.total / (solver.clock.train_iterations - before) / 1e9
    print(json.dumps({"versions": versions, "gflop": round(gflop, 3)}), flush=True)

    for _ in sys.stdin:
        before = solver.clock.train_iterations, generator.clock.train_iterations
        start, cpu = time.perf_counter(), time.process_time()
        solver.train(stream[2])
        seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu
        iterations, drawn = solver.clock.train_iterations - before[0], generator.clock.train_iterations - before[1]
        assert iterations == drawn, (iterations, drawn)
        print(json.dumps({"seconds": seconds, "cpu_seconds": cpu_seconds, "iterations": iterations}), flush=True)


if __name__ == "__main__":
    main()
