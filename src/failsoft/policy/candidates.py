"""The targets of one request: which may still be called, and what is said of those that failed."""

from __future__ import annotations

from collections.abc import Sequence

from failsoft.classify.verdict import (
    BenchScope,
    ErrorCategory,
    Fault,
    NextModel,
    OtherProvider,
    Verdict,
)
from failsoft.policy.bench import Refusal
from failsoft.policy.retry import worth_another
from failsoft.policy.target import Target

__all__ = ["Candidate", "back_at", "restrict", "verdict_to_report"]


class Candidate:
    """One target within one request."""

    # Most candidates of most requests are never touched: what they begin with is the class's.
    calls = 0
    unfit = False
    ready_at = 0.0
    refusal: Refusal | None = None

    def __init__(self, target: Target, position: int) -> None:
        self.target = target
        self.position = position

    def ready(self, now: float) -> bool:
        """Whether it may be asked for at ``now``."""
        return not self.unfit and self.refusal is None and self.ready_at <= now


def restrict(
    candidates: Sequence[Candidate], failed: Candidate, verdict: Verdict, *, hopped: bool
) -> None:
    """Mark what the verdict rules out for the rest of the request.

    ``hopped`` says that the failed target was not the first: a permanent verdict, or one on our
    own set-up, then speaks of that target alone, since the first choice did take the request.
    """
    if not worth_another(verdict, failed.calls):
        failed.unfit = True
    if hopped and verdict.category in _OF_THE_TARGET and not _wants_larger(verdict):
        return
    for other in candidates:
        if other is not failed and not _allowed(verdict, failed.target, other):
            other.unfit = True


def verdict_to_report(
    failures: Sequence[tuple[Candidate, Verdict]], *, shown: bool = False
) -> Verdict:
    """The verdict to report of those that a request met, in order; ``shown``: something was given.

    The last, which is the newest; the first where the last is of the set-up of a later choice.
    """
    if not shown:
        # The caller's own limit says nothing where something was learnt before it.
        failures = [item for item in failures if not _callers_limit(item[1])] or failures
    at_first, first = failures[0]
    at_last, last = failures[-1]
    return first if at_last is not at_first and last.category in _OF_THE_TARGET else last


def back_at(refusals: Sequence[Refusal | None]) -> float | None:
    """When the first of several targets may be back, given why each may not be called now.

    ``None`` where one may be, or where that is unknown.
    """
    known = [refusal for refusal in refusals if refusal is not None]
    if len(known) < len(refusals):
        return None
    return min((r.until for r in known if r.why not in ("full", "isolated")), default=None)


def _callers_limit(verdict: Verdict) -> bool:
    return verdict.category is ErrorCategory.TIMEOUT and verdict.fault is Fault.USER


_OF_THE_TARGET = (ErrorCategory.PERMANENT, ErrorCategory.AUTH_ERROR)


def _wants_larger(verdict: Verdict) -> bool:
    return verdict.try_next_model is NextModel.LARGER_WINDOW


def _allowed(verdict: Verdict, failed: Target, candidate: Candidate) -> bool:
    other = candidate.target
    dead_host = verdict.bench_scope is BenchScope.HOST and failed.host == other.host
    if dead_host or _same_service(failed, other):
        rule = verdict.try_next_model
        if rule is NextModel.LARGER_WINDOW:
            return _larger(failed, other)
        # OTHER_FAMILY needs nothing here: the family is benched, and its targets refuse.
        return rule not in (NextModel.NO, NextModel.OPT_IN)
    if verdict.try_other_provider is OtherProvider.LARGER_WINDOW:
        return _larger(failed, other)
    return verdict.try_other_provider is not OtherProvider.NO


def _same_service(one: Target, other: Target) -> bool:
    return (one.provider, one.account, one.host) == (other.provider, other.account, other.host)


def _larger(failed: Target, other: Target) -> bool:
    if failed.context_window is None or other.context_window is None:
        return False
    return other.context_window > failed.context_window
