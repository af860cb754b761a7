"""Whether one failed request held to the four checks: notice, retries, level, metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from failsoft.chaos.simulator import Record
from failsoft.telemetry.events import AttemptFinished, Event, RequestFinished
from failsoft.testing.asking import Reply
from failsoft.testing.cases import Case
from failsoft.testing.leaks import raw_leaks, unfit
from failsoft.testing.report import Finding, Row

__all__ = ["Seen", "judged"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One request as seen from all sides; ``events`` is ``None`` where failsoft is not inside."""

    reply: Reply
    calls: Sequence[Record]
    events: Sequence[Event] | None

    @property
    def ended(self) -> RequestFinished | None:
        """How failsoft says that it ended."""
        found = [event for event in self.events or () if isinstance(event, RequestFinished)]
        return found[-1] if found else None

    @property
    def models(self) -> Counter[str]:
        """How often each model was called."""
        return Counter(call.model or "" for call in self.calls)


def judged(case: Case, seen: Seen) -> Row:
    """The row of this case."""
    inside = seen.events is not None
    return Row(
        name=case.name,
        cells={
            "notice": _notice(case, seen),
            "retried": _retried(case, seen),
            "level": _level(case, seen) if inside else None,
            "metrics": _metrics(case, seen) if inside else None,
        },
        calls=len(seen.calls),
        seconds=seen.reply.seconds,
    )


def _notice(case: Case, seen: Seen) -> list[Finding]:
    where, reply = f"{case.name}, notice", seen.reply
    if reply.problem:
        remedy = "give every call a deadline, and answer in your own words when it has passed"
        return [Finding(where, reply.problem, remedy)]
    if reply.shown and f"You asked: “{case.question}".startswith(reply.shown.strip()):
        what = "a part of an answer is shown as if it were the whole"
        return [Finding(where, what, "treat a stream without its last event as a failure")]
    message = reply.shown.rpartition("\n")[2] if _kept(case, seen) else reply.shown
    words = "write what happened, whose move it is and what to do next, in everyday words"
    found = []
    if problems := unfit(message):
        found.append(Finding(where, "the message " + " and ".join(problems), words))
    if leaks := raw_leaks(reply.raw):
        what = "the reply gives away " + ", ".join(leaks)
        found.append(Finding(where, what, "log it, and leave it out of the reply"))
    told = reply.fields.get("error_category", case.category)
    if told != case.category:
        what = f"it is told as {told!r}, and is {case.category!r}"
        found.append(Finding(where, what, "give failsoft's own category on"))
    return found


def _kept(case: Case, seen: Seen) -> bool:
    """Whether words were shown before the cut, as a stream does."""
    return case.stream and seen.reply.fields.get("type") == "stream_interrupted"


def _retried(case: Case, seen: Seen) -> list[Finding]:
    where, total = f"{case.name}, retried", len(seen.calls)
    most = 1 if _kept(case, seen) else case.most
    model, each = (seen.models.most_common(1) or [("no model", 0)])[0]
    if case.least <= total <= most and each <= case.each:
        return []
    remedy = f"it has to be {case.demand}"
    if total > 1 and most == 1:
        remedy += "; an SDK retries by itself unless max_retries=0"
    if each > case.each:
        return [Finding(where, f"{model} was called {each} times", remedy)]
    return [Finding(where, f"the models were called {total} times", remedy)]


def _level(case: Case, seen: Seen) -> list[Finding]:
    where, ended = f"{case.name}, level", seen.ended
    if ended is None:
        return [_no_end(where)]
    if ended.level == "minimal" or (_kept(case, seen) and ended.interrupted):
        return []
    what = f"it was served at level {ended.level!r} while no model could answer"
    remedy = "look for a prepared or saved answer that fits any question"
    return [Finding(where, what, remedy)]


def _metrics(case: Case, seen: Seen) -> list[Finding]:
    where, ended = f"{case.name}, metrics", seen.ended
    if ended is None:
        return [_no_end(where)]
    attempts = [event for event in seen.events or () if isinstance(event, AttemptFinished)]
    facts = {
        "requests that ended": (_ends(seen), 1),
        "their outcome": (ended.outcome, "error"),
        "their category": (ended.category, case.category),
        "attempts": (len(attempts), len(seen.calls)),
        "attempts without that category": (
            sum(event.category != case.category for event in attempts),
            0,
        ),
    }
    remedy = "ask through one Failsoft, and only through it"
    return [
        Finding(where, f"{name}: counted {counted!r}, not {true!r}", remedy)
        for name, (counted, true) in facts.items()
        if counted != true
    ]


def _ends(seen: Seen) -> int:
    return sum(isinstance(event, RequestFinished) for event in seen.events or ())


def _no_end(where: str) -> Finding:
    return Finding(where, "no request ended", "ask through failsoft, or close what you stream")
