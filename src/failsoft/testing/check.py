"""``check_fails_soft``: an application's own endpoint through everything that can go wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any

from failsoft.testing.asking import Ask, AskFunction
from failsoft.testing.cases import CASES, Case
from failsoft.testing.judge import Seen, judged
from failsoft.testing.ladder import BREAKER, FALLBACK, SAVED, Ladder, fallback, outage
from failsoft.testing.report import Report
from failsoft.testing.trial import Trial, makes

__all__ = ["acheck_fails_soft", "check_fails_soft"]

_ANY = "What is a mortgage?"
_FINE, _NOT_FINE, _SHOWN = 200, 400, 200
_OURS = Ask(stream="/api/chat/stream")


def check_fails_soft(app: Any, *, ask: Ask | AskFunction = _OURS) -> Report:
    """Run an application through every category of failure, and through a cut stream.

        def test_it_fails_soft():
            check_fails_soft(create_app)

    ``app`` is a function without arguments that makes the ASGI application, called anew for every
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
    print(report)  # noqa: T201 - pytest shows it with -s, and beside what failed
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
    async with Trial.of(app, ask, inside=inside) as trial:
        trial.break_all(case.fault)
        return await trial.ask(case.question, stream=case.stream)


async def _ladder(app: Any, ask: Ask | AskFunction, models: Collection[str | None]) -> Ladder:
    found: Ladder = {}
    if len(models) > 1:
        async with Trial.of(app, ask, inside=True) as trial:
            found[FALLBACK] = await fallback(trial)
    async with Trial.of(app, ask, inside=True) as trial:
        return found | await outage(trial)
