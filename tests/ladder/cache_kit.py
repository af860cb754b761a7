"""What tests of a cache ask for, and how they wait."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from failsoft.ladder.cache.cache import Hit, Partition, SemanticCache
from failsoft.ladder.paraphrase.same_question import difference

ASKED = "How do I reset my password?"
ALIKE = "how can I reset my password"  # no guard tells them apart
OTHER = "How do I delete my account?"


class Words:
    """Texts are alike as far as they have the same words."""

    dimensions = 64
    threshold = 0.7

    def __init__(self, name: str = "words 1") -> None:
        self.name = name

    def embed(self, text: str) -> NDArray[np.float32]:
        vector = np.zeros(self.dimensions, np.float32)
        for word in re.findall(r"\w+", text.lower()):
            vector[crc32(word.encode()) % self.dimensions] += 1
        length = float(np.linalg.norm(vector))
        return vector / np.float32(length or 1)


def partition(**other: Any) -> Partition:
    given = {"scope": "tenant acme", "shared": True, "route": "chat", "context": "c", "history": ""}
    return Partition(**{**given, **other})


def keep(cache: SemanticCache, response: str = "Here.", question: str = ASKED, **who: Any) -> None:
    where = who.pop("partition", partition())
    cache.keep(where, question, response, locale=who.pop("locale", "en"), **who)


async def look(cache: SemanticCache, question: str = ASKED, **other: Any) -> Hit | None:
    locale = other.pop("locale", "en")
    return await cache.lookup(partition(**other), question, locale=locale)


async def found(cache: SemanticCache, question: str = ASKED, **other: Any) -> str | None:
    hit = await look(cache, question, **other)
    return None if hit is None else hit.response


def read_word_lists() -> None:
    """Have the guards ready: on a busy machine their lists take longer than a look-up waits."""
    difference(ASKED, ALIKE)


async def until(condition: Callable[[], Awaitable[object]], seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110 - a thread sets no event of ours
            await asyncio.sleep(0.005)
