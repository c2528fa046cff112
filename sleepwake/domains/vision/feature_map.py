"""Where dreams lie among classes learned and classes to come: two directions of the learner's features, as one PNG."""

from collections.abc import Sequence
from pathlib import Path

import torch

from sleepwake.domains.vision.images import Batch
from sleepwake.domains.vision.networks import Classifier
from sleepwake.records import Verdicts

SIZE, DPI = (7.2, 5.0), 100
LEARNED, COMING, ACCEPTED, REJECTED = "#0072b2", "#b07a00", "#2e7d32", "#c62828"
"""Okabe and Ito's blue and a dark yellow for real images; the contact sheet's green and red for dreams."""


@torch.no_grad()
def feature_map(
    file: Path, net: Classifier, real: Batch, known: Sequence[int], material: Batch, verdicts: Verdicts
) -> list[dict[str, str]]:
    """Write the file.

    The directions are the two in which the real images' features vary the most (PCA).

    Args:
        file: to write.
        net: whose last features, each of length 1, are shown.
        real: images of all classes of the stream.
        known: ids of those that were learned.
        material: dreams.
        verdicts: on them.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from sklearn.decomposition import PCA

    flat = PCA(n_components=2, svd_solver="full")
    real_N2 = torch.from_numpy(flat.fit_transform(net.features(real.images_NCHW).cpu().numpy()))
    dreams_N2 = torch.from_numpy(flat.transform(net.features(material.images_NCHW).cpu().numpy()))
    labels_N, taken_N = real.labels_N.cpu(), torch.tensor(verdicts.accepted, device="cpu")
    learned_N = torch.isin(labels_N, torch.tensor(list(known), device="cpu"))
    figure = Figure(figsize=SIZE, dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for name, points_N2, colour, mark in (
        ("classes learned", real_N2[learned_N], LEARNED, "."), ("classes to come", real_N2[~learned_N], COMING, "."),
        ("dreams rejected", dreams_N2[~taken_N], REJECTED, "x"), ("dreams accepted", dreams_N2[taken_N], ACCEPTED, "+"),
    ):  # fmt: skip
        if len(points_N2):
            axes.scatter(
                points_N2[:, 0].numpy(), points_N2[:, 1].numpy(), s=16, c=colour, marker=mark, alpha=0.55, label=name, linewidths=0.8
            )
    for label in labels_N.unique().tolist():
        colour = LEARNED if label in known else COMING
        across, up = real_N2[labels_N == label].mean(dim=0).tolist()
        axes.annotate(net.space.classes[label], (across, up), color=colour, weight="bold", ha="center", va="center", parse_math=False)
    axes.set(xticks=[], yticks=[], xlabel="first direction", ylabel="second direction")
    axes.legend(frameon=False, fontsize="small")
    figure.savefig(file, metadata={"Software": None})
    caption = "Dreams among real images in the learner's features: two directions of the most variance; names stand at a class's mean"
    return [{"file": f"{file.parent.name}/{file.name}", "caption": caption}]
