"""A sweep as one HTML page: a table with intervals and paired differences, and two charts. No script, no network."""

from collections.abc import Sequence
from importlib.resources import files
from typing import TYPE_CHECKING

from sleepwake.charts import COLOURS, INK, svg
from sleepwake.statistics import ArmResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def render(title: str, arms: Sequence[ArmResult]) -> str:
    """The page. Equal results give equal text."""
    from jinja2 import Environment, StrictUndefined

    page = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = page.from_string(files("sleepwake").joinpath("sweep.html.j2").read_text(encoding="utf-8"))
    return template.render(title=title, arms=arms, finals=finals(arms), days=days(arms))


def finals(arms: Sequence[ArmResult]) -> str:
    """Every seed's final score as a dot, each arm's mean with its 95 % interval."""

    def paint(axes: "Axes") -> None:
        for place, arm in enumerate(arms):
            colour = COLOURS[place % len(COLOURS)]
            axes.plot([100 * value for value in arm.acc.values], [place] * len(arm.acc.values), "o", color=colour, alpha=0.45, markersize=5)
            if len(arm.acc.values) > 1:
                axes.errorbar(
                    100 * arm.acc.mean, place, xerr=100 * arm.acc.half, fmt="|", color=INK, markersize=13, capsize=3, linewidth=1.3
                )
        axes.set_yticks(range(len(arms)), [arm.name for arm in arms])
        axes.invert_yaxis()
        axes.margins(y=0.6 / max(1, len(arms)))
        axes.set(xlabel="final mean score, %")

    return svg("finals", 7.0, 1.0 + 0.36 * len(arms), paint)


def days(arms: Sequence[ArmResult]) -> str:
    """Mean score over the tests learned so far, day by day."""

    def paint(axes: "Axes") -> None:
        for place, arm in enumerate(arms):
            points = [(day + 1, 100 * score) for day, score in enumerate(arm.averages) if score is not None]
            axes.plot(
                [day for day, _ in points],
                [score for _, score in points],
                "o-",
                color=COLOURS[place % len(COLOURS)],
                markersize=4,
                label=arm.name,
            )
        axes.set_xticks(range(1, 1 + max(len(arm.averages) for arm in arms)))
        axes.set(xlabel="after day", ylabel="mean score so far, %")
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))

    return svg("days", 7.0, max(3.0, 0.6 + 0.24 * len(arms)), paint)
