"""``check_fails_soft``: an application's own endpoint through everything that can go wrong.

After the single failures come checks over several requests: fallback, breaker, and saved answers
before the message.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from typing import Any, Final

from failsoft.telemetry.events import BreakerChanged, CacheLookedUp
from failsoft.testing.app_under_test import Trial, makes
from failsoft.testing.cases import CASES, Case, Seen, judged
from failsoft.testing.check_report import Finding, Report
from failsoft.testing.exchange import Ask, AskFunction

__all__ = [
    "BREAKER",
    "FALLBACK",
    "SAVED",
    "Ladder",
    "acheck_fails_soft",
    "check_fails_soft",
    "fallback",
    "outage",
]


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
    well = await trial.ask(_KNOWN)
    if not well.calls:
        what = f"with every model up no model was called, and the level was {_level(well)!r}"
        remedy = "see that it answers within 3 s here, and asks a model for every question"
        return [Finding(FALLBACK, what, remedy)]
    first = well.calls[0].model or ""
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


_ANY = "What is a mortgage?"
_FINE, _NOT_FINE, _SHOWN = 200, 400, 200
_OURS = Ask(stream="/api/chat/stream")


def check_fails_soft(app: Any, *, ask: Ask | AskFunction = _OURS) -> Report:
    """Run an application through every category of failure, and through a cut stream.

        def test_it_fails_soft():
            check_fails_soft(create_app)

    ``app`` is a function without arguments that makes the ASGI application, called for every
    case with an environment in which the provider is a simulator; an application itself will do
    where it reads the environment in its lifespan. ``ask`` says how it is asked, by default at
    failsoft's own routes. Prints a table, and raises :class:`AssertionError` with a line for each
    thing that did not hold and what to do about it. Takes about 10 s, 20 s where much does not
    hold. Within an event loop, await :func:`acheck_fails_soft`.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(acheck_fails_soft(app, ask=ask))
    raise RuntimeError("in an asynchronous test, await acheck_fails_soft(…) instead")


async def acheck_fails_soft(app: Any, *, ask: Ask | AskFunction = _OURS) -> Report:
    """:func:`check_fails_soft`, to be awaited."""
    inside = await _answers(app, ask)
    if not makes(app):
        await _answers(app, ask, life="started again")
    seen = [(case, await _failed(app, ask, case, inside=inside)) for case in CASES]
    ladder: Ladder = dict.fromkeys((FALLBACK, BREAKER, SAVED))
    if inside:
        ladder |= await _ladder(app, ask, models={call.model for _, e in seen for call in e.calls})
    report = Report(rows=tuple(judged(*each) for each in seen), ladder=ladder)
    print(report)  # noqa: T201 - pytest shows it with -s, and with what failed
    if report.findings:
        lines = "\n".join(f"- {finding}" for finding in report.findings)
        raise AssertionError(f"it does not fail soft:\n{lines}")
    return report


async def _answers(app: Any, ask: Ask | AskFunction, *, life: str = "started") -> bool:
    """Whether failsoft is inside; raises where there is no answer even in good times.

    An application that is given ready-made is started twice: one that answers in its first life
    only would else be taken for one that fails.
    """
    async with Trial.of(app, ask) as trial:
        seen = await trial.ask(_ANY)
        inside = trial.inside
    bad = seen.reply.problem or (seen.reply.status or _FINE) >= _NOT_FINE
    if not bad and seen.calls and seen.reply.shown:
        return inside
    raise AssertionError(
        f"{life}, it does not answer while nothing is wrong, so nothing can be said of failures.\n"
        f"reply: {seen.reply.problem or seen.reply.status} {seen.reply.shown[:_SHOWN]!r}; "
        f"calls to the model: {len(seen.calls)}\n"
        "- is `ask` the way to ask it?\n"
        "- with no call: it read ANTHROPIC_BASE_URL before the check had set it; give "
        "check_fails_soft a function that makes the application, its client included"
    )


async def _failed(app: Any, ask: Ask | AskFunction, case: Case, *, inside: bool) -> Seen:
    async with Trial.of(app, ask, inside=inside, silent=case.silent) as trial:
        trial.break_all(case.fault)
        return await trial.ask(case.question, stream=case.stream)


async def _ladder(app: Any, ask: Ask | AskFunction, models: Collection[str | None]) -> Ladder:
    found: Ladder = {}
    if len(models) > 1:
        async with Trial.of(app, ask, inside=True) as trial:
            found[FALLBACK] = await fallback(trial)
    async with Trial.of(app, ask, inside=True) as trial:
        return found | await outage(trial)
