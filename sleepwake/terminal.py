"""What a run looks like in a terminal: a progress bar there, plain lines elsewhere, and a table of results at the end."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from sleepwake.journal import Tell
from sleepwake.statistics import ArmResult, Estimate

out = Console(highlight=False)


def _line(event: Mapping[str, Any]) -> str | None:
    """A journal line in words; None for what a person needn't see go by."""
    kind, facts = event["event"], event.get("facts", {})
    place = f"[{event['step']:>3}]"
    if kind == "decided":
        return f"{place} {event['action']}: {event['reason']}"
    if kind == "staged" and event["stage"] == "judge":
        counts = ", ".join(f"{word} {facts[word]}" for word in ("accepted", "rejected", "abstained"))
        return f"{place}   judged {facts['judged']}: {counts}"
    if kind == "evaluated" and event["what"] == "judge" and event["accepted"]:
        return f"{place}   audit: {event['accepted']} accepted, {event['precision']:.3f} of them right"
    if kind == "gated" and event["kind"] == "round":
        return f"{place}   round {'undone' if event['undone'] else 'kept'}: {event['reason']}"
    if kind == "gated":
        return f"{place}   night {'accepted' if event['accepted'] else 'rolled back'}: {event['reason']}"
    if kind == "evaluated" and event["what"] == "scores" and event["when"] != "initial":
        shown = " ".join("  -  " if score is None else f"{score:.3f}" for score in event["scores"])
        return f"{place}   scores after {event['when']}: {shown}"
    if kind == "evaluated" and event["what"] == "frontier":
        return f"{place}   frontier: " + ", ".join(f"{name} {level}" for name, level in event["frontier"].items())
    if kind in ("resumed", "recovered", "interrupted", "failed"):
        return f"{place} {kind} {event.get('error', '')}{'; '.join(event['timing'].get('damaged', []))}".rstrip()
    return None


@contextmanager
def watching(path: Path, commits: int) -> Iterator[Tell]:
    """Tell what happens: a bar of commits on a terminal, plain lines otherwise."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total} commits"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=out, disable=not out.is_terminal, transient=True) as bar:
        task = bar.add_task(path.name, total=commits)

        def tell(event: dict[str, Any]) -> None:
            if (line := _line(event)) is not None:
                out.print(line, markup=False, soft_wrap=True)
            if event["event"] in ("committed", "resumed"):
                bar.update(task, completed=event["step"], total=max(commits, event["step"]))
            if event["phase"]:
                bar.update(task, description=f"{event['phase']} {event['stage'] or ''}".strip())

        yield tell


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", show_edge=False, pad_edge=False)
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index == 0 else "right", overflow="fold")
    return table


def status(path: Path, summary: Mapping[str, Any]) -> None:
    """Where a run stands: the few numbers that matter."""
    table = _table(f"{path}: {summary['status']}", "measure", "value")
    shown = {
        "mean " + summary["metric"] + " over tasks": summary["acc"],
        "over all test items": summary["pooled"],
        "forgetting (RWalk)": summary["forgetting_rwalk"],
    }
    for name, value in shown.items():
        table.add_row(name, "-" if value is None else f"{value:.3f}")
    nights = [night for night in summary["nights"] if night["accepted"] is not None]
    table.add_row("nights accepted", f"{sum(bool(n['accepted']) for n in nights)} of {len(nights)}")
    for family, frontier in summary["frontier"].items():
        table.add_row(f"frontier {family}", f"{frontier['after_wake']} -> {frontier['end']}, dreamed up to {frontier['dreamed']}")
    table.add_row("stored data of earlier days", f"{summary['bytes']['memory']['images']} bytes")
    table.add_row("seconds", f"{summary['wall_s']:.1f}")
    out.print(table)


def result(path: Path, finished: bool, page: Path | None) -> None:
    """The end of a session: the numbers, and what to do next."""
    status(path, json.loads((path / "summary.json").read_text()))
    if page:
        out.print(f"report: {page}", markup=False, soft_wrap=True)
    if not finished:
        out.print(f"go on with: sleepwake resume {path}", markup=False, soft_wrap=True)


def explain(events: Sequence[Mapping[str, Any]]) -> None:
    """Every decision and every gate, with reasons and numbers."""
    for event in events:
        if event["event"] == "decided":
            numbers = ", ".join(f"{key} {value}" for key, value in event["numbers"].items())
            out.print(f"step {event['step']:>3}  {event['action']:<6} {event['reason']}  ({numbers})", markup=False, soft_wrap=True)
        if event["event"] == "gated":
            good = not event["undone"] if event["kind"] == "round" else event["accepted"]
            out.print(
                f"step {event['step']:>3}  {'stands' if good else 'undone'} {event['kind']}: {event['reason']}",
                markup=False,
                soft_wrap=True,
            )


def scores(pairs: Sequence[tuple[str, float | None, float | None]]) -> None:
    """Scores now beside those in the journal."""
    table = _table("scores", "test", "now", "journal")
    for test, now, then in pairs:
        table.add_row(test, *("-" if value is None else f"{value:.6f}" for value in (now, then)))
    out.print(table)


CHANCE = 0.05
"""A gain less likely than this by chance is told from it."""


def boundary(found: Mapping[str, Any]) -> None:
    """What many samples reach by level, before the nights and after, and what that amounts to."""
    table = _table("boundary", "family", "level", f"pass@{found['k']} before", "after", "pass@1 before", "after", "dreamed")
    for family, levels in found["levels"].items():
        for level, row in levels.items():
            shares = (f"{row[key]:.3f}" for key in ("before", "after", "before_1", "after_1"))
            table.add_row(family, level, *shares, "yes" if row["dreamed"] else "never")
    out.print(table)
    for family, told in found["families"].items():
        surely = "told from chance" if told["outside"] and told["mcnemar"] < CHANCE else "not told from chance"
        band = f"{'outside' if told['outside'] else 'within'} the {told['band']:.1f} that sampling the base twice shows"
        chance = f"{surely} ({band}; McNemar's p {told['mcnemar']:.2g})"
        reached = f"of {told['asked']} problems {told['newly']:.1f} newly in reach, {told['lost']:.1f} lost: {chance}"
        parts = f"pass@1 {told['acquired']:+.3f} acquired, {told['sharpened']:+.3f} sharpened"
        before, after = told["cover"]["0.5"]
        covered = f"{before:.3f} -> {after:.3f} of the problems solved by half of the samples"
        out.print(f"{family}: {reached}; {parts}; {covered}")


def sweep(arms: Sequence[ArmResult]) -> None:
    """Each arm: mean with its 95 % interval over seeds, and the paired difference to the first arm."""
    table = _table("sweep", "arm", "n", "mean", "95 %", "- first", "95 %", "s")
    for arm in arms:
        behind = ("-", "-") if arm.behind is None else (f"{arm.behind.mean:+.4f}", _half(arm.behind))
        table.add_row(arm.name, str(len(arm.seeds)), f"{arm.acc.mean:.4f}", _half(arm.acc), *behind, f"{arm.seconds:.0f}")
    out.print(table)
    out.print("n: seeds; - first: difference to the first arm, paired by seed; 95 %: half of the interval of the mean", style="dim")


def _half(estimate: Estimate) -> str:
    return f"± {estimate.half:.4f}" if len(estimate.values) > 1 else "-"


def facts(found: Mapping[str, Any]) -> None:
    """Names and values."""
    table = _table("this machine", "what", "value")
    for name, value in found.items():
        table.add_row(name, str(value))
    out.print(table)


def recipes(about: Mapping[str, str]) -> None:
    """Shipped recipes, one a line."""
    for name, text in about.items():
        out.print(f"{name:<32} {text}", markup=False, soft_wrap=True)
