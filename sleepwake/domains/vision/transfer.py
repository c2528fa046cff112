"""How much of a task the learner is ready for before its day: a linear probe on its features, and how fast a copy of it learns."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from sleepwake.domains.tensors import generator
from sleepwake.domains.vision.images import Batch
from sleepwake.domains.vision.networks import Classifier
from sleepwake.domains.vision.training import Term, train
from sleepwake.seeds import seed as seed_at

LOOKS = 10
"""Into how many parts the steps of `speed` are cut; it is scored after each."""


def probe(net: Classifier, examples: Batch, test: Batch, each: int, seed: int) -> float | None:
    """Accuracy on a task's test among its own classes of a logistic regression on standardised frozen features.

    Args:
        net: whose body gives the features.
        examples: the task's training images.
        test: its test images.
        each: training images a class at most, drawn without replacement.
        seed: of the draw.

    Returns:
        A share in [0, 1]; None of a task of one class, which leaves nothing to tell apart.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits

    few = examples.take(drawn(examples.labels_N, each, seed))
    if len(few.labels_N.unique()) < 2:
        return None
    with threadpool_limits(limits=1, user_api="blas"):
        fitted = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000, random_state=0))
        fitted.fit(features(net, few.images_NCHW).numpy(), few.labels_N.cpu().numpy())
        return float(fitted.score(features(net, test.images_NCHW).numpy(), test.labels_N.cpu().numpy()))


def drawn(labels_N: Tensor, each: int, seed: int) -> Tensor:
    """Places of at most so many items of each class, without replacement."""
    places = []
    for name in labels_N.unique().tolist():
        mine_N = (labels_N == name).nonzero()[:, 0]
        order_N = torch.randperm(len(mine_N), generator=generator(seed_at(seed, name)), device="cpu")
        places.append(mine_N[order_N[:each].to(mine_N.device)])
    return torch.cat(places)


@torch.no_grad()
def features(net: Classifier, images_NCHW: Tensor) -> Tensor:
    """The body's features (N, width) as they are, in float64 on the CPU; in slices."""
    return torch.cat([net.body(part) for part in images_NCHW.split(4096)]).double().cpu()


def speed(net: Classifier, terms: Sequence[Term], steps: int, lr: float, seed: int, score: Callable[[Classifier], float]) -> float:
    """Mean score of a copy of a network over its first steps, taken by a fresh Adam: the area under its learning curve.

    Args:
        net: copied; it stays as it is.
        terms: the loss.
        steps: optimizer steps; scored after each tenth of them.
        lr: learning rate.
        seed: of all draws.
        score: of a network, in [0, 1].

    Returns:
        A share in [0, 1].
    """
    twin, scores = net.copy(), list[float]()
    twin.means_RF = None  # answers go by the rows, which are what is trained

    def look(step: int) -> None:
        if step % max(1, steps // LOOKS) == 0:
            scores.append(score(twin))

    train(twin, terms, steps, lr, seed, look=look)
    return sum(scores) / len(scores)
