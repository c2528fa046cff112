"""Deep generative replay's training steps against a bare PyTorch loop that does the same: protocol A of split MNIST, third day.

    python benchmarks/speed.py --blocks 5 --iterations 500

Both train the same networks (an MLP of 2 x 400 units, a VAE of 2 x 400 with 100 codes) on the same amounts: 128 images of the day and 128
replayed, drawn from a frozen copy of the generator and named by a frozen copy of the classifier. Blocks alternate; the ratio is that of medians.
The images are random numbers: time doesn't depend on them. One thread.
"""

import argparse
import time
from itertools import pairwise
from statistics import median

import torch
from torch import Tensor, nn
from torch.nn import functional

from sleepwake.domains.vision.dreamer_settings import VaeDreamer as Settings
from sleepwake.domains.vision.dreamers import VaeDreamer
from sleepwake.domains.vision.generators import Recalled, Supply, fit, tell
from sleepwake.domains.vision.images import Batch, Space
from sleepwake.domains.vision.networks import Classifier
from sleepwake.domains.vision.training import Shuffled, Term, train
from sleepwake.domains.vision.wake_settings import MlpLearner

CPU, BATCH, CLASSES = torch.device("cpu"), 128, 6
SPACE = Space((1, 28, 28), tuple("0123456789"), CPU, 0, tasks=((0, 1), (2, 3), (4, 5), (6, 7), (8, 9)))
IMAGES = torch.rand((12000, 1, 28, 28))
LABELS = 4 + torch.arange(12000) % 2
EXAMPLES = Batch(IMAGES, LABELS)


def mlp(*sizes: int) -> nn.Sequential:
    """Linear layers with ReLU between them."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def bare(iterations: int) -> float:
    """Seconds of the bare loop."""
    net, old = mlp(784, 400, 400, CLASSES), mlp(784, 400, 400, CLASSES - 2)
    encoder, decoder, frozen = mlp(784, 400, 400, 200), mlp(100, 400, 400, 784), mlp(100, 400, 400, 784)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3, fused=True)
    drawer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=1e-3, fused=True)
    flat = IMAGES.flatten(1)

    def bound(images: Tensor) -> Tensor:
        mean, log = encoder(images).chunk(2, 1)
        decoded = decoder(mean + (0.5 * log).exp() * torch.randn_like(mean))
        divergence = -0.5 * (1 + log - mean**2 - log.exp()).sum(1)
        return (functional.binary_cross_entropy_with_logits(decoded, images, reduction="none").sum(1) + divergence).mean()

    start = time.perf_counter()
    for _ in range(iterations):
        index = torch.randint(len(flat), (BATCH,))
        with torch.no_grad():
            replayed = frozen(torch.randn(BATCH, 100)).sigmoid()
            named = old(replayed).argmax(1)
        loss = functional.cross_entropy(net(flat[index]), LABELS[index]) / 3 + functional.cross_entropy(net(replayed), named) * 2 / 3
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    for _ in range(iterations):
        index = torch.randint(len(flat), (BATCH,))
        with torch.no_grad():
            replayed = frozen(torch.randn(BATCH, 100)).sigmoid()
        loss = bound(flat[index]) / 3 + bound(replayed) * 2 / 3
        drawer.zero_grad()
        loss.backward()
        drawer.step()
    return time.perf_counter() - start


def ours(iterations: int, examples: Batch = EXAMPLES) -> float:
    """Seconds of the same steps by sleepwake's own parts."""
    settings = Settings(
        type="vae", frozen=False, likelihood="bernoulli", latent=100, hidden=[400, 400], steps=iterations, batch=BATCH, lr=1e-3
    )
    net = Classifier(MlpLearner(hidden=[400, 400]), SPACE, 1)
    net.grow(range(CLASSES), 2)
    old = net.only(range(CLASSES - 2))
    from sleepwake.domains.vision.generators import Vae

    dreamer = VaeDreamer(settings, SPACE)
    dreamer.vae, dreamer.groups = Vae(settings, SPACE, 1, 0, 3), [[0, 1, 2, 3]]
    dreamer.decoder = dreamer.vae.decoder
    supply = Supply([examples.images_NCHW.flatten(1)], [tell(examples.labels_N, 0)])
    start = time.perf_counter()
    terms = [Term(1 / 3, Shuffled(examples), BATCH), Term(2 / 3, dreamer.source([0, 1, 2, 3], old), BATCH)]
    train(net, terms, iterations, 1e-3, 4)
    fit(dreamer.vae, [(1 / 3, supply), (2 / 3, Recalled(dreamer.decoder.copy(), [0, 1, 2, 3]))], 5)
    return time.perf_counter() - start


def main() -> None:
    """Time alternating blocks, print each and the ratio of medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blocks", type=int, default=5)
    parser.add_argument("--iterations", type=int, default=500)
    args = parser.parse_args()
    torch.set_num_threads(1)
    bare(20), ours(20)
    pairs = [(bare(args.iterations), ours(args.iterations)) for _ in range(args.blocks)]
    for one, other in pairs:
        print(f"bare {one:.2f} s, sleepwake {other:.2f} s")
    print(f"ratio of medians {median(other for _, other in pairs) / median(one for one, _ in pairs):.3f}")


if __name__ == "__main__":
    main()
