"""How an application is asked, and what a person is given."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp

from failsoft.providers.sse import SSEReader

__all__ = ["LIMIT_SECONDS", "AppReply", "Ask", "AskFunction", "asked"]

# A person's patience, scaled to the short limits that a check sets: a reply that takes longer
# than this has no bound that the check could see.
LIMIT_SECONDS: Final = 10.0

AskFunction = Callable[[aiohttp.ClientSession, str], Awaitable[str]]
"""Ask the question over the session, whose paths begin at the application; give what is shown."""


@dataclass(frozen=True, kw_only=True)
class Ask:
    """A route that takes a question as JSON.

    ``{question}`` in any text of ``body`` is replaced. ``shown`` are the places of the reply's
    JSON that a person is shown, ``error.body`` for the field ``body`` of ``error``; those that are
    there are taken, and where none is, or the reply is no JSON, the whole body. ``stream`` is a
    route of failsoft's own that gives the answer as events. The defaults are failsoft's routes.
    """

    path: str = "/api/chat"
    body: Mapping[str, Any] = field(default_factory=lambda: {"message": "{question}"})
    shown: tuple[str, ...] = ("response", "error.title", "error.body")
    headers: Mapping[str, str] = field(default_factory=dict)
    stream: str | None = None


@dataclass(frozen=True, kw_only=True)
class AppReply:
    """What came back: ``shown`` to a person, and ``raw``, headers included.

    ``problem`` says why there is none.
    """

    shown: str = ""
    raw: str = ""
    status: int | None = None
    seconds: float = 0.0
    problem: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)


async def asked(
    url: str, ask: Ask | AskFunction, question: str, *, stream: bool = False
) -> AppReply:
    """Ask one question; never raises for what the application does."""
    began = time.monotonic()
    try:
        async with asyncio.timeout(LIMIT_SECONDS), aiohttp.ClientSession(url) as http:
            reply = await _reply(http, ask, question, stream=stream)
    except TimeoutError:
        reply = AppReply(problem=f"no reply came within {LIMIT_SECONDS:g} s")
    except Exception as error:  # noqa: BLE001 - whatever the caller's own function raises
        reply = AppReply(problem=f"asking raised {type(error).__name__}: {error}")
    return _timed(reply, time.monotonic() - began)


def _timed(reply: AppReply, seconds: float) -> AppReply:
    return AppReply(**{**vars(reply), "seconds": seconds})


async def _reply(
    http: aiohttp.ClientSession, ask: Ask | AskFunction, question: str, *, stream: bool
) -> AppReply:
    if not isinstance(ask, Ask):
        shown = await ask(http, question)
        return AppReply(shown=shown, raw=shown)
    events = ask.stream if stream else None
    body = _filled(ask.body, question)
    async with http.post(events or ask.path, json=body, headers=dict(ask.headers)) as response:
        text = await response.text(errors="replace")
    headers = "\n".join(f"{name}: {value}" for name, value in response.headers.items())
    fields, found = _streamed(text) if events else _plain(text, ask.shown)
    return AppReply(
        shown=found or text,
        raw=f"{headers}\n\n{text}",
        status=response.status,
        fields=fields,
    )


def _filled(value: Any, question: str) -> Any:
    match value:
        case str():
            return value.replace("{question}", question)
        case Mapping():
            return {name: _filled(each, question) for name, each in value.items()}
        case list() | tuple():
            return [_filled(each, question) for each in value]
    return value


def _plain(text: str, places: tuple[str, ...]) -> tuple[Mapping[str, Any], str]:
    """The fields of a JSON reply, and what of them is shown."""
    body = _json(text)
    found = [shown for place in places if isinstance(shown := _at(body, place), str)]
    return body, "\n".join(found)


def _streamed(text: str) -> tuple[Mapping[str, Any], str]:
    """The last event's fields, and what a page shows: the words, and below them the message."""
    read = SSEReader().feed(text.encode())
    events = [event for each in read if (event := _json(each.data))]
    last = events[-1] if events else {}
    words = "".join(event["text"] for event in events if event.get("type") == "text")
    return last, "\n".join(filter(None, (words, last.get("user_message"))))


def _at(body: Any, place: str) -> Any:
    for name in place.split("."):
        body = body.get(name) if isinstance(body, Mapping) else None
    return body


def _json(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
