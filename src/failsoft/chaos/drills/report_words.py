"""What a drill's figures mean, in words for whoever is on call."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from failsoft.chaos.drills.figures import FIGURES, written
from failsoft.chaos.drills.result import Result

__all__ = ["meaning", "what_levels_are"]

_LEVELS: Final = {
    "full": "full: a model's own answer",
    "cached": "cached: a saved answer",
    "rule": "rule: a prepared answer",
    "minimal": "minimal: a notice, no answer",
    "interrupted": "interrupted: cut short, with a notice",
    "raw": "raw: neither answer nor notice",
    "unanswered": "unanswered: nothing in time",
}

_NOT_BACK: Final = (
    "It had not recovered by the end: /api/health/ai says what is left out, and until when."
)

_LOOK: Final = {
    "success_share": "More people than allowed were left without an answer: see which notices they "
    "got, and whether a model was there that nobody asked.",
    "full_share": "More answers than allowed did not come from a model.",
    "success_share_at_end": _NOT_BACK,
    "full_share_at_end": _NOT_BACK,
    "p99_seconds": "The slowest waited longer than allowed: first-content timers and the deadline "
    "decide how long (timers.*, deadline_seconds).",
    "upstream_calls_per_request": "The provider is called too often for one question: look at the "
    "retry budget, and for another layer that tries again on its own.",
    "peak_ratio": "Everybody came back at once: the ramp after a breaker closes and the jitter of "
    "waits are there to keep that flat (breaker.ramp_seconds).",
    "recovery_seconds": "It took longer than allowed to come back: the longest time open is "
    "breaker.recovery_timeout_seconds.",
    "duplicates": "Something was done twice for the same question.",
    "second_ids": "A repeat of a request was taken for a new one: is the same data_dir behind "
    "every process?",
    "repeated_text": "A person saw the beginning of an answer twice.",
    "bad_ends": "A stream ended without its one terminal event: a page would wait for ever.",
    "raw_errors": "People saw something that is neither an answer nor a notice.",
    "unanswered": "Some clients gave up before anything came.",
    "in_flight_left": "Calls are still counted as in flight with nobody asking: permits leak.",
    "descriptors_left": "Files or sockets are left open.",
    "memory_growth_mb": "The process has grown more than allowed: a longer drill shows whether it "
    "goes on.",
}


def what_levels_are(name: str) -> str:
    """A level with what it is."""
    return _LEVELS.get(name, name)


def meaning(result: Result) -> list[str]:
    """Sentences, the most important first."""
    about = [result.scenario.means] if result.scenario.means else []
    return [
        *_misses(result),
        *about,
        *_people(result),
        *_provider(result),
        *_after(result),
        *_unmeasured(result),
    ]


def _misses(result: Result) -> Iterator[str]:
    for verdict in result.verdicts:
        if verdict.held is False:
            name = verdict.threshold.figure
            yield f"{verdict}. {_LOOK.get(name, FIGURES[name].doc + '.')}"


def _unmeasured(result: Result) -> Iterator[str]:
    names = [FIGURES[v.threshold.figure].title for v in result.verdicts if v.held is None]
    if names:
        yield f"Not measured here, so not judged: {', '.join(names)}."


def _people(result: Result) -> Iterator[str]:
    figures, levels = result.figures, result.levels
    total = len(result.replies)
    answered = sum(levels[level] for level in ("full", "cached", "rule"))
    instead = answered - levels["full"]
    yield (
        f"{answered} of {total} requests were answered"
        f"{f', {instead} of them with a saved or prepared answer' if instead else ''}; "
        f"half had ended within {written('p50_seconds', figures['p50_seconds'])}, "
        f"99 % within {written('p99_seconds', figures['p99_seconds'])}."
    )
    notices = levels["minimal"] + levels["interrupted"]
    if notices:
        kinds = ", ".join(f"{count} {name}" for name, count in result.notices.most_common())
        yield f"{notices} ended with a notice that says what happened and what to do ({kinds})."
    bare = levels["raw"] + levels["unanswered"]
    yield f"{bare or 'None'} met a raw error or nothing at all."


def _provider(result: Result) -> Iterator[str]:
    figures = result.figures
    calls = figures["upstream_calls_per_request"]
    if calls is None:
        return
    yield (
        f"The provider was called {written('upstream_calls_per_request', calls)} times a question "
        "on average: below 1 means that questions were answered or turned down without calling it."
    )
    twice = figures["duplicates"]
    yield (
        "Nothing was done twice."
        if not twice
        else f"Answered in full by the provider more than once: {twice:.0f} of the questions."
    )


def _after(result: Result) -> Iterator[str]:
    figures = result.figures
    back, peak = figures["recovery_seconds"], figures["peak_ratio"]
    if back is not None:
        herd = "" if peak is None else (
            f", and the busiest 100 ms after it had {peak:.1f} times the calls of the busiest "
            "before the trouble"
        )  # fmt: skip
        yield f"{written('recovery_seconds', back)} after recovery there was a full answer{herd}."
    elif result.scenario.recovers_at is not None:
        yield "No full answer came after recovery."
    lost = figures["lost_connections"]
    if lost:
        yield (
            f"{lost:.0f} connections to the service broke or were refused; clients sent the same "
            "again with the same key."
        )
