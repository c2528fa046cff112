"""The report's charts: plain lists in, one `<svg>` element out.

matplotlib is imported when the first chart is drawn, so that commands that draw nothing start fast. Equal input gives
equal text: no clock, no random ids, no settings of the user's. Texts stay texts, set by the page in its own font.
"""

import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from io import StringIO
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK, MUTED, LINE, BLANK = "#1d2433", "#5a6375", "#dfe3ea", "#eef0f4"
# Okabe and Ito's colours, told apart with every common kind of colour blindness; ordered by contrast on white.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#a3487f", "#b07a00", "#3f8fc4", "#5a6375", "#7a4a2b")
NIGHT, GOOD, BAD = "#e9ebf6", "#0072b2", "#d55e00"
SCORES = ("#f3f5fb", "#b9c5e6", "#7087c4", "#374c94", "#1f2d66")
CHANGES = ("#b04a00", "#e39a63", "#f7f7f7", "#7fb3d8", "#0b5a91")
STYLE = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same measures on every machine
    "font.size": 9.0,
    "text.color": INK,
    "text.parse_math": False,  # names come from recipes; a dollar sign is no formula
    "axes.edgecolor": "#aab1be",
    "axes.labelcolor": MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": LINE,
    "grid.linewidth": 0.7,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "lines.linewidth": 1.8,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "svg.fonttype": "none",
}
Points = Sequence[tuple[float, float]]
Cells = Sequence[Sequence[float | None]]


def svg(label: str, width: float, height: float, paint: Callable[["Axes"], None]) -> str:
    """An axes painted on, as one svg element that scales with the page; sizes in inches at 72 px."""
    from matplotlib import style
    from matplotlib.figure import Figure

    text = StringIO()
    with style.context(["default", STYLE | {"svg.hashsalt": label}]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)  # the browser has the glyph
        figure = Figure(figsize=(width, height), layout="constrained")
        paint(figure.add_subplot())
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    body = text.getvalue()
    body = body[body.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.S)
    body = re.sub(r'<g id="[^"]*">', "<g>", body)  # one page holds many charts; nothing refers to these
    view = re.search(r'viewBox="[^"]*"', body)
    assert view
    head = f'<svg xmlns:xlink="http://www.w3.org/1999/xlink" {view[0]} xmlns="http://www.w3.org/2000/svg" role="img">'
    return re.sub(r"^<svg[^>]*>", head, body).strip()


def heat_map(matrix: Cells, days: Sequence[str], tests: Sequence[str]) -> str:
    """Scores in [0, 1] of every test (columns) after every day (rows), in percent; a dash where none was taken."""

    def paint(axes: "Axes") -> None:
        cells = [[None if score is None else 100 * score for score in row] for row in matrix]
        # colours are spread out at the top, where good runs differ; the numbers in the cells are plain percent
        _cells(axes, cells, SCORES, (0, 100), 2.0, BLANK, lambda value: f"{value:.0f}", lambda value: value > 74)
        _names(axes, days, tests)
        axes.set(xlabel="test", ylabel="after the day of")

    return svg("heat map", *_grid_size(len(days), len(tests), days), paint)


def changes(matrix: Cells, tasks: Sequence[str], gates: Sequence[str], shut: Sequence[bool]) -> str:
    """Change of each task's probe score (rows) at each gate (columns), in points; gates that were shut are crossed."""

    def paint(axes: "Axes") -> None:
        cells = [[None if change is None else 100 * change for change in row] for row in matrix]
        bound = max([5.0, *(abs(change) for row in cells for change in row if change is not None)])
        told = lambda change: f"{round(change):+d}".replace("+0", "0")  # noqa: E731
        _cells(axes, cells, CHANGES, (-bound, bound), 1.0, "white", told, lambda change: abs(change) > 0.7 * bound)
        _names(axes, tasks, gates)
        for column, closed in enumerate(shut):
            if closed:
                axes.plot(column + 0.5, -0.28, "x", color=BAD, markersize=6, markeredgewidth=1.8, clip_on=False)
        axes.set(xlabel="gate (day · round, m = morning)")

    return svg("changes", 5.0, max(2.5, 0.9 + 0.34 * len(tasks)), paint)


def over_time(points: Sequence[Mapping[str, Any]], tests: Sequence[str], nights: Points, metric: str) -> str:
    """Mean score of the tests learned so far, and each test's, by commit.

    Args:
        points: an evaluation each: `step`, `mean` in [0, 1] or None, `scores` by test, None before a test was learned.
        tests: names of the tests.
        nights: first and last step of each night, shaded.
        metric: what is scored.
    """

    def paint(axes: "Axes") -> None:
        _nights(axes, nights)
        _scores(axes, points, tests, metric, marked=True)
        _steps(axes)
        _legend(axes)

    return svg("over time", 5.0, 3.3, paint)


def curves(points: Sequence[Mapping[str, Any]], tests: Sequence[str], days: Sequence[tuple[str, float, float]], metric: str) -> str:
    """Each test's score while days go on, and the mean of those learned so far, by optimizer step.

    Args:
        points: an evaluation each, as `over_time` takes them; `step` counts optimizer steps through all days.
        tests: names of the tests.
        days: the task of each day, its first step and its last.
        metric: what is scored.
    """
    named = max(len(name) for name, _, _ in days) * len(days) <= 60

    def paint(axes: "Axes") -> None:
        _scores(axes, points, tests, metric, marked=False)
        for place, (name, first, last) in enumerate(days):
            if place:
                axes.axvline(first, color=MUTED, linewidth=0.9, linestyle=(0, (3, 3)), zorder=1)
            if named:
                axes.annotate(name, ((first + last) / 2, 1.0), (0, 2), xycoords=("data", "axes fraction"), textcoords="offset points",
                              ha="center", va="bottom", fontsize=8, color=MUTED)  # fmt: skip
        axes.set(xlim=(0, max(last for _, _, last in days)), xlabel="optimizer step, all days in order")
        axes.grid(visible=False, axis="x")
        _legend(axes, above=1.05 if named else 1.0)

    return svg("curves", 5.0, 3.4, paint)


def _scores(axes: "Axes", points: Sequence[Mapping[str, Any]], tests: Sequence[str], metric: str, marked: bool) -> None:
    """A line a test and a bold one for the mean; with a mark at each evaluation, where they are few."""
    few = len(tests) <= len(COLOURS)
    for j, test in enumerate(tests):
        line = [(point["step"], 100 * point["scores"][j]) for point in points if point["scores"][j] is not None]
        if line:
            colour, mark, label = (COLOURS[j], "o", test) if few else ("#aab4cc", "", None)
            axes.plot(*zip(*line, strict=True), color=colour, linewidth=1.1, marker=mark if marked else "", markersize=2.5, label=label)
    mean = [(point["step"], 100 * point["mean"]) for point in points if point["mean"] is not None]
    if mean:
        axes.plot(*zip(*mean, strict=True), color=INK, linewidth=2.6, marker="o" if marked else "", markersize=4, label="mean")
    low = min((score for point in points for score in point["scores"] if score is not None), default=0.0)
    _percent(axes, 0.0 if low < 0.5 else 100 * low - 3, 100, 2.0)
    axes.set_ylabel(f"{metric}, %")


def by_night(rows: Sequence[tuple[str, float, float, bool]], metric: str) -> str:
    """Mean score before and after each night: (label, before, after, accepted), scores in [0, 1]."""

    def paint(axes: "Axes") -> None:
        for x, (_, before, after, accepted) in enumerate(rows):
            colour = GOOD if accepted else BAD
            axes.plot([x, x], [100 * before, 100 * after], color=colour, linewidth=2.2, alpha=0.45, zorder=1)
            axes.plot(x, 100 * before, "o", markersize=6, color=colour, markerfacecolor="white", markeredgewidth=1.6)
            axes.plot(x, 100 * after, "o" if accepted else "X", markersize=7, color=colour)
            if len(rows) <= 12:
                told, top = f"{100 * (after - before):+.1f}".replace("+0.0", "0.0"), (x, 100 * max(before, after))
                axes.annotate(told, top, (0, 8), textcoords="offset points", ha="center", fontsize=8, color=MUTED)
        values = [100 * value for row in rows for value in row[1:3]]
        margin = max(3.0, 0.2 * (max(values) - min(values)))
        _percent(axes, min(values) - margin, max(values), margin)
        axes.set(xlim=(-0.6, len(rows) - 0.4), xlabel="night after day", ylabel=f"mean {metric}, %")
        _thin(axes, [row[0] for row in rows])
        axes.grid(visible=False, axis="x")
        key = (
            ("before", "o", MUTED, "white"),
            ("after, accepted", "o", GOOD, GOOD),
            ("after, rolled back", "X", BAD, BAD),
        )
        for label, mark, colour, face in key:
            axes.plot([], [], mark, color=colour, markerfacecolor=face, label=label)
        _legend(axes)

    return svg("by night", 5.0, 3.3, paint)


def levels(measured: Mapping[str, Points], practised: Mapping[str, Points], nights: Points, unit: str) -> str:
    """Levels by commit: what was measured as lines, what the challenger set as dots in the same colour.

    Where nothing was measured and the names are too many to tell apart, all dots are grey, with their mean as a line.
    """

    def paint(axes: "Axes") -> None:
        _nights(axes, nights)
        if not measured and len(practised) > len(COLOURS):
            every = sorted(dot for line in practised.values() for dot in line)
            by_step = {step: [level for at, level in every if at == step] for step, _ in every}
            axes.plot(*zip(*every, strict=True), ".", color="#8f9ab5", markersize=5, label="each")
            mean = [sum(levels) / len(levels) for levels in by_step.values()]
            axes.plot(list(by_step), mean, color=COLOURS[0], marker="o", markersize=4, label="mean")
            axes.set_ylabel(unit)
            _steps(axes)
            _legend(axes)
            return
        for i, name in enumerate(dict.fromkeys([*measured, *practised])):
            colour = COLOURS[i % len(COLOURS)]
            line, dots = measured.get(name, ()), practised.get(name, ())
            if dots:
                label = None if line else name
                axes.plot(*zip(*dots, strict=True), ".", color=colour, markersize=4, alpha=0.55, label=label)
            if line:
                told = f"{name} {line[0][1]:g} → {line[-1][1]:g}"
                axes.plot(*zip(*line, strict=True), color=colour, marker="o", markersize=4.5, label=told)
        if measured:
            axes.set_ylim(bottom=0)
        axes.set_ylabel(unit)
        _steps(axes)
        _legend(axes)

    return svg("levels", 5.0, 3.3, paint)


def judge(rows: Sequence[tuple[str, float | None, float | None, float]]) -> str:
    """A judge's precision, recall and accepted share by round: (night, precision, recall, share), in [0, 1]."""

    def paint(axes: "Axes") -> None:
        _bands(axes, [row[0] for row in rows])
        axes.bar(range(len(rows)), [100 * row[3] for row in rows], width=0.7, color="#b7c0d8", label="accepted")
        for column, name, colour, dash in ((1, "precision", COLOURS[0], "-"), (2, "recall", COLOURS[1], "--")):
            line = [(x, 100 * row[column]) for x, row in enumerate(rows) if row[column] is not None]  # type: ignore[operator]
            if line:
                axes.plot(*zip(*line, strict=True), dash, color=colour, marker="o", markersize=3.5, label=name)
        _percent(axes, 0, 100, 4)
        axes.set(xlabel="round, all nights in order", ylabel="% of dreams")
        _whole(axes, len(rows))
        _legend(axes)

    return svg("judge", 5.0, 3.3, paint)


def pressure(values: Sequence[float], actions: Sequence[str]) -> str:
    """The policy's sleep pressure at each decision, marked with what was decided."""

    def paint(axes: "Axes") -> None:
        axes.plot(range(len(values)), values, color="#aab4cc", linewidth=1.2, zorder=1)
        marks = {"wake": ("o", COLOURS[4]), "round": ("s", COLOURS[0]), "close": ("D", COLOURS[2]), "stop": ("X", INK)}
        for action, (mark, colour) in marks.items():
            chosen = [(x, value) for x, (value, what) in enumerate(zip(values, actions, strict=True)) if what == action]
            if chosen:
                axes.plot(*zip(*chosen, strict=True), mark, color=colour, markersize=6, label=action)
        axes.set(xlabel="decision", ylabel="sleep pressure")
        _whole(axes, len(values))
        _legend(axes)

    return svg("pressure", 5.0, 3.0, paint)


def seconds(totals: Mapping[str, float]) -> str:
    """Seconds by stage as bars, in the order given, each with its share of all."""

    def paint(axes: "Axes") -> None:
        whole = sum(totals.values()) or 1.0
        axes.barh(range(len(totals)), list(totals.values()), color="#7087c4", height=0.62)
        for y, value in enumerate(totals.values()):
            axes.annotate(f"{value:,.1f} s · {value / whole:.0%}", (value, y), (5, 0), textcoords="offset points",
                          va="center", fontsize=8.5)  # fmt: skip
        axes.set_yticks(range(len(totals)), list(totals))
        axes.set(xlim=(0, 1.38 * max([*totals.values(), 0.1])), xlabel="seconds")
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")

    return svg("seconds", 5.0, 0.8 + 0.3 * len(totals), paint)


def _cells(
    axes: "Axes",
    cells: Cells,
    colours: Sequence[str],
    bounds: tuple[float, float],
    gamma: float,
    blank: str,
    text: Callable[[float], str],
    dark: Callable[[float], bool],
) -> None:
    """Coloured cells, first row on top, with their numbers or beside a scale; `blank` is a missing one's colour."""
    from matplotlib.colors import LinearSegmentedColormap, PowerNorm

    columns = max((len(row) for row in cells), default=0)
    shades = LinearSegmentedColormap.from_list("shades", list(colours)).with_extremes(bad=blank)
    numbers = [[float("nan") if value is None else value for value in row] for row in cells]
    mesh = axes.pcolormesh(numbers, cmap=shades, norm=PowerNorm(gamma, *bounds), edgecolors="white", linewidth=1.2)
    if columns <= 14:
        for y, row in enumerate(cells):
            for x, value in enumerate(row):
                colour = MUTED if value is None else "white" if dark(value) else INK
                told = ("–" if blank == BLANK else "") if value is None else text(value)
                letters = 9 if columns <= 8 else 7.5
                axes.text(x + 0.5, y + 0.5, told, ha="center", va="center", color=colour, fontsize=letters)
    else:
        bar = axes.figure.colorbar(mesh, ax=axes, fraction=0.04, pad=0.02, aspect=36)
        bar.outline.set_visible(False)
    axes.invert_yaxis()
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _names(axes: "Axes", rows: Sequence[str], columns: Sequence[str]) -> None:
    axes.set_yticks([y + 0.5 for y in range(len(rows))], rows)
    every = max(1, -(-len(columns) // 24))
    shown = range(0, len(columns), every)
    tilt = sum(len(columns[x]) + 1 for x in shown) > 44
    axes.set_xticks([x + 0.5 for x in shown], [columns[x] for x in shown], rotation=45 if tilt else 0,
                    ha="right" if tilt else "center", rotation_mode="anchor" if tilt else "default")  # fmt: skip


def _grid_size(rows: int, columns: int, names: Sequence[str]) -> tuple[float, float]:
    margin = 0.6 + 0.07 * max((len(name) for name in names), default=0)
    cell = min(0.62, (5.0 - margin) / max(columns, 1))
    return 5.0, max(1.4, 0.8 + max(0.8 * cell, 0.26) * rows)


def _nights(axes: "Axes", nights: Points) -> None:
    for first, last in nights:
        axes.axvspan(first - 0.5, last + 0.5, color=NIGHT, linewidth=0, zorder=0)


def _bands(axes: "Axes", groups: Sequence[str]) -> None:
    """Shade every second group of neighbours."""
    for i, group in enumerate(dict.fromkeys(groups)):
        places = [x for x, name in enumerate(groups) if name == group]
        if i % 2 == 0:
            axes.axvspan(places[0] - 0.5, places[-1] + 0.5, color=NIGHT, linewidth=0, zorder=0)


def _percent(axes: "Axes", low: float, high: float, room: float) -> None:
    """Limits with room above for marks, and no tick where there can be no score."""
    axes.set_ylim(low, high + room)
    ticks = axes.get_yticks()
    axes.set_yticks([tick for tick in ticks if max(low, 0) <= tick <= 100])


def _steps(axes: "Axes") -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
    axes.set_xlabel("step (commits so far)")
    axes.grid(visible=False, axis="x")


def _whole(axes: "Axes", n: int) -> None:
    """Ticks at whole places, counted from 1."""
    _thin(axes, [str(x + 1) for x in range(n)])
    axes.set_xlim(-0.6, n - 0.4)
    axes.grid(visible=False, axis="x")


def _thin(axes: "Axes", names: Sequence[str]) -> None:
    every = max(1, -(-len(names) // 12))
    axes.set_xticks(range(0, len(names), every), list(names)[::every])


def _legend(axes: "Axes", above: float = 1.0) -> None:
    """Names in rows above the chart, where they cover nothing; `above` is where they begin, in heights of it."""
    handles, names = axes.get_legend_handles_labels()
    if names:
        one_row = sum(len(name) + 6 for name in names) <= 66
        columns = len(names) if one_row else max(1, 56 // (max(map(len, names)) + 6))
        axes.legend(handles, names, ncols=columns, loc="lower left", bbox_to_anchor=(-0.02, above), borderpad=0.2,
                    columnspacing=1.2, handlelength=1.4, handletextpad=0.5)  # fmt: skip
