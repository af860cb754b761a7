"""What holds over several requests: fallback, breaker, and saved answers before the message."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from failsoft.telemetry.events import BreakerChanged, CacheLookedUp
from failsoft.testing.judge import Seen
from failsoft.testing.report import Finding
from failsoft.testing.trial import Trial

__all__ = ["BREAKER", "FALLBACK", "SAVED", "Ladder", "fallback", "outage"]

BREAKER: Final = "the breaker opened in a lasting outage"
FALLBACK: Final = "another model answered when the first failed"
SAVED: Final = "a saved answer came before the message"

_OUTAGE: Final = "529"
_KNOWN: Final = "What papers do I need for a home loan?"
_OTHER: Final = "May I pay a foreign bill in cash?"

# At two calls a model for each question, ten failures in a row are five questions.
_QUESTIONS: Final = 30
_LOOKS: Final = 10
_LOOK_SECONDS: Final = 0.1

Found = list[Finding] | None
Ladder = dict[str, Found]
"""By its name what was found; ``None`` is what could not be seen."""


async def fallback(trial: Trial) -> Found:
    """Take down the model that is asked first."""
    calls = (await trial.ask(_KNOWN)).calls
    first = calls[0].model or ""
    trial.break_one(first, _OUTAGE)
    seen = await trial.ask(_OTHER)
    ended = seen.ended
    if ended is not None and ended.outcome == "success" and ended.level == "full":
        return []
    what = f"with {first} down the level was {_level(seen)!r}"
    return [
        Finding(FALLBACK, what, "let the chain and allowed_models of the route name two models")
    ]


async def outage(trial: Trial) -> Ladder:
    """Have an answer saved, take down every model, and go on asking."""
    await trial.ask(_KNOWN)
    await asyncio.sleep(_LOOK_SECONDS)
    trial.break_all(_OUTAGE)
    opened = await _until(trial, _QUESTIONS, _OTHER, _is_open)
    return {BREAKER: _breaker(opened), SAVED: await _saved(trial)}


def _is_open(seen: Seen) -> bool:
    return not seen.calls


def _breaker(seen: list[Seen]) -> Found:
    events = [event for one in seen for event in one.events or ()]
    opened = any(isinstance(e, BreakerChanged) and e.to_state == "open" for e in events)
    if opened and _is_open(seen[-1]):
        return []
    what = f"after {len(seen)} questions in a row that failed, the models were still called"
    return [Finding(BREAKER, what, "look at the settings under [breaker]; is metrics_only on?")]


async def _saved(trial: Trial) -> Found:
    asked = await _until(trial, _LOOKS, _KNOWN, _is_saved)
    last = asked[-1]
    if not any(isinstance(event, CacheLookedUp) for event in last.events or ()):
        return None
    if _is_saved(last):
        return []
    what = f"a question answered before was served at level {_level(last)!r}"
    remedy = "look at [cache] and at `cache` of the route; a principal who changes has none"
    return [Finding(SAVED, what, remedy)]


def _level(seen: Seen) -> str:
    return seen.ended.level if seen.ended else "none"


def _is_saved(seen: Seen) -> bool:
    return seen.ended is not None and seen.ended.level == "cached"


async def _until(
    trial: Trial, times: int, question: str, holds: Callable[[Seen], Any]
) -> list[Seen]:
    seen: list[Seen] = []
    for _ in range(times):
        seen.append(await trial.ask(question))
        if holds(seen[-1]):
            break
    return seen
