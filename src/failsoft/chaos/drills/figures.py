"""What a drill measures: every figure's name, unit and meaning, the only place that defines them.

Thresholds, the report, the JSON file and the documentation follow this table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

__all__ = ["FIGURES", "Figure", "Unit", "written"]

Unit = Literal["share", "seconds", "count", "ratio", "MB"]


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure. ``needs``: what must be at hand to measure it, besides the load itself."""

    title: str
    unit: Unit
    doc: str
    needs: Literal["", "simulator", "own process"] = ""


FIGURES: Final[Mapping[str, Figure]] = {
    "requests": Figure("Requests sent", "count", "requests of the load, second copies included"),
    "success_share": Figure(
        "Answered", "share", "requests that ended with an answer of any level, of all"
    ),
    "full_share": Figure("Answered in full", "share", "answered by a model itself, of all"),
    "success_share_at_end": Figure(
        "Answered, at the end", "share", "the same of those asked in the last 5 seconds of the load"
    ),
    "full_share_at_end": Figure(
        "Answered in full, at the end", "share", "likewise, answered by a model itself"
    ),
    "notices": Figure("Notices", "count", "requests that ended with a notice and no whole answer"),
    "unanswered": Figure(
        "Unanswered", "count", "requests that had neither when the client's patience ended"
    ),
    "p50_seconds": Figure("Half ended within", "seconds", "median time to the end"),
    "p99_seconds": Figure("99 % ended within", "seconds", "99th percentile to the end"),
    "p50_first_text_seconds": Figure(
        "Half saw words within", "seconds", "median time to the first words of a stream"
    ),
    "p99_first_text_seconds": Figure(
        "99 % saw words within", "seconds", "99th percentile to the first words of a stream"
    ),
    "upstream_calls_per_request": Figure(
        "Calls a request", "ratio", "calls that reached the provider for one question", "simulator"
    ),
    "busiest_100ms": Figure(
        "Busiest 100 ms", "count", "most calls that reached the provider in 100 ms", "simulator"
    ),
    "peak_ratio": Figure(
        "Peak at recovery",
        "ratio",
        "busiest 100 ms in the 10 seconds after recovery, over the busiest before the first fault",
        "simulator",
    ),
    "recovery_seconds": Figure(
        "Back after", "seconds", "from recovery to the end of the first full answer asked after it"
    ),
    "duplicates": Figure(
        "Done twice",
        "count",
        "questions that the provider answered in full more than once",
        "simulator",
    ),
    "second_ids": Figure(
        "Second ids", "count", "questions whose copies or repeats were given another request id"
    ),
    "repeated_text": Figure(
        "Text repeated", "count", "answers that begin again in what is shown, without a `restart`"
    ),
    "bad_ends": Figure("Bad ends", "count", "whole streams without exactly one terminal event"),
    "raw_errors": Figure("Raw errors", "count", "replies that are neither an answer nor a notice"),
    "lost_connections": Figure(
        "Connections lost", "count", "connections to the service that broke or were refused"
    ),
    "held_back": Figure(
        "Held back", "count", "requests that waited because `at_once` were in flight"
    ),
    "in_flight_left": Figure(
        "Calls left in flight", "count", "in `/api/health/ai` once the load has ended"
    ),
    "memory_growth_mb": Figure(
        "Memory grown by",
        "MB",
        "resident memory of the service, after the load less before it",
        "own process",
    ),
    "descriptors_left": Figure(
        "Descriptors left",
        "count",
        "open files and sockets of the service, after the load less before it",
        "own process",
    ),
}


def written(name: str, value: float | None) -> str:
    """A figure as people read it; a dash where it was not measured."""
    if value is None:
        return "-"
    match FIGURES[name].unit:
        case "share":
            return f"{_floored(value):.2f} %".replace(".00 ", " ")
        case "seconds":
            return f"{value:.2f} s"
        case "MB":
            return f"{value:.1f} MB"
        case "ratio":
            return f"{value:.2f}"
        case "count":
            return f"{value:.0f}"


def _floored(share: float) -> float:
    """In per cent; what is not all is never written as all."""
    return int(share * 10_000 + 1e-6) / 100
