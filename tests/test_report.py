"""The summary's contract, worked by hand on a small journal; the page: self-contained, deterministic, safe, complete."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from sleepwake import charts, report
from sleepwake.report import render, summarise
from sleepwake.summary import homes

RECIPE = {"name": "hand", "seed": 3, "domain": {"type": "vision"}}
Events = list[dict[str, Any]]


class Script:
    """Writes journal lines as the orchestrator does: fields that don't apply are null."""

    def __init__(self) -> None:
        self.events: Events = []
        self.place: dict[str, Any] = {}

    def at(self, step: int, phase: str | None = None, day: int | None = None, night: int | None = None, round: int | None = None) -> None:
        self.place = {"step": step, "day": day, "night": night, "round": round, "phase": phase}

    def __call__(self, event: str, timing: dict[str, float] | None = None, stage: str | None = None, **data: Any) -> None:
        line = {"seq": len(self.events), "event": event} | self.place | {"stage": stage} | data
        self.events.append(line | {"timing": {"at": "2026-01-01T00:00:00.000+00:00"} | (timing or {})})

    def scores(self, when: str, *scores: float | None) -> None:
        self("evaluated", what="scores", when=when, scores=list(scores))

    def commit(self, seconds: float, roles_s: float) -> None:
        memory = {"images": 10, "generator": 300, "adapters": 0, "snapshots": 0}
        metrics = {
            "learner": {"bytes": 1000, "memory": {"weights": 1000}},
            "dreamer": {"bytes": 350, "memory": memory | {"images": 0}},
            "judge": {"bytes": 500},
            "memory": {"bytes": 10, "memory": {"images": 10}},
            "probes": {"bytes": 77},
        }
        self("committed", metrics=metrics, timing={"seconds": seconds, "roles_s": roles_s})


def probes(*scores: float) -> list[dict[str, Any]]:
    return [{"task": f"{2 * i}-{2 * i + 1}", "score": score, "n": 50} for i, score in enumerate(scores)]


def round_of(note: Script, step: int, place: tuple[int, int, int], undone: bool, before: Any, after: Any, **shown: Any) -> None:
    note.at(step, "round", *place)
    note("decided", action="round", reason="rounds pay", numbers={"gain": 0.5}, pressure=0.0)
    note("staged", stage="challenge", timing={"seconds": 0.1}, facts={"challenges": 4, "level": {"distance": 0.25}})
    note("staged", stage="dream", timing={"seconds": 0.5}, facts={"dreams": 40, "samples": 40})
    counts = {"judged": 40, "accepted": 30, "rejected": 6, "abstained": 4}
    note("staged", stage="judge", timing={"seconds": 0.25}, facts=counts, **{"pictures": [], "examples": []} | shown)
    audit = {"judge": "second", "judged": 40, "accepted": 30, "precision": 0.9, "recall": None, "abstained": 4}
    note("evaluated", what="judge", **audit)
    note("staged", stage="rehearse", timing={"seconds": 0.75}, facts={"steps": 9, "level": {"distance": 0.5}})
    note("gated", kind="round", undone=undone, reason="lost: 0-1" if undone else "no probe fell", before=before, after=after)
    note.commit(2.0, 1.75)


def morning_of(note: Script, step: int, place: tuple[int, int], accepted: bool, before: Any, after: Any, *scores: float | None) -> None:
    note.at(step, "consolidate", *place)
    note("decided", action="close", reason="rounds are over", numbers={}, pressure=0.0)
    note("staged", stage="consolidate", timing={"seconds": 0.5}, facts={"steps": 3})
    note.commit(0.75, 0.5)
    note.at(step + 1, "morning", *place)
    note("decided", action="close", reason="rounds are over", numbers={}, pressure=0.0)
    note("gated", kind="morning", accepted=accepted, reason="no probe fell" if accepted else "lost: 2-3", before=before, after=after)
    note("evaluated", what="gate", agrees=accepted)
    note.scores("morning", *scores)
    note.commit(0.25, 0.25)


def hand(**shown: Any) -> Events:
    """Three tasks: a night of two rounds after day 1, no night after day 2, a rolled-back night after day 3."""
    note = Script()
    note.at(0)
    names = ["0-1", "2-3", "4-5"]
    note("started", recipe="hand", domain="vision", seed=3, tasks=names, tests=names, test_sizes=[10, 10, 20], metric="accuracy",
         labels="seen", task_parts=[["0", "1"], ["2", "3"], ["4", "5"]], timing={"startup_s": 1.5})  # fmt: skip
    note.scores("initial", 0.1, 0.2, 0.0)
    for day, row in enumerate([[0.8, None, None], [0.7, 0.9, None], [0.6, 0.8, 1.0]]):
        note.at((1, 6, 7)[day], "wake", day)
        note("decided", action="wake", reason="the next task", numbers={"left": 3 - day}, pressure=0.0)
        ahead = {"gem": 0.0, "masked": 0.5, "remap": None, "probe": 0.75, "speed": None}
        if day:
            note("evaluated", what="ahead", ahead=ahead, untrained={"gem": 0.25 * day, "masked": 0.5, "probe": 0.5})
        note("woke", task=names[day], facts={"learn": {"steps": 5}, "judge": {}, "fit": {}, "store": {}})
        note.scores("wake", *row)
        note.commit(4.0, 3.5)
        if day == 0:
            round_of(note, 2, (0, 0, 0), True, probes(0.8), probes(0.6), **shown)
            round_of(note, 3, (0, 0, 1), False, probes(0.8), probes(0.84))
            morning_of(note, 4, (0, 0), True, probes(0.8), probes(0.86), 0.9, None, None)
            note.at(5)
            note("interrupted")
            note("resumed", timing={"startup_s": 2.0})
        if day == 2:
            round_of(note, 8, (2, 0, 0), False, probes(0.7, 0.8, 1.0), probes(0.7, 0.8, 1.0))
            morning_of(note, 9, (2, 0), False, probes(0.7, 0.8, 1.0), probes(0.7, 0.6, 1.0), 0.6, 0.8, 1.0)
    note.at(10)
    note("decided", action="stop", reason="every task was learned", numbers={}, pressure=0.0)
    note("finished", reason="every task was learned")
    return note.events


def row_of(step: int, undone: bool) -> dict[str, Any]:
    seconds = {"challenge": 0.1, "dream": 0.5, "judge": 0.25, "rehearse": 0.75}
    return {"step": step, "level": {"distance": 0.25}, "challenged": {}, "dreams": 40, "accepted": 30, "undone": undone, "seconds": seconds}


def test_summary_by_hand():
    audit = {"judge": "second", "judged": 40, "accepted": 30, "precision": 0.9, "recall": None, "abstained": 4}
    after = [[0.9, None, None], [0.7, 0.9, None], [0.6, 0.8, 1.0]]
    expected = {
        "format": 1, "recipe": "hand", "recipe_sha256": "cafe", "domain": "vision", "seed": 3, "status": "done",
        # three wakes, three rounds, two consolidations, two mornings
        "wall_s": 3 * 4.0 + 3 * 2.0 + 2 * 0.75 + 2 * 0.25, "startup_s": 3.5, "orchestration_s": 3 * 0.5 + 3 * 0.25 + 2 * 0.25,
        "tasks": ["0-1", "2-3", "4-5"], "tests": ["0-1", "2-3", "4-5"], "metric": "accuracy", "labels": "seen",
        "initial": [0.1, 0.2, 0.0],
        "ahead": {"gem": [None, 0.0, 0.0], "masked": [None, 0.5, 0.5], "remap": [None] * 3, "probe": [None, 0.75, 0.75],
                  "speed": [None] * 3},
        "ahead_untrained": {"gem": [None, 0.25, 0.5], "masked": [None, 0.5, 0.5], "remap": [None] * 3, "probe": [None, 0.5, 0.5],
                            "speed": [None] * 3},
        # gem: (0 - 0.25) + (0 - 0.5) over 2
        "fwt_gem": pytest.approx(-0.375), "fwt_masked": 0.0, "fwt_remap": None, "fwt_probe": pytest.approx(0.25), "fwt_speed": None,
        "curves": [], "aaa": None, "min_acc": None, "wc_acc": None, "draws": [],
        "before_sleep": [[0.8, None, None], [0.7, 0.9, None], [0.6, 0.8, 1.0]], "after_sleep": after, "matrix": after,
        "acc": pytest.approx(0.8), "pooled": pytest.approx((6 + 8 + 20) / 40), "aia": pytest.approx((0.9 + 0.8 + 0.8) / 3),
        # (0.6 - 0.9) + (0.8 - 0.9) over 2
        "bwt_gem": pytest.approx(-0.2), "forgetting_rwalk": pytest.approx(0.2),
        "nights": [
            {"day": 0, "night": 0, "accepted": True, "reason": "no probe fell", "probe_before": probes(0.8),
             "probe_after": probes(0.86), "rounds": [row_of(2, True), row_of(3, False)]},
            {"day": 2, "night": 0, "accepted": False, "reason": "lost: 2-3", "probe_before": probes(0.7, 0.8, 1.0),
             "probe_after": probes(0.7, 0.6, 1.0), "rounds": [row_of(8, False)]},
        ],
        # learner 1000, judge 500, dreamer 350 of which the generator that replays is memory; kept probes and images are no weights
        "bytes": {"weights": 1550, "memory": {"images": 10, "generator": 300, "adapters": 0, "snapshots": 0}, "run_folder": 4321},
        "frontier": {}, "boundary": {}, "gate_audit": {"nights": 2, "agrees": 1},
        "judge_audit": [{"day": day, "night": 0, "round": number, "goodhart": None} | audit for day, number in ((0, 0), (0, 1), (2, 0))],
    }  # fmt: skip
    summary = summarise(hand(), RECIPE, "cafe", 4321)
    assert summary == expected
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary


def with_curves() -> Events:
    """The same run, scored twice within days 1 and 3 and once within day 2."""
    scored = {0: [[0.4, None, None], [0.8, None, None]], 1: [[0.3, 0.5, None]], 2: [[0.5, 0.9, 0.2], [0.7, 0.9, 0.8]]}
    events = []
    for event in hand():
        if event["event"] == "woke":
            for place, row in enumerate(scored[event["day"]]):
                events.append(event | {"event": "evaluated", "what": "curve", "iteration": 2 + 2 * place, "scores": row})
        events.append(event)
    return events


def test_anytime_metrics_by_hand():
    summary = summarise(with_curves(), RECIPE, "", 0)
    assert summary["curves"][2:4] == [
        {"day": 1, "step": 2, "scores": [0.3, 0.5, None]}, {"day": 2, "step": 2, "scores": [0.5, 0.9, 0.2]},
    ]  # fmt: skip
    # A_t = 0.4, 0.8, (0.3 + 0.5) / 2, (0.5 + 0.9 + 0.2) / 3, (0.7 + 0.9 + 0.8) / 3
    assert summary["aaa"] == pytest.approx((0.4 + 0.8 + 0.4 + 1.6 / 3 + 0.8) / 5)
    # test 1 was at 0.3 on day 2, test 2 at 0.8 after day 3; by the ends of days alone test 1's worst would be 0.6
    assert summary["min_acc"] == pytest.approx((0.3 + 0.8) / 2)
    assert summary["wc_acc"] == pytest.approx(1 / 3 * 1.0 + 2 / 3 * 0.55)
    without = summarise(hand(), RECIPE, "", 0)
    changed = {key for key in summary if summary[key] != without[key]}
    assert changed == {"curves", "aaa", "min_acc", "wc_acc"}, "curves change nothing else"


def test_page_draws_curves_and_names_the_label_set(tmp_path):
    html = page(with_curves(), tmp_path)
    assert "Score within days" in html
    assert "optimizer step, all days in order" in html
    assert "WC-ACC" in html
    assert html.count("all classes learned so far") == 5, "beside the mean, the matrices, the curves, forward transfer, and the metrics"
    assert "(50.0" in html, "the untrained model's score"
    assert "Score within days" not in page(hand(), tmp_path)


def frontier(note: Script, when: str, **levels: int) -> None:
    note("evaluated", what="frontier", when=when, frontier=levels)


def test_frontier_counts_from_the_last_day_that_taught_a_family():
    note = Script()
    note.at(0)
    note("started", tasks=["a", "b", "a again"], tests=["copy", "sort"], test_sizes=[5, 5], metric="exact match", labels="",
         task_parts=[["copy"], ["sort"], ["copy"]])  # fmt: skip
    for day, (wake, morning) in enumerate([({"copy": 4}, {"copy": 6}), ({"copy": 5, "sort": 3}, {"copy": 5, "sort": 7})]):
        note.at(2 * day + 1, "wake", day)
        note("woke", task="x", facts={})
        frontier(note, "wake", **wake)
        note.at(2 * day + 2, "morning", day, 0)
        frontier(note, "morning", **morning)
    summary = summarise(note.events, RECIPE, "", 0)
    expected = {
        "copy": {"after_wake": 4, "end": 5, "by_night": [6, 5], "dreamed": 0},
        "sort": {"after_wake": 3, "end": 7, "by_night": [7], "dreamed": 0},
    }
    assert summary["frontier"] == expected
    note.at(5, "wake", 2)
    note("woke", task="a again", facts={})
    frontier(note, "wake", copy=8, sort=6)
    again = summarise(note.events, RECIPE, "", 0)["frontier"]
    assert again["copy"] == {"after_wake": 8, "end": 8, "by_night": [6, 5], "dreamed": 0}
    assert again["sort"] == {"after_wake": 3, "end": 6, "by_night": [7], "dreamed": 0}


def test_what_was_dreamed_of_the_frontier_leaves_out_what_was_undone_or_rolled_back():
    """A ladder also challenges levels above its own."""
    note = Script()
    note.at(0)
    note("started", tasks=["a"], tests=["copy"], test_sizes=[5], metric="exact match", labels="", task_parts=[["copy"]])
    for night, (levels, accepted) in enumerate([([(5, False), (7, False), (9, True)], True), ([(12, False)], False)]):
        for number, (level, undone) in enumerate(levels):
            note.at(number + 1, "round", 0, night, number)
            note("staged", stage="challenge", timing={"seconds": 0.1}, facts={"level": {"copy": level - 1}})
            shares = {"copy": {str(level - 1): 0.5, str(level): 0.25}, "sum": {}}
            note("staged", stage="rehearse", timing={"seconds": 0.1}, facts={"challenger": {"shares": shares}})
            note("gated", kind="round", undone=undone, reason="", before=[], after=[])
        note.at(9, "morning", 0, night)
        note("gated", kind="morning", accepted=accepted, reason="", before=[], after=[])
        frontier(note, "morning", copy=8)
    assert summarise(note.events, RECIPE, "", 0)["frontier"]["copy"]["dreamed"] == 7


def test_homes_by_name_then_by_part_then_by_place():
    assert homes(["0-1", "2-3"], ["0-1", "2-3"], [["0", "1"], ["2", "3"]]) == [0, 1]
    assert homes(["copy", "sort"], ["both", "copy"], [["copy", "sort"], ["copy"]]) == [0, 0]
    assert homes(["x", "y", "z"], ["a", "b"], [[], []]) == [0, 1, 1]


@pytest.mark.parametrize(
    ("last", "status"), [("finished", "done"), ("failed", "failed"), ("interrupted", "interrupted"), ("resumed", "running")]
)
def test_status_is_the_last_word(last, status):
    events = [*hand()[:-1], {"event": last, "step": 9, "error": "", "timing": {}}]
    assert summarise(events, RECIPE, "", 0)["status"] == status


def test_every_beginning_of_a_journal_has_a_summary():
    whole, keys = hand(), None
    for end in range(len(whole) + 1):
        summary = summarise(whole[:end], RECIPE, "", 0)
        json.dumps(summary, allow_nan=False)
        assert keys in (None, list(summary))
        keys = list(summary)
    open_night = summarise(whole[: next(i for i, e in enumerate(whole) if e["event"] == "gated") + 1], RECIPE, "", 0)["nights"]
    assert open_night == [{"day": 0, "night": 0, "accepted": None, "reason": "", "probe_before": probes(0.8), "probe_after": [],
                           "rounds": [row_of(2, True)]}]  # fmt: skip


def page(events: Events, folder: Path) -> str:
    return render(summarise(events, RECIPE, "cafe", 4321), events, folder)


def test_page_shows_what_there_is_and_needs_nothing_else(tmp_path):
    (tmp_path / "run" / "pictures").mkdir(parents=True)
    Image.new("L", (4, 4)).save(tmp_path / "run" / "pictures" / "00002-a.png")
    Image.new("L", (4, 4)).save(tmp_path / "outside.png")
    shown = {
        "pictures": [{"file": "pictures/00002-a.png", "caption": "accepted 3"}, {"file": "pictures/gone.png", "caption": "gone"},
                     {"file": "../outside.png", "caption": "outside"}],
        "examples": [{"problem": "<script>alert(1)</script>", "answer": "$\\frac", "reward": 0.5, "reason": "two cuts differ"}],
    }  # fmt: skip
    html = page(hand(**shown), tmp_path / "run")
    for heading in ("Scores before sleep", "Scores after sleep", "Score over time", "Before and after each night", "Dreams",
                    "Change of probe", "How good was the judge", "Decisions", "Seconds by stage", "Before a task"):  # fmt: skip
        assert heading in html
    assert html.count("data:image/png;base64,") == 1
    assert "accepted 3" in html
    assert "gone" not in html
    assert "outside" not in html
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert not re.search(r'(src|href|action)\s*=\s*"(?!data:image/png|#)', html), "nothing is fetched"
    assert "url(http" not in html
    assert "@import" not in html
    assert html == page(hand(**shown), tmp_path / "run"), "equal journals give equal pages"


def test_page_leaves_out_what_does_not_apply(tmp_path):
    events = hand()
    start = events[:2]
    html = page(start, tmp_path)
    for heading in ("What is known", "The frontier", "Difficulty", "Dreams", "Nights and their gates", "Decisions", "Before a task"):
        assert f"<h2>{heading}" not in html
    assert "running" in html
    failed = page([*events[:12], {"event": "failed", "step": 1, "error": "no <space> left", "timing": {}}], tmp_path)
    assert "no &lt;space&gt; left" in failed


def test_page_of_levels(tmp_path):
    note = Script()
    note.at(0)
    note("started", tasks=["copy"], tests=["copy"], test_sizes=[5], metric="exact match", labels="", task_parts=[["copy"]])
    note.at(1, "wake", 0)
    note("decided", action="wake", reason="low", numbers={"pressure": 0.1, "by": {"copy": 1.0}, "all": [1, 2]}, pressure=0.1)
    note("woke", task="copy", facts={})
    note.scores("wake", 0.5)
    frontier(note, "wake", copy=4)
    round_of(note, 2, (0, 0, 0), False, probes(0.8), probes(0.84))
    morning_of(note, 3, (0, 0), True, [], [], 0.75)
    frontier(note, "morning", copy=13)
    summary = summarise(note.events, RECIPE, "", 0)
    told = {
        "newly": 12.5,
        "lost": 0.0,
        "band": 0.0,
        "outside": True,
        "mcnemar": 0.0002,
        "acquired": 0.25,
        "sharpened": -0.01,
        "cover": {"0.5": [0.125, 0.375]},
    }
    levels = {"copy": {"7": {"before": 0.0, "after": 0.5}}}
    summary["boundary"] = {"k": 256, "n": 512, "problems": 100, "levels": levels, "families": {"copy": told}}
    html = render(summary, note.events, tmp_path)
    for told in (
        "4 → 13",
        "Frontier of each family",
        "Sleep pressure",
        "Was it out of reach before?",
        "12.5 newly in reach, 0.0 lost",
        "+0.250",
        "Half of the samples solve 12.5\u00a0% of the problems before, 37.5\u00a0% after.",
        "McNemar's p 0.0002: told from chance)",
    ):
        assert told in html
    del summary["boundary"]["families"]["copy"]["mcnemar"]
    assert "sampling the base twice would show)" in render(summary, note.events, tmp_path), "of a run that earlier code measured"


def test_charts_stand_many_columns_odd_names_and_gaps():
    names = [f"task ${i} _ñ 数" for i in range(30)]
    matrix = [[None if j > i else 0.5 for j in range(30)] for i in range(30)]
    drawn = [
        charts.heat_map(matrix, names, names),
        charts.judge([("1", None, None, 0.0)]),
        charts.changes([[0.0, None]], ["a"], ["1·1", "1·m"], [False, True]),
        charts.by_night([("1", 1.0, 1.0, True)], "x"),
        charts.levels({}, {name: [(1, 0.5), (2, 0.25)] for name in names}, [(1, 2)], "difficulty"),
        charts.seconds({}),
        charts.curves([{"step": 5, "mean": None, "scores": [None] * 30}], names, [(name, 10 * i, 10) for i, name in enumerate(names)], "x"),
        charts.curves([{"step": 5, "mean": 0.5, "scores": [0.5]}], ["a $b"], [("a $b", 0, 5)], "x"),
    ]
    assert all(svg.startswith("<svg") and svg.endswith("</svg>") for svg in drawn)
    assert all(name in drawn[0] for name in names[::2])


@pytest.mark.parametrize(("value", "told"), [(None, "–"), (0.05, "+5.0\u00a0pts"), (-0.05, "−5.0\u00a0pts"), (-1e-9, "0.0\u00a0pts")])
def test_points(value, told):
    assert report.points(value) == told


def test_numbers_as_people_write_them():
    assert [report.duration(s) for s in (4.25, 59.99, 61, 3725)] == ["4.2\u00a0s", "60.0\u00a0s", "1 min 01 s", "1 h 02 min"]
    assert [report.size(n) for n in (0, 999, 1500, 123_456, 2_500_000, 5e9)] == ["0 B", "999 B", "1.5 kB", "123 kB", "2.5 MB", "5.00 GB"]
    assert report.number({"a": 0.123456, "b": [1, None]}) == "a 0.1235, b 1, –"


def test_report_starts_fast():
    code = "import sys, sleepwake.report; print([m for m in ('torch', 'matplotlib', 'jinja2', 'numpy') if m in sys.modules])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


def test_a_sweep_page_shows_every_arm_and_equal_ledgers_give_equal_pages() -> None:
    from sleepwake import statistics, sweep_page

    def line(arm: str, seed: int, acc: float) -> dict[str, object]:
        return {"arm": arm, "seed": seed, "summary": {"acc": acc, "wall_s": 2.0, "matrix": [[0.9, None], [acc, acc]]}}

    lines = [line("one", seed, 0.9 + seed / 100) for seed in range(3)] + [line("<two>", seed, 0.8 + seed / 100) for seed in range(3)]
    arms = statistics.results(lines)
    page = sweep_page.render("a sweep", arms)
    assert "&lt;two&gt;" in page
    assert "<b>-10.00</b>" in page, "the paired difference is the same in all seeds: its interval leaves zero out"
    assert page.count("<svg") == 2
    assert "//" not in page.replace("http://www.w3.org/", ""), "nothing is fetched"
    assert sweep_page.render("a sweep", statistics.results(lines)) == page


def test_the_goodhart_gap_is_pooled_over_what_was_judged(tmp_path):
    audits = [
        {"judged": 30, "accepted": 10, "precision": 0.9, "goodhart": 0.1},
        {"judged": 10, "accepted": 30, "precision": 0.5, "goodhart": -0.1},
        {"judged": 0, "accepted": 0, "precision": None, "goodhart": None},
    ]
    told = report._precision(audits)
    assert told["accepted"] == 40
    assert told["value"] == pytest.approx(0.6)
    assert told["gap"] == pytest.approx(0.05)
    assert report._precision([{"judged": 4, "accepted": 1, "precision": 1.0}])["gap"] is None
