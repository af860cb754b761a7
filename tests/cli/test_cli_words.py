"""The words and pictures that commands print, whatever the terminal."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from failsoft.attempt import Attempt
from failsoft.classify import verdict_for
from failsoft.classify.truth_table import ROWS
from failsoft.cli.narration import WORDS, Narrator, timeline
from failsoft.cli.terminal import duration, printable
from failsoft.engine.answer import Answer, DegradationLevel
from failsoft.telemetry import events

NO_FAILURES = {"success", "cancelled"}
AT = 1_790_000_000.0


def terminal(width: int, encoding: str = "utf-8") -> Console:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="replace")
    return Console(file=file, width=width, force_terminal=True, color_system=None)


def printed(console: Console) -> str:
    console.file.seek(0)
    return console.file.read()


def test_every_reason_has_words():
    reasons = {row.reason for row in ROWS.values()}
    assert reasons - NO_FAILURES <= set(WORDS)
    assert set(WORDS) - NO_FAILURES <= reasons


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 ms"), (0.0124, "12 ms"), (4.06, "4.1 s"), (9.97, "10 s"), (30, "30 s"), (300, "5 min")],
)
def test_durations(seconds, said):
    assert duration(seconds) == said


def test_what_commands_a_terminal_is_taken_out():
    assert printable("a\x1b[31mb\x07\x9b2J\u202ec\r\n\td") == "a[31mb2Jc\n\td"


def attempt(**facts) -> Attempt:
    common = {
        "number": 1,
        "target": "anthropic/claude-opus-5-5",
        "outcome": "failure",
        "verdict": verdict_for("overloaded", http_status=529),
        "started_seconds": 0.0,
        "duration_seconds": 0.1,
        "wait_seconds": 0.0,
        "first_content_seconds": None,
        "shown_chars": 0,
        "sent": "maybe",
        "usage": {},
        "provider_request_id": None,
    }
    return Attempt(**(common | facts))


LEDGER = (
    attempt(),
    attempt(
        number=2,
        target="anthropic/claude-sonnet-5-5",
        outcome="success",
        verdict=None,
        started_seconds=2.1,
        duration_seconds=5.9,
        wait_seconds=2.0,
        first_content_seconds=3.9,
        changes=("max_tokens 9000 → 8192",),
    ),
)


def answer(attempts: tuple[Attempt, ...]) -> Answer:
    return Answer(
        status="success",
        level=DegradationLevel.FULL,
        text="Hi",
        request_id="req_1",
        attempts=attempts,
    )


def drawn(width: int, attempts: tuple[Attempt, ...] = LEDGER, encoding: str = "utf-8") -> str:
    console = terminal(width, encoding)
    console.print(timeline(attempts, console))
    return printed(console)


@pytest.mark.parametrize("width", [20, 40, 80, 120])
def test_a_time_line_fits_its_terminal(width):
    lines = drawn(width).splitlines()
    assert max(map(len, lines)) <= width
    assert ("first words" in lines[0]) == (width >= 80)


def test_a_narrow_time_line_still_says_who_and_what():
    assert "claude-opus-5-5    100 ms  it is overloaded" in drawn(48)


def test_bars_are_to_scale():
    header, first, second = drawn(120).splitlines()
    bars = header.index("· wait")
    assert first[bars:].rstrip() == "━"
    assert second[bars:].rstrip() == "······────────────━━━━━━"
    assert "answered; max_tokens 9000 → 8192" in second


def test_a_time_line_in_plain_letters():
    assert "......------------======" in drawn(120, (LEDGER[1],), "ascii")


def test_a_request_that_took_no_time():
    assert "overloaded" in drawn(120, (attempt(duration_seconds=0.0),))


REQUEST = {"at": AT, "request_id": "req_1"}
TOLD = [
    (events.RequestStarted(**REQUEST, route="chat", stream=True), "a question came in (stream)"),
    (
        events.AttemptFinished(
            **REQUEST,
            target="anthropic/claude-opus-5-5",
            number=1,
            outcome="failure",
            category="transient",
            reason="overloaded",
            fault="provider",
            duration_seconds=0.012,
            first_content_seconds=None,
            detail="\x1b[2J",
        ),
        "claude-opus-5-5 failed after 12 ms: it is overloaded (transient)",
    ),
    (
        events.FellBack(
            **REQUEST,
            route="chat",
            from_target="anthropic/a",
            to_target="anthropic/b",
            reason="overloaded",
        ),
        "went on to b",
    ),
    (
        events.RetryScheduled(**REQUEST, route="chat", wait_seconds=1.5, reason="backoff"),
        "waits 1.5 s before the next try",
    ),
]


def test_a_request_is_told_line_by_line():
    console = terminal(100)
    narrator = Narrator(console)
    for event, _ in TOLD:
        narrator(event)
    lines = printed(console).splitlines()
    begun, *further = [f"#1   {said}" for _, said in TOLD]
    assert [line[9:] for line in lines] == [f"{begun}: {REQUEST['request_id']}", *further]


def finished(**facts) -> events.RequestFinished:
    common = {
        "route": "chat",
        "level": "full",
        "outcome": "success",
        "category": "none",
        "reason": "",
        "fault": "",
        "target": "anthropic/claude-opus-5-5",
        "position": 0,
        "attempts": 2,
        "hops": 1,
        "duration_seconds": 4.1,
    }
    return events.RequestFinished(**REQUEST, **(common | facts))


def breaker(to_state: str, open_seconds: float | None = None) -> events.BreakerChanged:
    return events.BreakerChanged(
        at=AT,
        target="anthropic/claude-opus-5-5",
        from_state="closed",
        to_state=to_state,
        reason="failures in a row",
        open_seconds=open_seconds,
    )


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (finished(), "answered in 4.1 s by claude-opus-5-5, 2 attempts"),
        (finished(outcome="cancelled", target=""), "the caller left after 4.1 s"),
        (
            finished(outcome="error", reason="overloaded", attempts=1),
            "failed after 4.1 s, 1 attempt: it is overloaded; the person got a notice",
        ),
        (
            finished(outcome="error", reason="overloaded", attempts=0),
            (
                "failed after 4.1 s, no model was called: all were left out, the last because it "
                "is overloaded; the person got a notice"
            ),
        ),
        (
            finished(outcome="error", reason="overloaded", attempts=0, back_in_seconds=4.0),
            (
                "failed after 4.1 s, no model was called: all were left out, the last because it "
                "is overloaded; the first may be called again in 4.0 s; the person got a notice"
            ),
        ),
        (
            finished(outcome="error", reason="saturated", attempts=0),
            (
                "failed after 4.1 s, no model was called: too many calls in flight here; "
                "the person got a notice"
            ),
        ),
        (
            breaker("open", 5.2),
            "breaker opened: claude-opus-5-5 is left out for 5.2 s (failures in a row)",
        ),
        (
            breaker("open", float("inf")),
            "breaker opened: claude-opus-5-5 is left out (failures in a row)",
        ),
        (
            events.FaultInjected(
                **REQUEST, target="anthropic/claude-opus-5-5", number=1, reason="overloaded"
            ),
            "claude-opus-5-5 fails on purpose: it is overloaded",
        ),
        (breaker("half_open"), "breaker half open: claude-opus-5-5 is tried with one call"),
        (breaker("closed"), "breaker closed: claude-opus-5-5 is back"),
        (
            events.Benched(
                at=AT,
                scope="target anthropic/claude-opus-5-5",
                kind="bench",
                seconds=30.0,
                reason="requests",
            ),
            "claude-opus-5-5 is left alone for 30 s: too many requests",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_event_is_one_line(event, said):
    console = terminal(200)
    Narrator(console)(event)
    assert printed(console)[14:] == f"{said}\n"


def test_a_success_of_one_attempt_and_a_level_say_nothing():
    console = terminal(100)
    Narrator(console)(
        events.Degraded(**REQUEST, route="chat", level="minimal", reason="overloaded")
    )
    assert printed(console) == ""


def test_requests_are_numbered_and_then_forgotten():
    console = terminal(100)
    narrator = Narrator(console)
    for name in ("a", "b"):
        narrator(events.RequestStarted(at=AT, request_id=name, route="chat", stream=False))
    narrator(events.RetryScheduled(at=AT, request_id="a", route="chat", wait_seconds=1, reason=""))
    narrator(finished())
    numbers = [line.split()[1] for line in printed(console).splitlines()]
    assert numbers == ["#1", "#2", "#1", "answered"]
