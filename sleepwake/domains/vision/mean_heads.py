"""Heads that mend the bias towards the newest classes after each day: nearest mean (iCaRL), bias correction (BiC)."""

import torch
from torch import Tensor
from torch.nn import functional

from sleepwake.domains.tensors import generator
from sleepwake.domains.vision.heads import Softmax
from sleepwake.domains.vision.images import Batch
from sleepwake.domains.vision.networks import Classifier
from sleepwake.domains.vision.training import Source, exemplars
from sleepwake.seeds import seed as seed_at


class NearestMean(Softmax):
    """Rows are trained as any; answers go by the nearest mean of normalised features (iCaRL, Rebuffi et al. 2017, algorithm 1).

    Theirs trains rows as independent sigmoids; here they are a softmax, as everywhere. Theirs takes the means of new classes from exemplars
    too; here from all of the day's images. The response, which soft targets aim at, stays that of the rows (their algorithm 3).
    """

    def end(self, net: Classifier, examples: Batch, replay: Source | None, replayed: int, negative: bool, seed: int) -> None:
        """Take the means anew: of the day's images, and of all that is stored for classes that the day didn't teach."""
        means_RF = torch.full_like(net.weight_RF.detach(), torch.nan)
        for part in [examples] if replay is None else [exemplars(replay), examples]:
            features_NF = net.features(part.images_NCHW)
            for row, name in enumerate(net.classes):
                mine_N = part.labels_N == name
                if mine_N.any():
                    means_RF[row] = functional.normalize(features_NF[mine_N].mean(dim=0), dim=0)
        net.means_RF = means_RF


class BiasCorrected(Softmax):
    """Two numbers rescale and shift the logits of the day's classes (BiC, Wu et al. 2019, equation 4).

    Theirs holds a tenth of the stored images back as well; here the other half of the fit is drawn from all of replay. The two numbers are
    folded into the rows, which gives the same function.
    """

    def hold(self, examples: Batch, seed: int) -> tuple[Batch, Batch | None]:
        """The images to learn from, and those held back."""
        order_N = torch.randperm(len(examples), generator=generator(seed), device="cpu").to(examples.labels_N.device)
        held = max(1, round(self.settings.held * len(examples)))
        return examples.take(order_N[held:].sort().values), examples.take(order_N[:held])

    def correct(self, net: Classifier, held: Batch, replay: Source, seed: int) -> None:
        """Fit the two numbers by cross-entropy on as many images of each class, and fold them in."""
        new = sorted(set(held.labels_N.tolist()))
        old = len(net.classes) - len(new)
        recalled = replay.draw(max(1, len(held) * old // len(new)), seed_at(seed, "bias"))
        with torch.no_grad():
            logits_NR = torch.cat([net(recalled.images_NCHW, recalled.layer), net(held.images_NCHW)])
        rows_N = net.rows(torch.cat([recalled.labels_N, held.labels_N]))
        mine = torch.tensor([name in new for name in net.classes], device=logits_NR.device)
        scale, shift = fitted(logits_NR, rows_N, mine)
        with torch.no_grad():
            net.weight_RF[mine] *= scale
            net.bias_R[mine] = scale * net.bias_R[mine] + shift


def fitted(logits_NR: Tensor, rows_N: Tensor, mine_R: Tensor) -> tuple[Tensor, Tensor]:
    """Scale and shift of some rows' logits that make the cross-entropy least."""
    numbers = torch.tensor([1.0, 0.0], device=logits_NR.device, requires_grad=True)
    optimizer = torch.optim.LBFGS([numbers], max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        corrected_NR = torch.where(mine_R, numbers[0] * logits_NR + numbers[1], logits_NR)
        found = functional.cross_entropy(corrected_NR, rows_N)
        found.backward()
        return found

    optimizer.step(loss)
    scale, shift = numbers.detach()
    return scale, shift
