"""Everything that a vision recipe can say, and the table from `type` to the class that does it. Imports no torch."""

from typing import Literal

from pydantic import Field

from sleepwake.settings import Settings


class DomainSettings(Settings):
    """[domain]: what all roles of a vision mind share."""

    type: Literal["vision"] = "vision"
    """Images and a classifier."""
    kept_probes: int = Field(default=20, ge=1)
    """Images a class held back from its own wake data, where `morning.probes = "kept"`; they count as stored images."""
    dreamed_probes: int = Field(default=100, ge=1)
    """Images a class drawn at dusk, where `morning.probes = "dreamed"`; those on which the judges agree are used."""


_HERE = "sleepwake.domains.vision"

CLASSES: dict[str, dict[str, str]] = {
    "stream": {
        "digits": f"{_HERE}.data_sets:digits",
        "npz": f"{_HERE}.data_sets:npz",
        "idx": f"{_HERE}.data_sets:idx",
        "folder": f"{_HERE}.data_sets:folder",
        "core50": f"{_HERE}.picture_folders:core50",
        "imagenet": f"{_HERE}.picture_folders:imagenet",
    },
    "learner": {
        "mlp": f"{_HERE}.learners:Classifying",
        "cnn": f"{_HERE}.learners:Classifying",
        "mobilenet": f"{_HERE}.learners:Classifying",
        "resnet": f"{_HERE}.learners:Classifying",
        "slda": f"{_HERE}.streaming:Counting",
        "ridge": f"{_HERE}.streaming:Counting",
        "generative": f"{_HERE}.generative_classifier:Generative",
    },
    "dreamer": {
        "none": f"{_HERE}.absent:NoDreamer",
        "vae": f"{_HERE}.dreamers:VaeDreamer",
        "cvae": f"{_HERE}.dreamers:VaeDreamer",
        "wgan": f"{_HERE}.adversarial_dreamers:WganDreamer",
        "feedback": f"{_HERE}.feedback:FeedbackDreamer",
        "diffusion": f"{_HERE}.diffusion_dreamers:DiffusionDreamer",
        "mix": f"{_HERE}.mix_dreamers:MixDreamer",
        "pictures": f"{_HERE}.mix_dreamers:PicturesDreamer",
    },
    "challenger": {
        "none": f"{_HERE}.absent:NoChallenger",
        "confusion": f"{_HERE}.challengers:Confusion",
        "random": f"{_HERE}.challengers:Random",
    },
    "judge": {
        "none": f"{_HERE}.judges:NoJudge",
        "peers": f"{_HERE}.judges:Peers",
        "novelty": f"{_HERE}.novelty:Novelty",
        "self": f"{_HERE}.judges:Self",
        "random": f"{_HERE}.judges:Random",
        "oracle": f"{_HERE}.judges:Oracle",
    },
    "memory": {
        "none": f"{_HERE}.replay:NoMemory",
        "exact": f"{_HERE}.stored:ExactMemory",
        "noise": f"{_HERE}.replay:NoiseMemory",
        "generated": f"{_HERE}.replay:GeneratedMemory",
        "current": f"{_HERE}.replay:CurrentMemory",
    },
    "penalty": {"none": f"{_HERE}.penalties:Free", "ewc": f"{_HERE}.penalties:Ewc", "si": f"{_HERE}.penalties:Si"},
    "head": {
        "softmax": f"{_HERE}.heads:Softmax",
        "cwr": f"{_HERE}.heads:Cwr",
        "nearest-mean": f"{_HERE}.mean_heads:NearestMean",
        "bic": f"{_HERE}.mean_heads:BiasCorrected",
    },
    "probes": {"none": f"{_HERE}.absent:NoProbes", "kept": f"{_HERE}.probes:Kept", "dreamed": f"{_HERE}.probes:Dreamed"},
    "rehearse": {"supervised": f"{_HERE}.rehearsal:Supervised", "classes": f"{_HERE}.dreamed_classes:Classes"},
    "consolidate": {"distil": f"{_HERE}.consolidation:Distil"},
}
"""Which class does what a `type` names, by kind. To add one: its file, its settings class in the union, its line here."""
