"""A scenario, replies and results to try the parts of a drill on."""

from __future__ import annotations

import tomllib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from aiohttp import web

from failsoft.chaos.drills import Result, Scenario
from failsoft.chaos.drills.load import LoadReply
from failsoft.chaos.drills.results import CallRecord, Played, measure
from failsoft.chaos.drills.scenario import judge
from failsoft.chaos.drills.scenario_files import parse_scenario

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

SMALL = """
name = "small"
about = "Calls are turned away for a second."
recovers_at = 2

[load]
rate = 20
seconds = 3
streams = 0.5
doubled = 0.2
known = 0.2

[[step]]
at = 1
label = "down"
model = "*"
faults = ["529"]

[[step]]
at = 2
label = "up"
model = "*"
faults = []

[thresholds]
raw_errors = { at_most = 0 }
"""
LEFT: dict[str, float | None] = {
    "held_back": 0.0,
    "in_flight_left": 0.0,
    "memory_growth_mb": None,
    "descriptors_left": None,
}


def scenario(text: str = SMALL, **changed: Any) -> Scenario:
    return replace(parse_scenario(tomllib.loads(text), where="small.toml"), **changed)


def reply(**fields: Any) -> LoadReply:
    usual = {"question": 0, "stream": False, "asked_s": 0.0, "ended_s": 1.0, "level": "full"}
    return LoadReply(**{**usual, **fields})


def call(at: float, question: int | None = 0, *, whole: bool = True) -> CallRecord:
    return CallRecord(at=at, question=question, whole=whole)


def result(
    replies: list[LoadReply], calls: list[CallRecord] | None = None, of: Scenario | None = None
) -> Result:
    of = of or scenario()
    played = [Played(at=step.at, step=step) for step in of.steps]
    figures = measure(of, played, replies, calls) | LEFT
    return Result(
        scenario=of,
        where="processes of its own",
        began_at=1_790_000_000.0,
        replies=replies,
        calls=calls,
        played=played,
        figures=figures,
        verdicts=judge(of.thresholds, figures),
    )


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_post("/api/{kind:.*}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.05)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
