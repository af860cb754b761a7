"""What the benchmarks against peers count, and how: no other package is needed for it."""

import json
from dataclasses import replace
from random import Random
from xml.etree import ElementTree as ET

import pytest
from benchmarks.peers.__main__ import summed, table
from benchmarks.peers.charts import bad_days, costs
from benchmarks.peers.roster import BAD_DAY, COST, ROSTER
from benchmarks.peers.troubles import TROUBLES, Day, arrivals, found, judged, wholes

from failsoft.faults.fault_grammar import format_fault, parse_fault

DAY = Day(rate=20.0, since=10.0, until=40.0, asked=60.0, watch=170.0)
WHOLE = min(wholes("request 0"))


def result(**what):
    return {"asked": 20.0, "ended": 20.5, "error": None, "shown": WHOLE, **what}


@pytest.mark.parametrize(
    ("what", "kind"),
    [
        ({}, "answered"),
        ({"shown": WHOLE[:50]}, "truncated"),
        ({"shown": ""}, "truncated"),
        ({"shown": "", "error": "OverloadedError: 529"}, "failed"),
        ({"shown": WHOLE[:50], "error": "stream cut"}, "failed"),
        ({"shown": WHOLE[:50] + WHOLE}, "repeated"),
        ({"shown": WHOLE[:50] + WHOLE, "error": "stream cut"}, "repeated"),
        ({"shown": max(wholes("request 1"))}, "repeated"),
        ({"shown": WHOLE[:50], "ended": None}, "waiting"),
    ],
)
def test_what_was_shown_is_judged(what, kind):
    assert judged(0, result(**what)) == kind


def test_each_model_has_an_answer_of_its_own():
    # Else a second model's text could not be told from more of the first one's.
    texts = wholes("request 0")
    assert len(texts) == 6
    assert [one for one in texts if sum(other.startswith(one) for other in texts) > 1] == []


def test_a_trouble_is_summed_up():
    results = [
        result(asked=5.0, ended=5.5),
        result(shown=min(wholes("request 1")), asked=12.0, ended=13.0),
        result(shown="", asked=30.0, ended=None),
        result(shown="", asked=39.0, ended=41.0, error="OverloadedError: 529"),
        result(shown=min(wholes("request 4")), asked=44.0, ended=45.0),
    ]
    journal = [
        {"arrived": at, "question": question}
        for at, question in [
            (5.0, "request 0"),
            (12.0, "request 1"),
            (12.1, "request 1"),
            (30.0, "request 2"),
            (39.0, "request 3"),
            (39.2, "request 3"),
            (39.8, "request 3"),
            (44.0, "request 4"),
        ]
    ]
    told = found(results, journal, DAY)
    assert (told.asked, told.answered) == (3, pytest.approx(1 / 3))
    assert told.p50 == pytest.approx(2.0)
    assert told.p99 is None
    assert told.calls == 6 / 3
    assert told.peak == 3
    assert told.back_seconds == 5.0
    assert told.waiting == 1
    assert told.errors == {"OverloadedError": 1}


def test_nobody_answered_after_the_trouble():
    told = found([result(shown="", ended=None)], [], DAY)
    assert (told.answered, told.back_seconds, told.p50) == (0.0, None, None)


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: trouble.key)
def test_troubles_are_faults_of_the_simulator_with_their_window(trouble):
    script = trouble.script(DAY, lead=2.0)
    faults = [parse_fault(fault) for what in script.values() for fault in what]
    troubled = [fault for fault in faults if fault.name != "latency"]
    assert troubled
    assert {(fault.starts, fault.lasts) for fault in troubled} == {(12.0, 30.0)}
    assert all(parse_fault(format_fault(fault)) == fault for fault in faults)


def test_all_contestants_meet_the_same_arrivals():
    assert arrivals(TROUBLES[0], DAY) == arrivals(TROUBLES[0], DAY)
    assert arrivals(TROUBLES[0], DAY) != arrivals(TROUBLES[1], DAY)
    assert max(arrivals(TROUBLES[0], DAY)) <= DAY.asked


def test_the_cuts_are_a_fifth():
    [cut] = [trouble for trouble in TROUBLES if trouble.key == "cut"]
    spared = 1.0
    for fault in cut.faults["*"]:
        spared *= 1 - parse_fault(fault).rate
    assert 1 - spared == pytest.approx(0.2, abs=0.005)


def test_ratios_are_taken_round_by_round():
    samples = {
        COST[0].name: {1: [(0.001, 0.002), (0.002, 0.004), (0.004, 0.004)]},
        "failsoft ask": {1: [(0.0005, 0.001), (0.001, 0.002), (0.001, 0.002)]},
    }
    rows = summed(samples)
    assert rows["failsoft ask"]["1"] == {
        "cpu_ms": 1.0,
        "wall_ms": 2.0,
        "ratio": 0.5,
        "lower": 0.25,
        "upper": 0.5,
    }
    assert rows[COST[0].name]["1"]["ratio"] == 1.0
    both = {name: {1: loads[1], 100: loads[1]} for name, loads in samples.items()}
    lines = "\n".join(table(summed(both))).split("\n")
    assert [line.count("|") for line in lines] == [8] * 4


def test_the_chart_of_costs_is_well_formed_and_names_everybody():
    rng = Random(0)
    load = {"cpu_ms": 1.0, "wall_ms": 1.0, "lower": 0.4, "upper": 2.0}
    rows = {
        entry.name: {at: {**load, "ratio": rng.uniform(0.4, 5)} for at in ("1", "100")}
        for entry in COST
    }
    assert texts(costs({"plain": rows})) >= {entry.name for entry in COST}


def test_the_chart_of_bad_days_is_well_formed_and_shows_who_still_waits():
    told = found([result(), result(shown="", ended=None)], [], DAY)
    ours = replace(told, p99=0.5, answered=1.0)
    rows = {entry.name: (ours if entry.module == "ask" else told).as_json() for entry in BAD_DAY}
    kept = json.loads(json.dumps({trouble.key: rows for trouble in TROUBLES}))
    shown = texts(bad_days(kept, TROUBLES, DAY))
    assert shown >= {entry.name for entry in BAD_DAY} | {trouble.name for trouble in TROUBLES}
    assert "> 130 s" in shown


def texts(svg):
    root = ET.fromstring(svg)  # noqa: S314 - our own
    lengths = [float(bar.get("width")) for bar in root.iter("{http://www.w3.org/2000/svg}rect")]
    assert all(0 <= length < 2000 for length in lengths)
    return {text.text for text in root.iter("{http://www.w3.org/2000/svg}text")}


def test_names_are_told_apart():
    assert len({entry.name for entry in ROSTER}) == len(ROSTER)
