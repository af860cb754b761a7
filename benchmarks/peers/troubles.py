"""The troubles of ``benchmarks.failure``, for real: what breaks, and what is read off it.

Everything is well for ten seconds, broken for thirty, well again for twenty. Requests come at 20 a
second, the same moments for all; what still waits long after is counted as waiting.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from random import Random
from typing import Any

from benchmarks.peers.contestants import MAX_TOKENS, MODELS
from benchmarks.world import peak_per_second, percentile, poisson
from failsoft.chaos.simulator.messages_call import parse_messages_call
from failsoft.chaos.simulator.simulated_answer import compose

__all__ = ["SEED", "TROUBLES", "Day", "Found", "Trouble", "arrivals", "found"]

SEED = 0
HEALTHY = "latency;first_content_ms=uniform(20,40);between_events_ms=5"
PRIMARY = MODELS[0]
# Cut by a reset, or ended without the last event: at ten places, a fifth of all answers together.
CUTS = [f"{kind}@0.022;after={after}" for kind in ("cut", "eof") for after in (0, 5, 10, 20, 30)]


@dataclass(frozen=True, kw_only=True)
class Day:
    """When things happen, in seconds after the first moment."""

    rate: float = 20.0
    since: float = 10.0
    until: float = 40.0
    asked: float = 60.0
    watch: float = 170.0


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """What breaks: faults of the simulator, by model. ``{half}`` is half of the day's rate."""

    key: str
    name: str
    faults: dict[str, Sequence[str]]
    stream: bool = False

    def script(self, day: Day, lead: float) -> dict[str, list[str]]:
        """The faults with their windows, to be set ``lead`` seconds before the first moment."""
        window = f";from={day.since + lead:.3f}s;for={day.until - day.since:.3f}s"
        script = {
            model: [fault.format(rate=day.rate, half=day.rate / 2) + window for fault in what]
            for model, what in self.faults.items()
        }
        return {**script, "*": [HEALTHY, *script.get("*", [])]}


TROUBLES = (
    Trouble(key="brownout", name="20 % of all calls answer 529", faults={"*": ["529@0.2"]}),
    Trouble(key="primary_down", name="the first model answers 529", faults={PRIMARY: ["529"]}),
    Trouble(key="outage", name="all models answer 529", faults={"*": ["529"]}),
    Trouble(
        key="limited",
        name="the first model allows half as many a second",
        faults={PRIMARY: ["rate_limit;per_second={half:g};burst={rate:.0f}"]},
    ),
    Trouble(key="hang", name="the first model hangs", faults={PRIMARY: ["hang"]}),
    Trouble(key="cut", name="20 % of streams are cut", faults={"*": CUTS}, stream=True),
    Trouble(key="cut_plain", name="20 % of plain answers are cut", faults={"*": CUTS}),
)


@dataclass(frozen=True, kw_only=True)
class Found:
    """What came of one contestant in one trouble; shares and times are of what was asked in it.

    A time of ``None`` is longer than anybody watched. ``back_seconds`` is from the end of the
    trouble to the next whole answer. The last three count requests of the whole run.
    """

    asked: int
    answered: float
    p50: float | None
    p99: float | None
    calls: float
    peak: int
    back_seconds: float | None
    repeated: int
    truncated: int
    waiting: int
    errors: dict[str, int]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def arrivals(trouble: Trouble, day: Day) -> list[float]:
    """The same for all contestants."""
    return list(poisson(day.rate, Random(f"arrivals {trouble.key}"), until=day.asked))


def wholes(question: str) -> set[str]:
    """Every answer that a healthy upstream gives: each model's, to text and to a block of text."""
    texts = set()
    for model in MODELS:
        for content in (question, [{"type": "text", "text": question}]):
            body = {
                "model": model,
                "max_tokens": MAX_TOKENS,
                "messages": [{"role": "user", "content": content}],
            }
            [block] = compose(parse_messages_call(body), seed=SEED).blocks
            texts.add(block.text)
    return texts


def judged(number: int, result: dict[str, Any]) -> str:
    """``answered``, ``failed`` (and said so), ``waiting``, ``repeated`` or ``truncated``."""
    shown, texts = result["shown"], wholes(f"request {number}")
    if not any(text.startswith(shown) for text in texts):
        return "repeated"
    if result["ended"] is None:
        return "waiting"
    if result["error"] is not None:
        return "failed"
    return "answered" if shown in texts else "truncated"


def found(results: list[dict[str, Any]], journal: list[dict[str, Any]], day: Day) -> Found:
    """Count."""
    kinds = [judged(number, result) for number, result in enumerate(results)]
    during = {n for n, result in enumerate(results) if day.since <= result["asked"] < day.until}
    took = [
        float("inf") if results[n]["ended"] is None else results[n]["ended"] - results[n]["asked"]
        for n in during
    ]
    calls = [row for row in journal if _number(row["question"]) in during]
    later = [
        result["ended"]
        for kind, result in zip(kinds, results, strict=True)
        if kind == "answered" and result["ended"] > day.until
    ]
    times = sorted(row["arrived"] for row in journal)
    return Found(
        asked=len(during),
        answered=sum(kinds[n] == "answered" for n in during) / max(1, len(during)),
        p50=_finite(percentile(took, 0.5)),
        p99=_finite(percentile(took, 0.99)),
        calls=len(calls) / max(1, len(during)),
        peak=peak_per_second(times, day.since, float("inf")),
        back_seconds=min(later) - day.until if later else None,
        repeated=kinds.count("repeated"),
        truncated=kinds.count("truncated"),
        waiting=sum(result["ended"] is None for result in results),
        errors=_counted(result["error"] for result in results),
    )


def _number(question: str | None) -> int | None:
    said = re.search(r"request (\d+)", question or "")
    return int(said[1]) if said else None


def _finite(seconds: float) -> float | None:
    return None if seconds == float("inf") else seconds


def _counted(errors: Any) -> dict[str, int]:
    counts: dict[str, int] = {}
    for error in filter(None, errors):
        kind = error.split(":")[0]
        counts[kind] = counts.get(kind, 0) + 1
    return counts
