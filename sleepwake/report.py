"""The report: journal -> summary and one page that needs nothing else.

`summarise` (of `summary.py`) is bookkeeping over the journal's events; `render` adds charts (`charts.py`), pictures and the
words of `report.html.j2`. Both are functions of what they are given: equal journals give equal text.
"""

from base64 import b64encode
from importlib.resources import files
from math import fsum
from pathlib import Path
from typing import Any

from sleepwake import charts
from sleepwake.summary import Event, Table, homes, night_name, of, summarise

__all__ = ["render", "summarise"]

PICTURES, EXAMPLES, PICTURE_BYTES = 24, 40, 2_000_000


def render(summary: dict[str, Any], events: list[Event], folder: Path) -> str:
    """The run as one HTML page: no script, no network; charts inline, pictures as data.

    Args:
        summary: what `summarise` gave for these events.
        events: the journal.
        folder: the run folder, in which the journal's pictures lie; those of folders no longer kept are left out.
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
        folder=folder.name,
        precision=_precision(summary["judge_audit"]),
        charts=_charts(summary, events),
        gates=_gates(events),
        nights=_night_rows(summary),
        pictures=_thinned(pictures, PICTURES),
        all_pictures=len(pictures),
        examples=_thinned(examples, EXAMPLES),
        all_examples=len(examples),
        decisions=list(of(events, "decided")),
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
    """Precision pooled over all accepted dreams that were audited; value None where none was."""
    told = [(row["accepted"], row["precision"]) for row in audits if row["precision"] is not None and row["accepted"]]
    accepted = sum(n for n, _ in told)
    return {"accepted": accepted, "value": fsum(n * p for n, p in told) / accepted if accepted else None}


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
        probes = [probe | {"after": now.get(probe["task"])} for probe in event["before"]]
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
                shown.append({"data": data, "caption": picture["caption"], "day": event["day"], "round": event["round"]})
    return shown


def _examples(events: list[Event]) -> Table:
    judged = (event for event in of(events, "staged") if event.get("examples"))
    return [example | {"day": event["day"], "round": event["round"]} for event in judged for example in event["examples"]]


def _thinned(rows: Table, most: int) -> Table:
    """At most so many, evenly spread, the first and the last among them."""
    if len(rows) <= most:
        return rows
    return [rows[i * (len(rows) - 1) // (most - 1)] for i in range(most)]


def _charts(summary: dict[str, Any], events: list[Event]) -> dict[str, str]:
    """The charts that this run has something for, by name; the others are empty."""
    drawn = dict.fromkeys(("before", "after", "time", "nights", "frontier", "levels", "gates", "judge", "pressure"), "")
    start = next(of(events, "started"), {})
    tests, home = summary["tests"], homes(summary["tests"], summary["tasks"], start.get("task_parts", ()))
    days = [str(task) for task in summary["tasks"]]
    if summary["matrix"]:
        drawn["before"] = charts.heat_map(summary["before_sleep"], days[: len(summary["before_sleep"])], tests)
        drawn["after"] = charts.heat_map(summary["after_sleep"], days[: len(summary["after_sleep"])], tests)

    spans: dict[tuple[int, int], tuple[int, int]] = {}
    scored, slept = [], []
    latest: float | None = None
    for event in events:
        place = (event["day"], event["night"])
        if event["event"] in ("staged", "gated"):
            spans[place] = (spans[place][0] if place in spans else event["step"], event["step"])
        if event["event"] == "evaluated" and event["what"] == "scores":
            learned = [day <= event["day"] and event["when"] != "initial" for day in home]
            row = [score if known else None for score, known in zip(event["scores"], learned, strict=True)]
            known = [score for score in row if score is not None]
            mean = fsum(known) / len(known) if known else None
            scored.append({"step": event["step"], "mean": mean, "scores": row})
            if event["when"] == "morning" and latest is not None and mean is not None:
                slept.append((place, latest, mean))
            if event["when"] != "round":
                latest = mean
    nights = list(spans.values())
    if any(point["mean"] is not None for point in scored):
        drawn["time"] = charts.over_time(scored, tests, nights, summary["metric"])
    accepted = {(night["day"], night["night"]): night for night in summary["nights"]}
    if rows := [(night_name(accepted[p], summary["nights"]), b, a, accepted[p]["accepted"]) for p, b, a in slept if p in accepted]:
        drawn["nights"] = charts.by_night(rows, summary["metric"])

    measured: dict[str, list[tuple[float, float]]] = {}
    practised: dict[str, list[tuple[float, float]]] = {}
    for event in of(events, "evaluated", what="frontier"):
        for family, level in event["frontier"].items():
            measured.setdefault(family, []).append((event["step"], level))
    for night in summary["nights"]:
        for row in night["rounds"]:
            for name, level in row["level"].items():
                practised.setdefault(name, []).append((row["step"], level))
    if measured:
        drawn["frontier"] = charts.levels(measured, {k: v for k, v in practised.items() if k in measured}, nights, "level")
    elif practised:
        drawn["levels"] = charts.levels({}, practised, nights, "difficulty")

    gates = [gate for gate in _gates(events) if gate["probes"]]
    if gates:
        tasks = list(dict.fromkeys(probe["task"] for gate in gates for probe in gate["probes"]))
        moved = [{p["task"]: p["after"] - p["score"] for p in gate["probes"] if p["after"] is not None} for gate in gates]
        cells = [[change.get(task) for change in moved] for task in tasks]
        drawn["gates"] = charts.changes(cells, tasks, [gate["name"] for gate in gates], [gate["shut"] for gate in gates])
    if audits := summary["judge_audit"]:
        shares = [row["accepted"] / row["judged"] if row["judged"] else 0.0 for row in audits]
        names = [f"{row['day']}.{row['night']}" for row in audits]
        rounds = [(n, row["precision"], row["recall"], s) for n, row, s in zip(names, audits, shares, strict=True)]
        drawn["judge"] = charts.judge(rounds)
    decisions = list(of(events, "decided"))
    if any(decision["pressure"] for decision in decisions):
        drawn["pressure"] = charts.pressure([d["pressure"] for d in decisions], [d["action"] for d in decisions])
    drawn["seconds"] = charts.seconds(_by_stage(events))
    return drawn


def _by_stage(events: list[Event]) -> dict[str, float]:
    """Seconds by stage; what a night spends outside its stages (probes, audits, commits) is its own row."""
    totals = dict.fromkeys(("wake", "challenge", "dream", "judge", "rehearse", "consolidate", "morning", "probes and audits"), 0.0)
    for event in of(events, "staged"):
        totals[event["stage"]] += event["timing"]["seconds"]
        totals["probes and audits"] -= event["timing"]["seconds"]
    for event in of(events, "committed"):
        phase = event["phase"] if event["phase"] in ("wake", "morning") else "probes and audits"
        totals[phase] += event["timing"]["seconds"]
    return {name: round(max(0.0, value), 3) for name, value in totals.items() if value > 0.0005}
