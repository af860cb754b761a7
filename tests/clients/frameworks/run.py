"""Asks through one framework in every trouble, bare and wrapped, and prints each outcome as JSON.

python run.py ask_instructor
"""

import asyncio
import importlib
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

from anthropic import Anthropic, APIError, AsyncAnthropic
from asking import OPUS, SONNET

import failsoft
from failsoft import Settings
from failsoft.config.settings import RetrySettings, TimerSettings
from failsoft.testing import RunningSimulator

_QUICK = RetrySettings(base_delay_seconds=0.01, overloaded_min_seconds=0.01)


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """A fault of the simulator's, of the first model or of all.

    ``timeout`` is the bare client's, ``silence`` how long the wrapped one waits for content.
    """

    fault: str
    scopes: tuple[str, ...] = ("first", "everywhere")
    timeout: float | None = None
    silence: Mapping[str, float] = field(default_factory=dict)


TROUBLES = {
    "healthy": Trouble(fault="healthy", scopes=("everywhere",)),
    "529": Trouble(fault="529"),
    "429": Trouble(fault="429;retry_after=1"),
    "429 for a moment": Trouble(fault="429;retry_after=1;for=500ms", scopes=("everywhere",)),
    # Short where no model can answer.
    "hang": Trouble(fault="hang", timeout=0.5, silence={"first": 4, "everywhere": 0.5}),
    "cut": Trouble(fault="cut;after=3"),
    "end": Trouble(fault="eof;after=3"),
    "bad JSON": Trouble(fault="cut_json"),
    "401": Trouble(fault="bad_key", scopes=("everywhere",)),
}


def main() -> None:
    """Keep standard output for the outcomes: some packages print."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    program = importlib.import_module(sys.argv[1]).PROGRAM
    for form in program.forms:
        for outcome in _outcomes(program, form):
            print(json.dumps(outcome), file=out, flush=True)


def _outcomes(program, form):
    for model in (OPUS, SONNET):  # what a whole answer is
        yield {"trouble": model, **_outcome(program, form, None, model=model)}
    for name, trouble in TROUBLES.items():
        bare = _outcome(program, form, trouble)  # it asks the first model alone
        for scope in trouble.scopes:
            yield {"trouble": name, "scope": scope, **bare}
            wrapped = _outcome(program, form, trouble, scope=scope)
            yield {"trouble": name, "scope": scope, **wrapped}


def _outcome(program, form, trouble, *, scope=None, model=OPUS):
    """What came of asking ``model``: by a wrapped client where there is a ``scope``."""
    shown, error = [], None
    faults = [f"{OPUS if scope == 'first' else '*'}={trouble.fault}"] if trouble else []
    with RunningSimulator(faults=faults) as simulator:
        client = _bare(form, simulator.url, None if scope else trouble)
        if scope:
            client = _wrapped(client, trouble.silence.get(scope, 15.0))
        try:
            _ask(form, client, model, shown)
        except Exception as failure:  # noqa: BLE001 - whatever a user sees
            error = failure
        called = [request.model for request in simulator.requests]
    return {
        "form": form.name,
        "streams": form.streams,
        "client": "wrapped" if scope else "bare",
        "shown": "".join(shown),
        "error": _told(error, form),
        "called": called,
        "spans": program.spans(),
    }


def _ask(form, client, model, shown):
    if form.is_async:
        asyncio.run(_asked(form, client, model, shown))
        return
    with client:
        form.ask(client, model, shown)


async def _asked(form, client, model, shown):
    async with client:
        await form.ask(client, model, shown)


def _bare(form, url, trouble):
    limit = {"timeout": trouble.timeout} if trouble and trouble.timeout else {}
    kind = AsyncAnthropic if form.is_async else Anthropic
    return kind(api_key="k", base_url=url, **limit)


def _wrapped(bare, silence):
    timers = TimerSettings(
        first_content_seconds=silence,
        first_content_min_seconds=min(silence, 5),
        wrapped_seconds=silence,
        wrapped_tokens_per_second=1_000_000,
    )
    settings = Settings(deadline_seconds=4 * silence, timers=timers, retry=_QUICK)
    return failsoft.wrap(bare, chain=[SONNET], settings=settings)


def _told(error, form):
    if error is None:
        return None
    answer = failsoft.answer_of(error)
    return {
        "type": f"{type(error).__module__}.{type(error).__qualname__}",
        "tree": _tree(error, form),
        "said": str(error)[:300],
        "answer": None if answer is None else str(answer.verdict),
    }


def _tree(error, form):
    """Whose exception it is, as a user catches it."""
    if isinstance(error, form.tree):
        return "framework"
    return "sdk" if isinstance(error, APIError) else None


if __name__ == "__main__":
    main()
