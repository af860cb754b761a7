"""Saved answers: right and wrong ones by different rules, and what finding them costs."""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from failsoft.ladder.cache.cache import PUBLIC, Partition, SemanticCache
from failsoft.ladder.cache.evaluate import Judged, judge, read_pairs, tally
from failsoft.ladder.embedder import WordllamaEmbedder

# The guards were written with a look at the first, and measured on the second meanwhile. The third
# came afterwards, from somebody who knew neither: it shows what they are worth.
PAIRS = {
    name: Path(__file__).parent / "pairs" / f"{name}.jsonl" for name in ("dev", "holdout", "unseen")
}
# GPTCache serves where 4 less the squared distance is at least 0.8 of 4 (Config, and
# SearchDistanceEvaluation over Faiss): for vectors of unit length a cosine of 0.6. RedisVL's
# SemanticCache serves within a cosine distance of 0.1.
RULES: dict[str, tuple[float, bool]] = {
    "cosine of 0.85": (0.85, False),
    "GPTCache's default rule (cosine of 0.6)": (0.6, False),
    "RedisVL's default rule (cosine of 0.9)": (0.9, False),
    "failsoft": (WordllamaEmbedder.threshold, True),
}
ENTRIES = (10_000, 100_000)
LOOKUPS = 500
ROUNDS = 3
BATCH = 200
VERBS = ("reset", "change", "cancel", "find", "open", "close", "renew", "track", "return", "print")
THINGS = ("password", "invoice", "order", "account", "address", "card", "refund", "ticket")
PLACES = ("for my team", "on my phone", "from abroad", "at the shop", "by mail")
SHARED = Partition(scope=PUBLIC, shared=True, route="chat", context="")


def quality() -> None:
    print("| rule | pairs | served of those that ask the same | false hits of those that do not |")
    print("|---|---|---|---|")
    embedder = WordllamaEmbedder()
    for name, file in PAIRS.items():
        judged = judge(read_pairs(file), embedder)
        for rule, (threshold, guarded) in RULES.items():
            hits = tally(judged, _by(threshold, guarded=guarded), by=lambda one: str(one.pair.same))
            cells = [f"{hits[same]} ({hits[same].share:.1%})" for same in ("True", "False")]
            print(f"| {rule} | {name} | {' | '.join(cells)} |")


def _by(threshold: float, *, guarded: bool) -> Callable[[Judged], bool]:
    return lambda one: one.hit(threshold, guarded=guarded)


def latency() -> None:
    print("| entries in the partition | look-up p50 | p99 | keep p50 | p99 |")
    print("|---|---|---|---|---|")
    for entries in sorted(ENTRIES * ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(_timed(Path(folder) / "cache.db", entries))


async def _timed(place: Path, entries: int) -> None:
    cache = SemanticCache(place)
    cache.start()
    kept = []
    for number in range(entries):
        question, answer = _question(number), "answer " * 50
        began = time.perf_counter()
        cache.keep(SHARED, question, answer, locale="en")
        kept.append(time.perf_counter() - began)
        while number % BATCH == BATCH - 1 and cache.stats().entries <= number:  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0.01)  # what waits to be written has a bound
    await cache.lookup(SHARED, "how do i begin", locale="en")
    took = []
    for number in random.Random(1).sample(range(entries), LOOKUPS):
        asked = _question(number).replace("How do I", "please, how can i")
        began = time.perf_counter()
        await cache.lookup(SHARED, asked, locale="en")
        took.append(time.perf_counter() - began)
    await cache.aclose()
    cells = [f"{_at(took, 0.5) * 1e3:.2f} ms", f"{_at(took, 0.99) * 1e3:.2f} ms"]
    cells += [f"{_at(kept, 0.5) * 1e6:.1f} µs", f"{_at(kept, 0.99) * 1e6:.1f} µs"]
    print(f"| {entries:,} | {' | '.join(cells)} |")


def _at(values: list[float], share: float) -> float:
    return sorted(values)[int(share * len(values))]


def _question(number: int) -> str:
    random_ = random.Random(number)
    verb = random_.choice(VERBS)
    thing = random_.choice(THINGS)
    place = random_.choice(PLACES)
    return f"How do I {verb} my {thing} {place} {number}?"


if __name__ == "__main__":
    quality()
    print()
    latency()
