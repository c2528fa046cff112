"""The summary: what a run's journal comes to, in the format of `summary.json`. Plain bookkeeping, no drawing."""

from collections.abc import Iterable, Iterator, Sequence
from math import fsum
from typing import Any

from sleepwake import metrics

Event = dict[str, Any]
Table = list[dict[str, Any]]
STATUS = {"finished": "done", "failed": "failed", "interrupted": "interrupted"}
MIND = ("learner", "dreamer", "challenger", "judge")
MEMORY = ("images", "generator", "adapters", "snapshots")
AHEAD = ("gem", "masked", "remap", "probe", "speed")
AUDIT = ("day", "night", "round", "judge", "judged", "accepted", "precision", "recall", "abstained", "goodhart")
COMPARED = ("flips", "cycles", "length_bias")
"""What is told beyond it of a judge that compares."""


def summarise(events: list[Event], recipe: dict[str, Any], recipe_sha256: str, run_folder_bytes: int) -> dict[str, Any]:
    """What a run has shown so far, in the format of `summary.json`.

    Args:
        events: the journal, in order; may end anywhere.
        recipe: the resolved recipe.
        recipe_sha256: hash of the run folder's `recipe.json`.
        run_folder_bytes: size of the run folder.

    Returns:
        JSON values. Metrics that aren't defined yet, such as backward transfer after one day, are null.
    """
    start = next(of(events, "started"), {})
    tasks, tests = list(start.get("tasks", ())), list(start.get("tests", ()))
    home = homes(tests, tasks, start.get("task_parts", ()))
    phases = [event["timing"] for event in of(events, "committed")]
    before, after = _matrices(events, len(tests))
    initial = next(of(events, "evaluated", what="scores", when="initial"), {"scores": [None] * len(tests)})
    ahead, untrained = (_ahead(events, key, len(tasks)) for key in ("ahead", "untrained"))
    new = [place for place in sorted(set(home)) if place < len(after)]
    # the others only bring more of what is known, and say nothing of forward transfer
    curves = _curves(events)
    anytime = metrics.worst_of_days(after, [*((at["day"], at["scores"]) for at in curves), *enumerate(before)], home)
    gates = [event["agrees"] for event in of(events, "evaluated", what="gate") if event["agrees"] is not None]
    ends = [event["event"] for event in events if event["event"] != "measured"]
    sessions = [event["timing"] for event in events if event["event"] in ("started", "resumed")]
    nights = _nights(events)
    return {
        "format": 1,
        "recipe": recipe["name"],
        "recipe_sha256": recipe_sha256,
        "domain": recipe["domain"]["type"],
        "seed": recipe["seed"],
        "status": STATUS.get(ends[-1], "running") if ends else "running",
        "wall_s": _seconds(timing["seconds"] for timing in phases),
        "startup_s": _seconds(timing.get("startup_s", 0.0) for timing in sessions),
        "orchestration_s": _seconds(timing["seconds"] - timing["roles_s"] for timing in phases),
        "tasks": tasks,
        "tests": tests,
        "metric": start.get("metric", ""),
        "labels": start.get("labels", ""),
        "initial": initial["scores"],
        "ahead": ahead,
        "ahead_untrained": untrained,
        "before_sleep": before,
        "after_sleep": after,
        "matrix": after,
        "acc": metrics.acc(after, home),
        "pooled": metrics.pooled(after, start.get("test_sizes", ()), home),
        "aia": metrics.aia(after, home),
        "bwt_gem": metrics.bwt_gem(after, home),
        "forgetting_rwalk": metrics.forgetting_rwalk(after, home),
        **{f"fwt_{kind}": _forward(ahead[kind], untrained[kind], new) for kind in AHEAD},
        "curves": curves,
        "aaa": metrics.aaa([metrics.average_seen(at["scores"], at["day"], home) for at in curves]),
        "min_acc": metrics.min_acc(anytime, home) if curves else None,
        "wc_acc": metrics.wc_acc(anytime, home) if curves else None,
        "nights": nights,
        "bytes": _bytes(events) | {"run_folder": run_folder_bytes},
        "draws": [{"day": event["day"], "agreement": event["agreement"]} for event in of(events, "evaluated", what="draws")],
        "frontier": _frontier(events, start.get("task_parts", ()), nights),
        "judge_audit": [_audited(event) for event in of(events, "evaluated", what="judge")],
        "gate_audit": {"nights": len(gates), "agrees": sum(gates)},
        "boundary": next((event["boundary"] for event in reversed(list(of(events, "measured")))), {}),
    }


def _audited(event: Event) -> dict[str, Any]:
    """A round's audit of its judge."""
    return {key: event.get(key) for key in AUDIT} | {key: event[key] for key in COMPARED if key in event}


def homes(tests: Sequence[str], tasks: Sequence[str], parts: Sequence[Sequence[str]]) -> list[int]:
    """The day on which each test's task was first learned: by the task's name, by its parts, else by its place."""
    taught = [{task, *taught_parts} for task, taught_parts in zip(tasks, parts, strict=True)]
    by_name = {name: day for day in reversed(range(len(tasks))) for name in taught[day]}
    return [by_name.get(test, min(place, max(len(tasks) - 1, 0))) for place, test in enumerate(tests)]


def night_name(row: dict[str, Any], nights: Table) -> str:
    """A night by its day, counted from 1; with its own number where a day has several."""
    several = any(night["night"] for night in nights)
    return f"{row['day'] + 1}.{row['night'] + 1}" if several else str(row["day"] + 1)


def of(events: list[Event], kind: str, **data: Any) -> Iterator[Event]:
    """The events of a kind whose fields have these values."""
    return (e for e in events if e["event"] == kind and all(e.get(key) == value for key, value in data.items()))


def _seconds(values: Iterable[float]) -> float:
    return round(fsum(values), 3)


def _matrices(events: list[Event], tests: int) -> tuple[list[list[float | None]], list[list[float | None]]]:
    """Scores before and after the sleep of each day; a day without a morning ends as it was after its wake."""
    wakes = {event["day"]: event["scores"] for event in of(events, "evaluated", what="scores", when="wake")}
    mornings = {event["day"]: event["scores"] for event in of(events, "evaluated", what="scores", when="morning")}
    days = range(max([-1, *wakes, *(event["day"] for event in of(events, "woke"))]) + 1)
    before = [wakes.get(day, [None] * tests) for day in days]
    return before, [mornings.get(day, before[day]) for day in days]


def _curves(events: list[Event]) -> Table:
    """The evaluations within days, in order; a step is an optimizer step of the day, from 1."""
    seen = of(events, "evaluated", what="curve")
    return [{"day": event["day"], "step": event["iteration"], "scores": event["scores"]} for event in seen]


def _forward(ahead: list[float | None], untrained: list[float | None], tasks: list[int]) -> float | None:
    """Forward transfer to some tasks, but the first."""
    return metrics.fwt_ahead([ahead[task] for task in tasks], [untrained[task] for task in tasks])


def _ahead(events: list[Event], key: str, tasks: int) -> dict[str, list[float | None]]:
    """What was measured of each task before its day, by kind."""
    table: dict[str, list[float | None]] = {kind: [None] * tasks for kind in AHEAD}
    for event in of(events, "evaluated", what="ahead"):
        for kind in AHEAD:
            table[kind][event["day"]] = event.get(key, {}).get(kind)
    return table


def _nights(events: list[Event]) -> Table:
    """A row a night, its finished rounds within; a night without a morning yet is open (`accepted` is null)."""
    nights: dict[tuple[int, int], dict[str, Any]] = {}
    stages: dict[tuple[int, int, int], dict[str, Event]] = {}
    for event in events:
        if event["event"] == "staged" and event["phase"] == "round":
            stages.setdefault((event["day"], event["night"], event["round"]), {})[event["stage"]] = event
        if event["event"] != "gated":
            continue
        place = (event["day"], event["night"])
        night = nights.setdefault(place, {
            "day": place[0], "night": place[1], "accepted": None, "reason": "",
            "probe_before": event["before"], "probe_after": [], "rounds": [],
        })  # fmt: skip
        if event["kind"] == "morning":
            night |= {"accepted": event["accepted"], "reason": event["reason"],
                      "probe_before": event["before"], "probe_after": event["after"]}  # fmt: skip
        else:
            night["rounds"].append(_round(event, stages.get((*place, event["round"]), {})))
    return list(nights.values())


def _round(gate: Event, stages: dict[str, Event]) -> dict[str, Any]:
    facts = {name: event["facts"] for name, event in stages.items()}
    seconds = {name: round(event["timing"]["seconds"], 3) for name, event in stages.items()}
    counts = facts.get("judge", facts.get("rehearse", {}))
    shares = facts.get("rehearse", {}).get("challenger", {}).get("shares", {})
    return {
        "step": gate["step"],
        "level": facts.get("challenge", {}).get("level", {}),
        "challenged": {family: max(map(int, levels)) for family, levels in shares.items() if levels},
        "dreams": facts.get("dream", {}).get("dreams", counts.get("judged", 0)),
        "accepted": counts.get("accepted", 0),
        "undone": gate["undone"],
        "seconds": seconds,
    }


def _bytes(events: list[Event]) -> dict[str, Any]:
    """What the last commit holds: the mind's weights, and what is kept of the past, which isn't counted twice."""
    last: dict[str, Any] = {}
    for event in of(events, "committed"):
        last = event["metrics"]
    kept = {name: {kind: role.get("memory", {}).get(kind, 0) for kind in MEMORY} for name, role in last.items()}
    memory = {kind: sum(row[kind] for row in kept.values()) for kind in MEMORY}
    weights = sum(max(0, last[name]["bytes"] - sum(kept[name].values())) for name in MIND if name in last)
    return {"weights": weights, "memory": memory}


def _frontier(events: list[Event], parts: Sequence[Sequence[str]], nights: Table) -> dict[str, dict[str, Any]]:
    """Audited frontier of each family: after the wake of the last day that taught it, each morning, and now.

    `dreamed` is the highest level that was challenged in a round that stands (0 where there is none), of nights that were not rolled back:
    what of the frontier lies above it, and above what the days taught, was never trained on.
    """
    seen = list(of(events, "evaluated", what="frontier"))
    days = {event["day"] for event in of(events, "woke")}
    stood = [row["challenged"] for night in nights if night["accepted"] is not False for row in night["rounds"] if not row["undone"]]
    table = {}
    for family in sorted({family for event in seen for family in event["frontier"]}):
        there = [event for event in seen if family in event["frontier"]]
        taught = max((day for day in days if day < len(parts) and family in parts[day]), default=None)
        wakes = [event for event in there if event["when"] == "wake" and event["day"] == taught]
        table[family] = {
            "after_wake": (wakes or there)[0]["frontier"][family],
            "end": there[-1]["frontier"][family],
            "by_night": [event["frontier"][family] for event in there if event["when"] == "morning"],
            "dreamed": max((levels[family] for levels in stood if family in levels), default=0),
        }
    return table
