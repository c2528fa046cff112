"""Parts of a user's own, as one file: a judge for each domain, a reader of images, a family of problems. Used with --allow-code."""

from sleepwake.domains.language.families import Copy
from sleepwake.domains.language.judges import Metamorphic
from sleepwake.domains.vision.data_sets import DigitsStream, digits
from sleepwake.domains.vision.judges import Untaught
from sleepwake.records import Verdicts


class Lenient(Untaught):
    """Accepts every dream of an image."""

    def __init__(self, settings, around):
        super().__init__(around)

    def verdicts(self, material, seed):
        return Verdicts((1.0,) * len(material), ("",) * len(material))


class Easy(Metamorphic):
    """The metamorphic judge, but one relation of three is enough."""

    def __init__(self, settings, families, guard, fresh):
        from sleepwake.domains.language.judge_settings import Metamorphic as Settings

        super().__init__(Settings(threshold=0.3), families, guard, fresh)


def few(settings, places):
    """A hundred and fifty digits."""
    (images,) = digits(DigitsStream(), places)
    return [type(images)(images.train_NHWC[:150], images.train_labels_N[:150], images.test_NHWC, images.test_labels_N, white=16)]


class Echo(Copy):
    """Copying under another name."""

    prefix = "p"
