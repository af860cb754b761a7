"""The load: questions at an even pace, however long the answers take, within a bound."""

from __future__ import annotations

import asyncio
import random
import re
import secrets
import time
from collections.abc import Iterator

import aiohttp

from failsoft.chaos.drills.client import Client, Question
from failsoft.chaos.drills.reply import Reply
from failsoft.chaos.drills.scenario import Load

__all__ = ["Generator"]

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
        self.replies: list[Reply] = []
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

    async def _ask(self, client: Client, question: Question) -> None:
        try:
            self.replies.append(await client.ask(question))
        finally:
            self._places.release()

    def _client(self, began: float, *, patience: float) -> Client:
        rng = random.Random(self._rng.random())  # noqa: S311 - repeatable, not secret
        return Client(self._session, patience=patience, rng=rng, began=began)

    def _questions(self) -> Iterator[Question]:
        for number in range(self._load.questions):
            stream = self._rng.random() < self._load.streams
            if self._rng.random() < self._load.known:
                yield self._known(self._rng.choice(_KNOWN), stream=stream)
            else:
                text = f"Question {number} of drill {self._run}: what do I need for a home loan?"
                key = f"drill-{self._run}-{number}"
                yield Question(number=number, key=key, text=text, stream=stream)

    def _known(self, text: str, *, stream: bool) -> Question:
        key = f"drill-{self._run}-known-{secrets.token_hex(6)}"
        return Question(number=None, key=key, text=text, stream=stream)
