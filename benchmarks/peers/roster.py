"""Who takes part, in which environment, and in which process each runs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.crowd import Worker
from benchmarks.peers.environments import python_of

__all__ = ["BAD_DAY", "COST", "ROSTER", "Entry", "running"]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One contestant: the file in ``contestants/``, its name in tables, its environment."""

    module: str
    name: str
    environment: str


ROSTER = (
    Entry(module="sdk", name="Anthropic SDK", environment="sdk"),
    Entry(module="sdk_aiohttp", name="Anthropic SDK on aiohttp", environment="sdk"),
    Entry(module="nest", name="naive nest", environment="sdk"),
    Entry(module="tenacity_purgatory", name="tenacity + purgatory", environment="purgatory"),
    Entry(module="langchain", name="LangChain with_fallbacks", environment="langchain"),
    Entry(module="litellm_router", name="litellm Router", environment="litellm"),
    Entry(module="ask", name="failsoft ask", environment="failsoft"),
    Entry(module="complete", name="failsoft complete", environment="failsoft"),
    Entry(module="wrapped", name="failsoft wrap", environment="failsoft"),
)
# What a call costs: the nest is the SDK there. A bad day: the transport makes no difference to it,
# `complete` is carried by the same engine as `ask`.
COST = tuple(entry for entry in ROSTER if entry.module != "nest")
BAD_DAY = tuple(
    entry for entry in ROSTER if entry.module not in {"sdk_aiohttp", "complete", "wrapped"}
)


@contextmanager
def running(entry: Entry, url: str) -> Iterator[Worker | None]:
    """Its process, for as long as the block; ``None``, and a line why, if it cannot take part."""
    worker = Worker(
        [python_of(entry.environment), "-m", "benchmarks.peers.process", entry.module, url]
    )
    try:
        missing = worker.answer().get("missing")
        if missing:
            print(f"{entry.name} is left out: {missing}.", file=sys.stderr, flush=True)
        yield None if missing else worker
    finally:
        worker.stop()
