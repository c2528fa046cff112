"""Batch renormalisation: batch normalisation whose output in training is what the running statistics would give, within bounds."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from sleepwake.domains.vision.body_settings import DeepBody


class BatchRenorm2d(nn.BatchNorm2d):
    """Batch renormalisation of (N, C, H, W) by channel (Ioffe 2017, arXiv 1702.03275, algorithm 1).

    In training a channel x becomes weight * ((x - mean) / s * r + d) + bias, with mean and deviation s of the batch, and

        r = s / S, kept within 1 / r_max and r_max,    d = (mean - M) / S, kept within -d_max and d_max,

    M and S the running mean and deviation before this batch; no gradient goes through r and d. Where neither is cut off, that is
    (x - M) / S. The bounds go in a straight line from 1 and 0 at the first batch to r_max and d_max after `relax` of them.

    The paper keeps a running deviation; this is batch normalisation's running variance, so that its weights fit. The first batches count
    alike in it: what a fresh network begins with (0 and 1) is forgotten at once. In evaluation it is batch normalisation.
    """

    def __init__(self, features: int, eps: float, settings: DeepBody) -> None:
        super().__init__(features, eps, settings.norm_momentum)
        self.settings = settings

    def forward(self, input: Tensor) -> Tensor:
        """Renormalise, and move the running statistics, where the module is in training."""
        if not self.training:
            return super().forward(input)
        gain_C, shift_C = self.corrections(input)
        hat_NCHW = functional.batch_norm(input, None, None, training=True, eps=self.eps)
        weight_C, bias_C = self.weight * gain_C, self.bias + self.weight * shift_C
        return hat_NCHW * weight_C[:, None, None] + bias_C[:, None, None]

    @torch.no_grad()
    def corrections(self, input_NCHW: Tensor) -> tuple[Tensor, Tensor]:
        """The corrections r and d of a batch (C,) against the running statistics, which then take the batch in."""
        M_C, variances_C, count = self.running_mean, self.running_var, self.num_batches_tracked
        assert M_C is not None
        assert variances_C is not None
        assert count is not None
        variance_C, mean_C = torch.var_mean(input_NCHW, dim=(0, 2, 3), correction=0)
        S_C, relaxed = (variances_C + self.eps).sqrt(), (count / max(1, self.settings.relax)).clamp(max=1.0)
        r_max, d_max = 1 + relaxed * (self.settings.r_max - 1), relaxed * self.settings.d_max
        gain_C = ((variance_C + self.eps).sqrt() / S_C).clamp(1 / r_max, r_max)
        shift_C = ((mean_C - M_C) / S_C).clamp(-d_max, d_max)
        items, share = input_NCHW.numel() // len(mean_C), (1 / (count + 1)).clamp(min=self.settings.norm_momentum)
        M_C.lerp_(mean_C, share)
        variances_C.lerp_(variance_C * (items / max(1, items - 1)), share)
        count += 1
        return gain_C, shift_C


def renormalised(model: nn.Module, settings: DeepBody) -> None:
    """Give each batch normalisation of a model the momentum of the settings, or replace it by batch renormalisation.

    Transformers' MobileNetV1 has TensorFlow's momentum, the share that stays; in torch it is the share that is new.
    """
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.BatchNorm2d):
                child.momentum = settings.norm_momentum
                if settings.norm == "renorm":
                    setattr(parent, name, BatchRenorm2d(child.num_features, child.eps, settings))
