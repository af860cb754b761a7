"""The results of a drill: figures from what the load received and what reached the provider.

Pure: no clock, no I/O.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from failsoft.chaos.drills.load import LoadReply
from failsoft.chaos.drills.scenario import DrillVerdict, Scenario, Step

__all__ = [
    "TENTH",
    "CallRecord",
    "Played",
    "Result",
    "measure",
    "per_slot",
    "percentile",
    "recovered_at",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRecord:
    """A call that reached the provider. Times are seconds of the load.

    ``question`` is which one it was about, None for known ones; ``whole`` whether it was answered
    in full.
    """

    at: float
    question: int | None
    whole: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """A step, and when it had been carried out, in seconds of the load.

    For a process that is started this is when it listens.
    """

    at: float
    step: Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """All of it. ``calls`` is None where no simulator counted them; ``began_at`` is epoch time."""

    scenario: Scenario
    where: str
    began_at: float
    replies: Sequence[LoadReply]
    calls: Sequence[CallRecord] | None
    played: Sequence[Played]
    figures: Mapping[str, float | None]
    verdicts: Sequence[DrillVerdict]

    @property
    def held(self) -> bool:
        """Whether every threshold that could be measured held."""
        return all(verdict.held is not False for verdict in self.verdicts)

    @property
    def levels(self) -> Counter[str]:
        """Requests by how they ended."""
        return Counter(reply.level for reply in self.replies)

    @property
    def notices(self) -> Counter[str]:
        """Notices by their failure's category."""
        told = (reply for reply in self.replies if reply.level in ("minimal", "interrupted"))
        return Counter(reply.category or "unknown" for reply in told)

    @property
    def raw(self) -> Counter[str]:
        """Raw errors, as they came."""
        return Counter(reply.raw for reply in self.replies if reply.raw)

    def as_json(self) -> dict[str, Any]:
        """The figures and what they were judged by, for other programs."""
        return {
            "drill": self.scenario.name,
            "where": self.where,
            "began_at": self.began_at,
            "held": self.held,
            "thresholds": [_verdict(verdict) for verdict in self.verdicts],
            "figures": dict(self.figures),
            "levels": dict(self.levels),
            "notices": dict(self.notices),
            "raw_errors": dict(self.raw),
            "steps": [
                {"at": round(played.at, 3), "label": played.step.label, "what": str(played.step)}
                for played in self.played
            ],
        }


def _verdict(verdict: DrillVerdict) -> dict[str, Any]:
    threshold = verdict.threshold
    return {
        "figure": threshold.figure,
        "at_least" if threshold.least else "at_most": threshold.bound,
        "value": verdict.value,
        "held": verdict.held,
    }


TENTH = 0.1

_END_SECONDS = 5.0
_HERD_SECONDS = 10.0
# 0.3 / 0.1 is a little less than 3.
_EXACT = 1e-9


def measure(
    scenario: Scenario,
    played: Sequence[Played],
    replies: Sequence[LoadReply],
    calls: Sequence[CallRecord] | None,
) -> dict[str, float | None]:
    """Every figure that the load and the journal give."""
    recovered = recovered_at(scenario, played)
    late = [r for r in replies if r.asked_s >= scenario.load.seconds - _END_SECONDS]
    return {
        "requests": float(len(replies)),
        "success_share": _share(replies),
        "full_share": _share(replies, full=True),
        "success_share_at_end": _share(late),
        "full_share_at_end": _share(late, full=True),
        **_counts(replies),
        **_times(replies),
        "recovery_seconds": _recovery(recovered, replies),
        **_upstream(replies, calls),
        "peak_ratio": None if calls is None else _peak_ratio(scenario, recovered, calls),
    }


def percentile(values: Iterable[float], share: float) -> float | None:
    """The nearest-rank percentile; None of nothing."""
    ordered = sorted(values)
    if not ordered:
        return None
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def per_slot(moments: Iterable[float], width: float) -> Counter[int]:
    """How many moments fall into each slot of ``width`` seconds, by the slot's number."""
    return Counter(math.floor(moment / width + _EXACT) for moment in moments)


def _share(replies: Sequence[LoadReply], *, full: bool = False) -> float | None:
    if not replies:
        return None
    good = sum(reply.level == "full" if full else reply.answered for reply in replies)
    return good / len(replies)


def _counts(replies: Sequence[LoadReply]) -> dict[str, float | None]:
    levels = Counter(reply.level for reply in replies)
    ids: dict[int, set[str]] = {}
    for reply in replies:
        if reply.question is not None:
            ids.setdefault(reply.question, set()).update(reply.ids)
    return {
        "notices": levels["minimal"] + levels["interrupted"],
        "unanswered": levels["unanswered"],
        "raw_errors": levels["raw"],
        "second_ids": sum(len(each) > 1 for each in ids.values()),
        "repeated_text": sum(reply.repeated for reply in replies),
        "bad_ends": sum(reply.ends not in (None, 1) for reply in replies),
        "lost_connections": sum(reply.lost for reply in replies),
    }


def _times(replies: Sequence[LoadReply]) -> dict[str, float | None]:
    whole = [r.ended_s - r.asked_s for r in replies if r.ended_s is not None]
    first = [r.first_text_s - r.asked_s for r in replies if r.stream and r.first_text_s is not None]
    return {
        "p50_seconds": percentile(whole, 0.5),
        "p99_seconds": percentile(whole, 0.99),
        "p50_first_text_seconds": percentile(first, 0.5),
        "p99_first_text_seconds": percentile(first, 0.99),
    }


def recovered_at(scenario: Scenario, played: Sequence[Played]) -> float | None:
    """When all was well again: the scenario's moment, or when the step then had been carried out.

    A process takes a while to be back.
    """
    if scenario.recovers_at is None:
        return None
    until_then = (one.at for one in played if one.step.at <= scenario.recovers_at)
    return max((scenario.recovers_at, *until_then))


def _recovery(since: float | None, replies: Sequence[LoadReply]) -> float | None:
    if since is None:
        return None
    full = (r for r in replies if r.level == "full" and r.asked_s >= since)
    return min((r.ended_s - since for r in full if r.ended_s is not None), default=None)


def _upstream(
    replies: Sequence[LoadReply], calls: Sequence[CallRecord] | None
) -> Mapping[str, float | None]:
    names = ("upstream_calls_per_request", "busiest_100ms", "duplicates")
    if calls is None:
        return dict.fromkeys(names)
    asked = len({r.question for r in replies if r.question is not None})
    about = [call for call in calls if call.question is not None]
    whole = Counter(call.question for call in about if call.whole)
    busiest = _busiest(calls, 0.0, float("inf"))
    return {
        "upstream_calls_per_request": len(about) / asked if asked else None,
        "busiest_100ms": busiest,
        "duplicates": sum(count > 1 for count in whole.values()),
    }


def _peak_ratio(
    scenario: Scenario, since: float | None, calls: Sequence[CallRecord]
) -> float | None:
    """Over the load's own pace where there was no quiet time before the trouble."""
    if since is None:
        return None
    quiet = _busiest(calls, 0.0, scenario.trouble_at or 0.0)
    usual = quiet or max(1.0, scenario.load.rate * TENTH)
    return _busiest(calls, since, since + _HERD_SECONDS) / usual


def _busiest(calls: Sequence[CallRecord], since: float, until: float) -> float:
    slots = per_slot((call.at for call in calls if since <= call.at < until), TENTH)
    return float(max(slots.values(), default=0))
