"""The report: journal -> summary and one page that needs nothing else.

`summarise` (of `summary.py`) is bookkeeping over the journal's events; `render` adds charts (`charts.py`), pictures and
the words of `report.html.j2`. Both are functions of what they are given: equal journals give equal text.
"""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from importlib.resources import files
from itertools import accumulate
from math import fsum
from pathlib import Path
from typing import Any

from sleepwake import charts
from sleepwake.metrics import average_seen
from sleepwake.summary import Event, Table, homes, night_name, of, summarise

__all__ = ["render", "summarise"]

PICTURES, EXAMPLES = 12, 40  # shown at most
POINTS = 400  # evaluations in a chart of curves
LABELS = {
    "seen": "all classes learned so far",
    "task": "the classes of the test's own task",
    "shared": "the labels that all tasks share",
    "free text": "all strings",
}
"""What `labels` of the summary says, in words: among what an answer is chosen."""
PICTURE_BYTES = 2_000_000  # larger files would make the page slow


def render(summary: dict[str, Any], events: list[Event], folder: Path) -> str:
    """The run as one HTML page: no script, no network; charts inline, pictures as data.

    Args:
        summary: what `summarise` gave for these events.
        events: the journal.
        folder: where the pictures lie that the journal names (the last commit); those that aren't there are left out.
    """
    from jinja2 import Environment, StrictUndefined

    page = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    page.filters |= {"share": share, "points": points, "duration": duration, "size": size, "number": number}
    template = page.from_string(files("sleepwake").joinpath("report.html.j2").read_text(encoding="utf-8"))
    pictures, examples = _pictures(events, folder), _examples(events)
    return template.render(
        run=summary,
        steps=max((event["step"] for event in of(events, "committed")), default=0),
        error=events[-1]["error"] if summary["status"] == "failed" else "",
        precision=_precision(summary["judge_audit"]),
        charts=_charts(summary, events),
        gates=_gates(events),
        nights=_night_rows(summary),
        pictures=_thinned(pictures, PICTURES),
        all_pictures=len(pictures),
        examples=_thinned(examples, EXAMPLES),
        all_examples=len(examples),
        decisions=list(of(events, "decided")),
        labels=LABELS.get(summary["labels"], summary["labels"]),
        ahead=any(score is not None for row in summary["ahead"].values() for score in row),
    )


def share(value: float | None) -> str:
    """A share in percent."""
    return "–" if value is None else f"{100 * value:.1f}\u00a0%"


def points(value: float | None) -> str:
    """A difference of shares in percentage points."""
    if value is None:
        return "–"
    told = f"{100 * value:+.1f}".replace("-", "−")
    return ("0.0" if told[1:] == "0.0" else told) + "\u00a0pts"


def duration(seconds: float) -> str:
    """Seconds, or minutes and seconds, or hours and minutes."""
    if seconds < 60:
        return f"{seconds:.1f}\u00a0s"
    minutes = round(seconds) // 60
    return f"{minutes} min {round(seconds) % 60:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def size(n: float) -> str:
    """Bytes in a readable unit."""
    for unit in ("B", "kB", "MB"):
        if n < 1000:
            return f"{n:.0f} {unit}" if unit == "B" or n >= 100 else f"{n:.1f} {unit}"
        n /= 1000
    return f"{n:.2f} GB"


def number(value: Any) -> str:
    """A journaled value as a person would write it."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {number(part)}" for key, part in value.items())
    if isinstance(value, list):
        return ", ".join(map(number, value))
    if isinstance(value, float):
        return f"{value:.4g}"
    return "–" if value is None else str(value)


def _precision(audits: Table) -> dict[str, Any]:
    """Precision pooled over all accepted dreams audited, and the Goodhart gap weighted by rounds' attempts; None where none was."""
    told = [(row["accepted"], row["precision"]) for row in audits if row["precision"] is not None and row["accepted"]]
    gaps = [(row["judged"], row["goodhart"]) for row in audits if row.get("goodhart") is not None and row["judged"]]
    accepted, judged = (sum(n for n, _ in pairs) for pairs in (told, gaps))
    return {
        "accepted": accepted,
        "value": fsum(n * p for n, p in told) / accepted if accepted else None,
        "gap": fsum(n * gap for n, gap in gaps) / judged if judged else None,
    }


def _night_rows(summary: dict[str, Any]) -> Table:
    rows = []
    for night in summary["nights"]:
        rounds = night["rounds"]
        sums = {key: sum(row[key] for row in rounds) for key in ("dreams", "accepted", "undone")}
        seconds = fsum(value for row in rounds for value in row["seconds"].values())
        name = night_name(night, summary["nights"])
        rows.append({"name": name, "night": night, "n": len(rounds), "seconds": seconds} | sums)
    return rows


def _gates(events: list[Event]) -> Table:
    """Every gate in order: its name, whether it was shut, its reason, and the probes before and after."""
    gated = list(of(events, "gated"))
    rows = []
    for event in gated:
        morning = event["kind"] == "morning"
        name = f"{night_name(event, gated)}·{'m' if morning else event['round'] + 1}"
        now = {probe["task"]: probe["score"] for probe in event["after"]}
        probes = [probe | {"after": now[probe["task"]]} for probe in event["before"]]
        shut = not event["accepted"] if morning else event["undone"]
        rows.append({"name": name, "morning": morning, "shut": shut, "reason": event["reason"], "probes": probes})
    return rows


def _pictures(events: list[Event], folder: Path) -> Table:
    """Pictures that are still there, as data, with their captions and the night they are from."""
    shown = []
    for event in of(events, "staged"):
        for picture in event.get("pictures") or ():
            file = (folder / picture["file"]).resolve()
            inside = file.is_relative_to(folder.resolve()) and file.suffix == ".png"
            if inside and file.is_file() and file.stat().st_size <= PICTURE_BYTES:
                data = "data:image/png;base64," + b64encode(file.read_bytes()).decode()
                place = {"day": event["day"], "round": event["round"]}
                shown.append({"data": data, "caption": picture["caption"]} | place)
    return shown


def _examples(events: list[Event]) -> Table:
    judged = [(event, {"day": event["day"], "round": event["round"]}) for event in of(events, "staged")]
    return [example | place for event, place in judged for example in event.get("examples") or ()]


def _thinned(rows: Table, most: int) -> Table:
    """At most so many, evenly spread, the first and the last among them."""
    if len(rows) <= most:
        return rows
    return [rows[i * (len(rows) - 1) // (most - 1)] for i in range(most)]


def _charts(summary: dict[str, Any], events: list[Event]) -> dict[str, str]:
    """The charts that this run has something for, by name; the others are empty."""
    spans: dict[tuple[int, int], tuple[int, int]] = {}
    for event in events:
        if event["event"] in ("staged", "gated"):
            night = (event["day"], event["night"])
            spans[night] = (spans.get(night, (event["step"], 0))[0], event["step"])
    nights, names = list(spans.values()), ("before", "after", "time", "curves", "nights", "frontier", "levels")
    drawn = dict.fromkeys((*names, "gates", "judge", "pressure"), "")
    drawn |= _score_charts(summary, events, nights) | _level_charts(summary, events, nights) | _night_charts(summary, events)
    decisions = list(of(events, "decided"))
    if any(decision["pressure"] for decision in decisions):
        drawn["pressure"] = charts.pressure([d["pressure"] for d in decisions], [d["action"] for d in decisions])
    return drawn | {"seconds": charts.seconds(_by_stage(events))}


def _score_charts(summary: dict[str, Any], events: list[Event], nights: list[tuple[int, int]]) -> dict[str, str]:
    """Score matrices, scores over time, and what each night changed: the mean before it and on its morning."""
    drawn, tests, metric = {}, summary["tests"], summary["metric"]
    for name, matrix in (("before", summary["before_sleep"]), ("after", summary["after_sleep"])):
        if matrix:
            drawn[name] = charts.heat_map(matrix, summary["tasks"][: len(matrix)], tests)
    home = homes(tests, summary["tasks"], next(of(events, "started"), {}).get("task_parts", ()))
    if summary["curves"]:
        drawn["curves"] = _curves(summary, events, home)
    slept = {(night["day"], night["night"]): night for night in summary["nights"]}
    scored: Table = []
    changed: list[tuple[str, float, float, bool]] = []
    latest: float | None = None
    for event in of(events, "evaluated", what="scores"):
        if event["when"] == "initial":
            continue
        row = _seen(event, home)
        known = [score for score in row if score is not None]
        mean = fsum(known) / len(known) if known else None
        scored.append({"step": event["step"], "mean": mean, "scores": row})
        night = slept.get((event["day"], event["night"])) if event["when"] == "morning" else None
        if night and latest is not None and mean is not None:
            changed.append((night_name(night, summary["nights"]), latest, mean, night["accepted"]))
        if event["when"] != "round":
            latest = mean
    if any(point["mean"] is not None for point in scored):
        drawn["time"] = charts.over_time(scored, tests, nights, metric)
    if changed:
        drawn["nights"] = charts.by_night(changed, metric)
    return drawn


def _seen(evaluation: Mapping[str, Any], home: Sequence[int]) -> list[float | None]:
    """An evaluation's scores on the tests that were learned by its day; None for the others."""
    return [score if day <= evaluation["day"] else None for score, day in zip(evaluation["scores"], home, strict=True)]


def _curves(summary: dict[str, Any], events: list[Event], home: Sequence[int]) -> str:
    """Scores within days, the days laid end to end."""
    lengths = dict.fromkeys(range(max(at["day"] for at in summary["curves"]) + 1), 0)
    for at in summary["curves"]:
        lengths[at["day"]] = max(lengths[at["day"]], at["step"])
    for event in of(events, "woke"):
        lengths[event["day"]] = event["facts"].get("learn", {}).get("steps", lengths.get(event["day"], 0))
    starts = dict(zip(lengths, accumulate(lengths.values(), initial=0), strict=False))
    days = [(summary["tasks"][day], starts[day], starts[day] + length) for day, length in lengths.items()]
    points = [
        {"step": starts[at["day"]] + at["step"], "mean": average_seen(at["scores"], at["day"], home), "scores": _seen(at, home)}
        for at in _thinned(summary["curves"], POINTS)
    ]
    return charts.curves(points, summary["tests"], days, summary["metric"])


def _level_charts(summary: dict[str, Any], events: list[Event], nights: list[tuple[int, int]]) -> dict[str, str]:
    """The audited frontier with the challenger's levels beside it; where there is no frontier, the levels alone."""
    measured: dict[str, list[tuple[float, float]]] = {}
    practised: dict[str, list[tuple[float, float]]] = {}
    for event in of(events, "evaluated", what="frontier"):
        for family, level in event["frontier"].items():
            measured.setdefault(family, []).append((event["step"], level))
    for row in (row for night in summary["nights"] for row in night["rounds"]):
        for name, level in row["level"].items():
            practised.setdefault(name, []).append((row["step"], level))
    if measured:
        practised = {family: dots for family, dots in practised.items() if family in measured}
        return {"frontier": charts.levels(measured, practised, nights, "level")}
    return {"levels": charts.levels({}, practised, nights, "difficulty")} if practised else {}


def _night_charts(summary: dict[str, Any], events: list[Event]) -> dict[str, str]:
    """Probes at every gate, and the audit of the judge."""
    drawn = {}
    if gates := [gate for gate in _gates(events) if gate["probes"]]:
        tasks = list(dict.fromkeys(probe["task"] for gate in gates for probe in gate["probes"]))
        moved = [{p["task"]: p["after"] - p["score"] for p in gate["probes"]} for gate in gates]
        cells = [[change.get(task) for change in moved] for task in tasks]
        shut = [gate["shut"] for gate in gates]
        drawn["gates"] = charts.changes(cells, tasks, [gate["name"] for gate in gates], shut)
    if audits := summary["judge_audit"]:
        drawn["judge"] = charts.judge([
            (f"{row['day']}.{row['night']}", row["precision"], row["recall"], row["accepted"] / max(row["judged"], 1))
            for row in audits
        ])  # fmt: skip
    return drawn


def _by_stage(events: list[Event]) -> dict[str, float]:
    """Seconds by stage; what a night spends outside its stages (probes, audits, commits) is its own row."""
    stages = ("wake", "challenge", "dream", "judge", "rehearse", "consolidate", "morning", "probes and audits")
    totals = dict.fromkeys(stages, 0.0)
    for event in of(events, "staged"):
        totals[event["stage"]] += event["timing"]["seconds"]
        totals["probes and audits"] -= event["timing"]["seconds"]
    for event in of(events, "committed"):
        phase = event["phase"] if event["phase"] in ("wake", "morning") else "probes and audits"
        totals[phase] += event["timing"]["seconds"]
    return {name: round(max(0.0, value), 3) for name, value in totals.items() if value > 0.0005}
