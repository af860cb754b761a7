"""In any sequence of calls the breaker that stands alone does what the policy's does."""

import asyncio
from contextvars import Context, copy_context
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from standalone_kit import reply

from failsoft import CircuitBreaker, CircuitOpenError
from failsoft.config.settings import BreakerSettings
from failsoft.policy.breaker import Breaker, Outcome, Rejection, Ticket, Transition

LEASE = 7.0

# What is raised, and what the engine would tell its breaker of it: outcome, weight, named wait.
ENDINGS: dict[str, tuple[BaseException | None, Outcome, int, float | None]] = {
    "well": (None, Outcome.SUCCESS, 1, None),
    "down": (ConnectionRefusedError(), Outcome.FAILURE, 1, None),
    "unknown": (LookupError(), Outcome.FAILURE, 1, None),
    "slow": (TimeoutError(), Outcome.FAILURE, 3, None),
    "asked": (reply(503, retry_after="40"), Outcome.FAILURE, 1, 40.0),
    "left": (asyncio.CancelledError(), Outcome.NEUTRAL, 1, None),
    "blamed": (reply(413, "request_too_large"), Outcome.NEUTRAL, 1, None),
}


RULES = st.fixed_dictionaries(
    {
        "failure_threshold": st.integers(1, 5),
        "failure_span_seconds": st.sampled_from([0.0, 0.25]),
        "timeout_weight": st.just(3),
        "probes": st.integers(1, 2),
        "success_threshold": st.integers(1, 3),
        "recovery_timeout_seconds": st.sampled_from([5.0, 60.0]),
        "metrics_only": st.booleans(),
        "min_calls": st.just(6),
        "window_seconds": st.just(6.0),
    }
)


class Agreement(RuleBasedStateMachine):
    """Blocks of the one, tickets of the other, ended in any order."""

    @initialize(rules=RULES)
    def start(self, rules: dict[str, Any]) -> None:
        self.now = 1000.0
        self.told: list[Transition] = []
        self.told_alone: list[Transition] = []
        self.policy = Breaker(
            BreakerSettings(**rules, recovery="fixed"), on_change=self.told.append
        )
        self.alone = CircuitBreaker(
            "it",
            clock=lambda: self.now,
            lease_seconds=LEASE,
            on_change=self.told_alone.append,
            **rules,
        )
        self.out: list[tuple[Ticket, Context]] = []

    @rule(seconds=st.sampled_from([0.01, 0.3, 1.0, 5.5, 20.0, 60.0]))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def begin(self) -> None:
        answer = self.policy.allow(self.now, lease_seconds=LEASE)
        context = copy_context()
        try:
            context.run(self.alone.__enter__)
        except CircuitOpenError as error:
            assert isinstance(answer, Rejection)
            wait = error.retry_in_seconds
            until = float("inf") if wait is None else self.now + wait
            assert until == pytest.approx(answer.until)
        else:
            assert isinstance(answer, Ticket)
            self.out.append((answer, context))

    @precondition(lambda self: self.out)
    @rule(pick=st.integers(0, 999), ending=st.sampled_from(sorted(ENDINGS)))
    def end(self, pick: int, ending: str) -> None:
        ticket, context = self.out.pop(pick % len(self.out))
        error, outcome, weight, wait = ENDINGS[ending]
        self.policy.done(ticket, outcome, self.now, weight=weight, wait_seconds=wait)
        context.run(self.alone.__exit__, type(error) if error else None, error, None)

    @rule()
    def isolate(self) -> None:
        self.policy.isolate()
        self.alone.isolate()

    @rule()
    def restore(self) -> None:
        self.policy.restore()
        self.alone.restore()

    @invariant()
    def agree(self) -> None:
        if not hasattr(self, "alone"):
            return
        assert self.alone.state is self.policy.state
        assert self.told_alone == self.told
        known, status = self.policy.status(self.now), self.alone.status
        assert (status.calls, status.failures) == (known.calls, known.failures)
        assert status.failures_in_row == known.failures_in_row
        assert status.isolated is known.isolated
        rejection = self.policy.peek(self.now)
        if rejection is None or rejection.until == float("inf"):
            assert status.retry_in_seconds is None
        else:
            assert status.retry_in_seconds == pytest.approx(rejection.until - self.now)


TestAgreement = Agreement.TestCase
