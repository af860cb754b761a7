"""What being seen costs: CPU a request, interleaved in one run.

    .venv/bin/python -m benchmarks.telemetry [--rounds 15]

An ``ask`` around a provider that does nothing, with nobody listening, with each listener alone and
with all of them. Log lines are formatted and written to /dev/null; spans are sampled at 10 % and
dropped by a processor that does nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
from collections.abc import Callable
from os import devnull
from statistics import median

from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

from benchmarks.core import NoOp, cpu
from failsoft import Failsoft, Settings
from failsoft.server.logging import JsonFormatter, log_event
from failsoft.telemetry.metrics import Metrics
from failsoft.telemetry.traces import Traces

CALLS = 1000


class Told(NoOp):
    """With the provider's own figures, as a real one has them."""

    message = {  # noqa: RUF012 - shared on purpose
        **NoOp.message,
        "usage": {"input_tokens": 20, "output_tokens": 50},
    }


def bare() -> Failsoft:
    """Nobody listens."""
    return Failsoft(Settings(), providers={"anthropic": Told()})


def with_metrics(ai: Failsoft) -> None:
    """Count."""
    ai.subscribe(Metrics(ai.labels))


def with_traces(ai: Failsoft) -> None:
    """One request in ten is recorded."""
    provider = TracerProvider(sampler=ParentBased(TraceIdRatioBased(0.1)))
    provider.add_span_processor(SpanProcessor())
    ai.trace(Traces(provider))


def with_logs(ai: Failsoft) -> None:
    """As ``failsoft serve`` logs."""
    ai.subscribe(log_event)


LISTENERS: dict[str, tuple[Callable[[Failsoft], None], ...]] = {
    "metrics": (with_metrics,),
    "traces at 10 %": (with_traces,),
    "logs": (with_logs,),
    "all of them": (with_metrics, with_traces, with_logs),
}


async def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    with open(devnull, "w", encoding="utf-8") as nowhere:  # noqa: ASYNC230, PTH123 - before anything runs
        handler = logging.StreamHandler(nowhere)
        handler.setFormatter(JsonFormatter())
        log = logging.getLogger("failsoft")
        log.addHandler(handler)
        log.setLevel(logging.INFO)
        log.propagate = False
        alone, heard = bare(), {name: bare() for name in LISTENERS}
        for name, listeners in LISTENERS.items():
            for listen in listeners:
                listen(heard[name])
        found: dict[str, list[float]] = {name: [] for name in LISTENERS}
        base: list[float] = []
        for _ in range(rounds):
            base.append(await cpu(lambda: alone.ask("Hi"), CALLS))
            for name, ai in heard.items():
                found[name].append(await cpu(lambda ai=ai: ai.ask("Hi"), CALLS) - base[-1])  # type: ignore[misc]
    print("| what | median | best | bar |\n|---|---|---|---|")
    print(f"| `ask` that nobody listens to | {median(base):.1f} µs | {min(base):.1f} µs | |")
    for name, values in found.items():
        bar = "≤ 80 µs" if name == "all of them" else ""
        print(f"| {name}, on top of it | {median(values):.1f} µs | {min(values):.1f} µs | {bar} |")


if __name__ == "__main__":
    asyncio.run(main())
