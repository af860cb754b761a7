"""What goes wrong in a check, and what each failure demands.

A failed request is judged by four checks (notice, retries, level, metrics) and by what its reply
must never leak.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from failsoft.chaos.simulator import JournalRecord
from failsoft.notices.jargon import unfit_words
from failsoft.telemetry.events import AttemptFinished, Event, RequestFinished
from failsoft.testing.check_report import Finding, ReportRow
from failsoft.testing.exchange import AppReply

__all__ = ["CASES", "PLANTED", "Case", "Seen", "judged", "raw_leaks", "unfit"]

PLANTED: Final = "planted-7f3c"
"""Stands in the provider's own words, and so in every text made from its exception."""

_MANY: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A fault of every model, and how often they may be called for one question.

    ``least`` and ``most`` are calls in all, ``each`` those to one model, ``each_api`` those in
    one dialect, which has one key. ``demand`` says it in words. ``stream`` is asked over the
    stream where there is one; ``silent`` is a fault that only a timer ends.
    """

    name: str
    category: str
    fault: str
    question: str
    demand: str
    least: int = 1
    most: int = _MANY
    each: int = _MANY
    each_api: int = _MANY
    stream: bool = False
    silent: bool = False


CASES: Final = (
    Case(
        name="transient",
        category="transient",
        fault=f"529;message=Overloaded {PLANTED}",
        question="Which papers does a mortgage need?",
        demand=f"tried again, here or with another model, and at most {_MANY} times",
        least=2,
    ),
    Case(
        name="rate_limited",
        category="rate_limited",
        fault=f"429;retry_after=30;message=Too many requests {PLANTED}",
        question="How is interest on savings taxed?",
        demand="no model called again before the 30 s that the provider asked for",
        each=1,
    ),
    Case(
        name="timeout",
        category="timeout",
        fault="hang",
        question="When does the branch in the old town open?",
        demand="no silent model called more than twice",
        each=2,
        silent=True,
    ),
    Case(
        name="content_policy",
        category="content_policy",
        fault="content_filter",
        question="Is there a fee for cash abroad?",
        demand="called once: the same words are refused again",
        most=1,
    ),
    Case(
        name="auth_error",
        category="auth_error",
        fault="bad_key",
        question="Can two people share one account?",
        demand="called once with each key: it stays wrong",
        each_api=1,
    ),
    Case(
        name="permanent",
        category="permanent",
        fault=f"400;message=messages: unexpected value {PLANTED}",
        question="Who signs for a minor?",
        demand="called once: the same request stays wrong",
        most=1,
    ),
    Case(
        name="unknown",
        category="unknown",
        fault="html;status=200",
        question="What does a standing order cost?",
        demand="no model called more than twice",
        each=2,
    ),
    Case(
        name="cut stream",
        category="transient",
        fault="cut;after=3",
        question="How long does a transfer to Norway take?",
        demand=f"called at most {_MANY} times, and once where words were shown",
        stream=True,
    ),
)


_LEAST_CHARACTERS: Final = 20

_RAW: Final[dict[str, re.Pattern[str]]] = {
    "the provider's own words": re.compile(re.escape(PLANTED)),
    "the name of the provider or a model": re.compile(r"(?i)anthropic|openai|(claude|gpt)-[\w.-]+"),
    "the provider's error type": re.compile(
        r"\b(overloaded|rate_limit|authentication|invalid_request|api)_error\b"
    ),
    "the provider's request id": re.compile(r"\breq_011C\w+"),
    "the text of an exception": re.compile(
        r"Traceback \(most recent|Error code: \d|\b[A-Z]\w+(Error|Exception)\b|<html"
        r"|Connection error\.|Request timed out"
    ),
    "a key": re.compile(r"(?i)x-api-key|\bsk-ant"),
}


def raw_leaks(raw: str) -> list[str]:
    """The internals in the bytes of a reply, each kind once."""
    found = ((kind, pattern.search(raw)) for kind, pattern in _RAW.items())
    return [f"{kind} ({match[0]!r})" for kind, match in found if match]


def unfit(shown: str) -> list[str]:
    """What a message in English has that makes it unfit for a person, each kind once."""
    if len(shown.strip()) < _LEAST_CHARACTERS:
        return [f"is no message, only {shown.strip()!r}"]
    found: dict[str, str] = {}
    for kind, words in unfit_words(shown, language="en"):
        found.setdefault(kind, words)
    return [f"has {kind} ({words!r})" for kind, words in found.items()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One request as seen from all sides; ``events`` is ``None`` where failsoft is not inside."""

    reply: AppReply
    calls: Sequence[JournalRecord]
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


def judged(case: Case, seen: Seen) -> ReportRow:
    """The row of this case."""
    inside = seen.events is not None
    return ReportRow(
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
    by_api = max(Counter(call.path for call in seen.calls).values(), default=0)
    if case.least <= total <= most and each <= case.each and by_api <= case.each_api:
        return []
    remedy = f"it has to be {case.demand}"
    if by_api > 1 and 1 in {most, case.each_api}:
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
