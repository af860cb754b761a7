"""The load: questions at an even pace, however long the answers take, within a bound.

The client behaves as a front end that keeps the contract: one key an intent, the same POST again.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

import aiohttp

from failsoft.chaos.drills.scenario import Load
from failsoft.providers.sse import SSEReader

__all__ = [
    "LEVELS",
    "Client",
    "Generator",
    "Level",
    "LoadQuestion",
    "LoadReply",
    "ShownEvents",
    "read_body",
]


Level = Literal["full", "cached", "rule", "minimal", "interrupted", "raw", "unanswered"]

LEVELS: Final[tuple[Level, ...]] = (
    "full",
    "cached",
    "rule",
    "minimal",
    "interrupted",
    "raw",
    "unanswered",
)
"""How a request can end, best first. The first four are the service's own levels; `interrupted` is
a stream cut short, `raw` neither answer nor notice, `unanswered` neither of them in time."""

# So much of an answer's beginning is looked for further on in it.
_BEGINNING = 20


@dataclass(slots=True, kw_only=True)
class LoadReply:
    """One request. Times are seconds of the load; ``question`` is None for one asked before.

    ``ids`` are the request ids it was given, over all its tries; ``lost`` the connections that
    broke. ``ends`` counts the terminal events of a stream that came whole.
    """

    question: int | None
    stream: bool
    asked_s: float
    first_text_s: float | None = None
    ended_s: float | None = None
    level: Level = "unanswered"
    category: str = ""
    raw: str = ""
    ids: tuple[str, ...] = ()
    ends: int | None = None
    repeated: bool = False
    lost: int = 0

    @property
    def answered(self) -> bool:
        """Whether there was an answer, of whatever level."""
        return self.level in ("full", "cached", "rule")

    def told(self, request_id: str) -> None:
        """Take note of the id it has been given."""
        if request_id not in self.ids:
            self.ids = (*self.ids, request_id)

    def end_raw(self, what: str) -> None:
        """End it with something no person should see."""
        self.level, self.raw = "raw", what[:200]


class ShownEvents:
    """What the events of one stream put before a person."""

    def __init__(self, reply: LoadReply) -> None:
        self._reply = reply
        self._text = ""
        self._ends = 0

    def event(self, data: dict[str, Any], now: float) -> None:
        """Take in one event; of types that are not known there may be more."""
        reply = self._reply
        match data:
            case {"type": "start", "request_id": str(request_id)}:
                reply.told(request_id)
            case {"type": "text", "text": str(text)}:
                reply.first_text_s = now if reply.first_text_s is None else reply.first_text_s
                self._text += text
            case {"type": "restart"}:
                self._text = ""
            case {"type": "done", "level": level}:
                self._ends += 1
                _set_level(reply, level)
            case {"type": "error" | "stream_interrupted" as kind}:
                self._ends += 1
                _failed(reply, data, "minimal" if kind == "error" else "interrupted")
            case {"type": "start" | "text" | "done"}:
                reply.end_raw(f"an event without its fields: {data}")

    def whole(self) -> None:
        """Take note that the stream has come to its end."""
        self._reply.ends = self._ends
        self._reply.repeated = _begins_twice(self._text)
        if self._ends == 0 and not self._reply.raw:
            self._reply.end_raw("a stream without an end")


def read_body(reply: LoadReply, body: Any, now: float) -> None:
    """Take in a JSON reply."""
    match body:
        case {"status": "success", "response": str(text), "level": level}:
            reply.first_text_s = now
            reply.repeated = _begins_twice(text)
            _set_level(reply, level)
        case {"status": "error", "error": dict()}:
            _failed(reply, body, "minimal")
        case {"title": title, "detail": detail}:
            reply.end_raw(f"{title}: {detail}")
        case _:
            reply.end_raw(str(body))
    match body:
        case {"request_id": str(request_id)}:
            reply.told(request_id)


def _set_level(reply: LoadReply, level: Any) -> None:
    if level in ("full", "cached", "rule"):
        reply.level = level
    else:
        reply.end_raw(f"an answer of level {level!r}")


def _failed(reply: LoadReply, data: dict[str, Any], level: Level) -> None:
    notice = data.get("error")
    if not isinstance(notice, dict) or not notice.get("title") or not notice.get("body"):
        reply.end_raw(f"a failure without words: {data}")
        return
    reply.level = level
    reply.category = str(data.get("error_category", ""))


def _begins_twice(text: str) -> bool:
    beginning = text[:_BEGINNING]
    return len(beginning) == _BEGINNING and beginning in text[1:]


# Longer than the service's own deadline with room for a long answer: then something hangs.
_REPLY_SECONDS = 150.0

# Between two tries after a lost connection; doubled each time and drawn at random, as any client
# should, or a restart would be met by everybody at once.
_AGAIN_SECONDS = 0.2
_AGAIN_MOST_SECONDS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadQuestion:
    """One thing a person wants. ``number`` is None for one that was asked before."""

    number: int | None
    key: str
    text: str
    stream: bool


class Client:
    """Sends questions to one service; ``began`` is the load's second 0 on the monotonic clock."""

    def __init__(
        self, session: aiohttp.ClientSession, *, patience: float, rng: random.Random, began: float
    ) -> None:
        self._session = session
        self._patience = patience
        self._rng = rng
        self._began = began

    async def ask(self, question: LoadQuestion) -> LoadReply:
        """Ask once, and again after each lost connection while there is patience."""
        reply = LoadReply(question=question.number, stream=question.stream, asked_s=self._now())
        until = reply.asked_s + self._patience
        wait = _AGAIN_SECONDS
        while True:
            try:
                await self._post(question, reply)
            except (aiohttp.ClientError, OSError):
                reply.lost += 1
            else:
                break
            pause = self._rng.uniform(wait / 2, wait)
            wait = min(2 * wait, _AGAIN_MOST_SECONDS)
            if self._now() + pause > until:
                break
            await asyncio.sleep(pause)
        reply.ended_s = self._now()
        return reply

    async def _post(self, question: LoadQuestion, reply: LoadReply) -> None:
        path = "/api/chat/stream" if question.stream else "/api/chat"
        async with self._session.post(
            path,
            json={"message": question.text},
            headers={"Idempotency-Key": question.key},
            timeout=aiohttp.ClientTimeout(total=_REPLY_SECONDS),
        ) as response:
            if "x-request-id" in response.headers:
                reply.told(response.headers["x-request-id"])
            if response.content_type == "text/event-stream":
                await self._read_events(response, reply)
            else:
                self._read_json(await response.read(), reply, response.status)

    def _read_json(self, body: bytes, reply: LoadReply, status: int) -> None:
        try:
            parsed = json.loads(body)
        except ValueError:
            reply.end_raw(f"{status}: {body[:120]!r}")
            return
        read_body(reply, parsed, self._now())

    async def _read_events(self, response: aiohttp.ClientResponse, reply: LoadReply) -> None:
        """Read to ``[DONE]``; a reply that ends before it was cut off on its way."""
        shown, reader = ShownEvents(reply), SSEReader()
        async for chunk in response.content.iter_any():
            for event in reader.feed(chunk):
                if event.data == "[DONE]":
                    shown.whole()
                    return
                data = _object(event.data)
                if data is None:
                    reply.end_raw(f"an event that is no JSON: {event.data[:120]!r}")
                    return
                shown.event(data, self._now())
        raise aiohttp.ClientPayloadError("the stream broke off")

    def _now(self) -> float:
        return time.monotonic() - self._began


def _object(data: str) -> dict[str, Any] | None:
    try:
        parsed = json.loads(data)
    except ValueError:
        return None
    return parsed if isinstance(parsed, dict) else None


_KNOWN = (
    "What documents do I need for a home loan?",
    "How long does an application take?",
    "Can I repay a loan early?",
    "What does a payslip prove?",
    "Who decides on my application?",
    "Which rate is fixed and which one changes?",
    "What happens when I miss a payment?",
    "Do I need a guarantor?",
)
_WARM_UP_TRIES_SECONDS = 20.0


class Generator:
    """Asks what ``load`` says. The same seed asks the same questions; keys are new each time."""

    def __init__(self, load: Load, session: aiohttp.ClientSession, *, seed: int = 0) -> None:
        self._load = load
        self._session = session
        self._rng = random.Random(seed)  # noqa: S311 - repeatable, not secret
        self._run = secrets.token_hex(4)
        self._places = asyncio.Semaphore(load.at_once)
        self.replies: list[LoadReply] = []
        self.held_back = 0
        self.asked = 0

    async def warm_up(self) -> bool:
        """Have the known questions answered, so that they are saved; False where none was."""
        client = self._client(time.monotonic(), patience=_WARM_UP_TRIES_SECONDS)
        replies = []
        for stream in (False, True):
            asked = [client.ask(self._known(text, stream=stream)) for text in _KNOWN]
            replies += await asyncio.gather(*asked)
        return any(reply.answered for reply in replies)

    async def run(self, began: float) -> None:
        """Ask it all, from ``began`` (monotonic) on; returns when the last one has its reply."""
        client = self._client(began, patience=self._load.patience_seconds)
        async with asyncio.TaskGroup() as asking:
            for number, question in enumerate(self._questions()):
                due = began + number / self._load.rate
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                for _ in range(1 + (self._rng.random() < self._load.doubled)):
                    self.held_back += self._places.locked()
                    await self._places.acquire()
                    asking.create_task(self._ask(client, question))
                self.asked += 1

    def number_of(self, prompt_start: str) -> int | None:
        """Which question a call upstream is about; None for known ones and for those of others."""
        found = re.match(rf"Question (\d+) of drill {self._run}:", prompt_start)
        return int(found[1]) if found else None

    async def _ask(self, client: Client, question: LoadQuestion) -> None:
        try:
            self.replies.append(await client.ask(question))
        finally:
            self._places.release()

    def _client(self, began: float, *, patience: float) -> Client:
        rng = random.Random(self._rng.random())  # noqa: S311 - repeatable, not secret
        return Client(self._session, patience=patience, rng=rng, began=began)

    def _questions(self) -> Iterator[LoadQuestion]:
        for number in range(self._load.questions):
            stream = self._rng.random() < self._load.streams
            if self._rng.random() < self._load.known:
                yield self._known(self._rng.choice(_KNOWN), stream=stream)
            else:
                text = f"Question {number} of drill {self._run}: what do I need for a home loan?"
                key = f"drill-{self._run}-{number}"
                yield LoadQuestion(number=number, key=key, text=text, stream=stream)

    def _known(self, text: str, *, stream: bool) -> LoadQuestion:
        key = f"drill-{self._run}-known-{secrets.token_hex(6)}"
        return LoadQuestion(number=None, key=key, text=text, stream=stream)
