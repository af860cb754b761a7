"""Asks as a front end does that keeps to the contract: one key an intent, the same POST again."""

from __future__ import annotations

import asyncio
import json
import random
import time
from dataclasses import dataclass
from typing import Any

import aiohttp

from failsoft.chaos.drills.reply import Reply, Shown, read_body

__all__ = ["Client", "Question"]

# Longer than the service's own deadline with room for a long answer: then something hangs.
_REPLY_SECONDS = 150.0

# Between two tries after a lost connection; doubled each time and drawn at random, as any client
# should, or a restart would be met by everybody at once.
_AGAIN_SECONDS = 0.2
_AGAIN_MOST_SECONDS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
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

    async def ask(self, question: Question) -> Reply:
        """Ask once, and again after each lost connection while there is patience."""
        reply = Reply(question=question.number, stream=question.stream, asked_s=self._now())
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

    async def _post(self, question: Question, reply: Reply) -> None:
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

    def _read_json(self, body: bytes, reply: Reply, status: int) -> None:
        try:
            parsed = json.loads(body)
        except ValueError:
            reply.end_raw(f"{status}: {body[:120]!r}")
            return
        read_body(reply, parsed, self._now())

    async def _read_events(self, response: aiohttp.ClientResponse, reply: Reply) -> None:
        """Read to ``[DONE]``; a reply that ends before it was cut off on its way."""
        shown = Shown(reply)
        async for line in response.content:
            if not line.startswith(b"data: "):
                continue
            if line.rstrip() == b"data: [DONE]":
                shown.whole()
                return
            data = _object(line[6:])
            if data is None:
                reply.end_raw(f"an event that is no JSON: {line[:120]!r}")
                return
            shown.event(data, self._now())
        raise aiohttp.ClientPayloadError("the stream broke off")

    def _now(self) -> float:
        return time.monotonic() - self._began


def _object(data: bytes) -> dict[str, Any] | None:
    try:
        parsed = json.loads(data)
    except ValueError:
        return None
    return parsed if isinstance(parsed, dict) else None
