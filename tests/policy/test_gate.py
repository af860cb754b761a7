"""What a verdict does, to whom, and that a refusal holds nothing."""

from random import Random
from threading import Barrier, Thread
from typing import Any

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from policy_verdicts import CHAIN, HAIKU, OPUS, OTHER, SONNET, VERDICTS, target, verdict

from failsoft.classify.verdict import BenchScope, BreakerEffect, Verdict
from failsoft.config.settings import BreakerSettings, BulkheadSettings, Settings
from failsoft.policy.admission import Guards, Held
from failsoft.policy.bench import Refusal
from failsoft.policy.breaker import CircuitState, Outcome, Transition
from failsoft.policy.target import Target
from failsoft.policy.target_guard import Permit

OPEN, CLOSED, HALF_OPEN = CircuitState.OPEN, CircuitState.CLOSED, CircuitState.HALF_OPEN


class Yard:
    """Gates with a clock and a record of all they told."""

    def __init__(self, targets: tuple[Target, ...] = (*CHAIN, OTHER), **settings: Any) -> None:
        self.now = 1000.0
        self.changes: list[tuple[Target, Transition]] = []
        self.held: list[Held] = []
        self.guards = Guards(
            Settings(**{"breaker": BreakerSettings(recovery="fixed"), **settings}),
            rng=Random(0),
            on_change=lambda target, change: self.changes.append((target, change)),
            on_held=self.held.append,
        )
        for one in targets:
            self.guards.of(one)

    def admit(self, one: Target) -> Permit | Refusal:
        return self.guards.of(one).admit(self.now, lease_seconds=20.0)

    def permit(self, one: Target) -> Permit:
        permit = self.admit(one)
        assert isinstance(permit, Permit), permit
        return permit

    def fail(self, one: Target, why: str | Verdict) -> None:
        known = VERDICTS[why] if isinstance(why, str) else why
        self.guards.finish(self.permit(one), known, self.now)

    def succeed(self, one: Target) -> None:
        self.permit(one).finish(Outcome.SUCCESS, self.now)

    def why(self, one: Target) -> str | None:
        refusal = self.guards.of(one).peek(self.now)
        return refusal and refusal.why

    def opened(self, one: Target, why: str = "overloaded") -> None:
        for _ in range(10):
            self.now += 0.05
            self.fail(one, why)
        assert self.guards.of(one).breaker.state is OPEN

    def whys(self, *targets: Target) -> list[str | None]:
        return [self.why(one) for one in targets]


# Reach


@pytest.mark.parametrize("name", [n for n, v in VERDICTS.items() if v.breaker == "counts"])
def test_what_counts_counts_against_its_own_target(name):
    yard = Yard()
    yard.fail(OPUS, name)
    statuses = [yard.guards.of(one).breaker.status(yard.now) for one in (*CHAIN, OTHER)]
    assert [status.failures for status in statuses] == [1, 0, 0, 0]
    assert yard.held == []


@pytest.mark.parametrize("name", [n for n, v in VERDICTS.items() if v.breaker != "counts"])
def test_what_does_not_count_never_opens_a_breaker(name):
    yard = Yard()
    for _ in range(200):
        yard.now += 4000.0
        yard.fail(OPUS, name)
    assert yard.changes == []
    assert yard.guards.of(OPUS).breaker.status(yard.now).calls == 0


@pytest.mark.parametrize("name", [n for n, v in VERDICTS.items() if v.breaker == "no"])
def test_what_does_nothing_holds_nobody_out(name):
    yard = Yard()
    yard.fail(OPUS, name)
    assert yard.whys(*CHAIN, OTHER) == [None] * 4
    assert yard.held == []


def test_a_timeout_counts_as_three():
    yard = Yard()
    for _ in range(3):
        yard.now += 0.2
        yard.fail(OPUS, "no_answer")
    assert yard.guards.of(OPUS).breaker.status(yard.now).failures_in_row == 9
    yard.now += 0.2
    yard.fail(OPUS, "upstream")
    assert yard.guards.of(OPUS).breaker.state is OPEN


def test_a_callers_short_deadline_is_neutral():
    yard = Yard()
    for name in ("deadline", "no_answer_short") * 50:
        yard.now += 0.2
        yard.fail(OPUS, name)
    assert yard.changes == []


def test_a_dead_host_opens_its_three_targets_together_and_no_other():
    yard = Yard()
    for _ in range(10):
        yard.now += 0.05
        yard.fail(OPUS, "connection")
    assert yard.whys(*CHAIN, OTHER) == ["open", "open", "open", None]
    assert {yard.guards.of(one).breaker.status(yard.now).failures for one in CHAIN} == {10}
    assert sorted(one.id for one, _ in yard.changes) == sorted(one.id for one in CHAIN)
    assert all(
        yard.guards.of(one).peek(yard.now).verdict == VERDICTS["connection"] for one in CHAIN
    )


def test_targets_without_a_known_host_share_none():
    nowhere = (target("a", host=""), target("b", host=""))
    yard = Yard(nowhere)
    yard.opened(nowhere[0], "connection")
    assert yard.whys(*nowhere) == ["open", None]


def test_a_rate_limit_benches_its_family_and_nobody_else():
    twin = target("opus-old", family="opus")
    elsewhere = target("opus-eu", family="opus", account="eu")
    yard = Yard((OPUS, twin, SONNET, elsewhere))
    yard.fail(OPUS, verdict("requests", wait_seconds=7.0))
    assert yard.whys(OPUS, twin, SONNET, elsewhere) == ["bench", "bench", None, None]
    assert [(h.scope, h.kind, h.seconds) for h in yard.held] == [
        ("family anthropic/opus", BreakerEffect.BENCH, 7.0)
    ]
    yard.now += 6.99
    assert yard.why(OPUS) == "bench"
    yard.now += 0.02
    assert yard.whys(OPUS, twin) == [None, None]


def test_a_rate_limit_without_a_wait_benches_for_the_default_when_it_is_met_again():
    yard = Yard()
    yard.fail(OPUS, "rate_limited")
    assert yard.why(OPUS) is None
    yard.now += 1.0
    yard.fail(OPUS, "rate_limited")
    refusal = yard.guards.of(OPUS).peek(yard.now)
    assert refusal == Refusal("bench", yard.now + 30.0, VERDICTS["rate_limited"])
    yard.now += 31.0
    yard.fail(OPUS, "rate_limited")
    assert yard.why(OPUS) == "bench", "within 60 s of the last that was met"


def test_a_rate_limit_of_more_than_a_minute_ago_was_not_met_again():
    yard = Yard()
    yard.fail(OPUS, "rate_limited")
    yard.now += 60.1
    yard.fail(OPUS, "rate_limited")
    assert yard.why(OPUS) is None


def test_calls_of_one_burst_have_not_met_a_rate_limit_again():
    yard = Yard()
    permits = [yard.permit(OPUS) for _ in range(20)]
    for permit in permits:
        yard.now += 0.2
        yard.guards.finish(permit, VERDICTS["rate_limited"], yard.now)
    assert yard.why(OPUS) is None


def test_a_rate_limit_met_by_another_model_was_not_met_again():
    yard = Yard()
    yard.fail(OPUS, "rate_limited")
    yard.now += 1.0
    yard.fail(SONNET, "rate_limited")
    assert yard.whys(OPUS, SONNET) == [None, None]


def test_a_wait_of_nothing_is_a_wait_and_not_the_default():
    yard = Yard()
    yard.fail(OPUS, verdict("requests", wait_seconds=0.0))
    assert yard.why(OPUS) is None


@pytest.mark.parametrize("name", ["billing", "authentication", "suspended"])
def test_a_dead_account_parks_all_that_share_it_and_comes_back_after_one_probe(name):
    yard = Yard()
    yard.fail(SONNET, name)
    assert yard.whys(*CHAIN, OTHER) == ["park", "park", "park", None]
    assert yard.held[0].scope == "account anthropic"
    yard.now += 300
    probe = yard.permit(OPUS)
    assert isinstance(yard.admit(SONNET), Refusal), "one probe for the account, not one a target"
    probe.first_content(yard.now)
    assert yard.whys(*CHAIN) == [None] * 3
    yard.now += 10
    assert isinstance(yard.admit(SONNET), Permit)
    assert isinstance(yard.admit(HAIKU), Permit)


def test_a_key_that_is_still_dead_is_parked_twice_as_long():
    yard = Yard()
    yard.fail(OPUS, "authentication")
    yard.now += 300
    yard.fail(HAIKU, "authentication")
    assert [held.seconds for held in yard.held] == [300, 600]
    yard.now += 599
    assert yard.whys(*CHAIN) == ["park"] * 3


def test_a_missing_model_is_parked_alone():
    yard = Yard()
    yard.fail(OPUS, "model_unavailable")
    assert yard.whys(*CHAIN) == ["park", None, None]


def test_a_hundred_calls_in_flight_park_their_account_once():
    yard = Yard()
    permits = [yard.permit(one) for one in CHAIN for _ in range(33)]
    for permit in permits:
        yard.now += 0.1
        yard.guards.finish(permit, VERDICTS["billing"], yard.now)
    assert [held.seconds for held in yard.held] == [300]


def test_limit_headers_bench_before_the_first_429():
    yard = Yard()
    yard.guards.bench(OPUS, 12.0, VERDICTS["requests"], yard.now)
    assert yard.whys(OPUS, SONNET) == ["bench", None]


# Refusals hold nothing


def holding(yard: Yard) -> list[tuple[int, int]]:
    return [(guard.bulkhead.held, guard.bulkhead.waiting) for guard in yard.guards]


@pytest.mark.parametrize(
    ("why", "arrange"),
    [
        ("open", lambda yard: yard.opened(OPUS)),
        ("isolated", lambda yard: yard.guards.of(OPUS).breaker.isolate()),
        ("bench", lambda yard: yard.fail(OPUS, verdict("requests", wait_seconds=30.0))),
        ("park", lambda yard: yard.fail(OPUS, "billing")),
    ],
)
def test_a_refusal_gives_everything_back(why, arrange):
    yard = Yard()
    arrange(yard)
    for _ in range(2000):
        refusal = yard.admit(OPUS)
        assert isinstance(refusal, Refusal)
        assert refusal.why == why
    assert holding(yard) == [(0, 0)] * 4


def test_a_full_target_is_refused_and_free_again_when_one_leaves():
    yard = Yard(bulkhead=BulkheadSettings(target_limit=2))
    first, second = yard.permit(OPUS), yard.permit(OPUS)
    assert yard.why(OPUS) == "full"
    assert yard.admit(OPUS) == Refusal("full", float("inf"), None)
    assert isinstance(yard.admit(SONNET), Permit)
    second.finish(Outcome.SUCCESS, yard.now)
    yard.permit(OPUS).finish(Outcome.NEUTRAL, yard.now)
    first.finish(Outcome.SUCCESS, yard.now)
    assert yard.guards.of(OPUS).bulkhead.held == 0


def test_a_probe_lease_taken_before_a_later_refusal_is_given_back():
    """The account may be probed again, but the target's breaker is open."""
    yard = Yard()
    yard.opened(OPUS)
    yard.fail(SONNET, "billing")
    yard.now += 300
    yard.guards.of(OPUS).breaker.isolate()
    for _ in range(50):
        refusal = yard.admit(OPUS)
        assert isinstance(refusal, Refusal)
        assert refusal.why == "isolated"
    probe = yard.permit(SONNET)
    assert len(probe.leases) == 1, "the refusals before it did not keep the lease"


def test_a_breaker_lease_is_not_taken_by_a_call_its_bench_refuses():
    yard = Yard()
    yard.opened(OPUS)
    yard.guards.bench(OPUS, 60.0, VERDICTS["requests"], yard.now)
    yard.now += 30
    for _ in range(10):
        assert isinstance(yard.admit(OPUS), Refusal)
    assert yard.guards.of(OPUS).breaker.state is OPEN
    yard.now += 60
    assert yard.permit(OPUS).ticket.expires_at is not None


def test_a_permit_may_be_given_back_more_than_once():
    yard = Yard(bulkhead=BulkheadSettings(target_limit=1))
    permit = yard.permit(OPUS)
    for _ in range(3):
        permit.finish(Outcome.NEUTRAL, yard.now)
    second = yard.permit(OPUS)
    permit.finish(Outcome.NEUTRAL, yard.now)
    assert yard.guards.of(OPUS).bulkhead.held == 1
    second.finish(Outcome.NEUTRAL, yard.now)


def test_a_cancelled_probe_leaves_no_trace():
    yard = Yard()
    yard.opened(OPUS)
    yard.now += 16
    probe = yard.permit(OPUS)
    assert yard.why(OPUS) == "half_open"
    probe.finish(Outcome.NEUTRAL, yard.now)
    assert yard.why(OPUS) is None
    assert holding(yard) == [(0, 0)] * 4


def test_a_probe_that_fails_for_the_users_fault_says_nothing():
    yard = Yard()
    yard.opened(OPUS)
    yard.now += 16
    yard.fail(OPUS, "bad_request")
    assert yard.guards.of(OPUS).breaker.state is HALF_OPEN
    yard.succeed(OPUS)
    yard.succeed(OPUS)
    assert yard.guards.of(OPUS).breaker.state is CLOSED


def test_what_opened_a_target_is_what_its_refusals_say():
    yard = Yard()
    yard.opened(OPUS, "unavailable")
    refusal = yard.guards.of(OPUS).peek(yard.now)
    assert refusal is not None
    assert refusal.verdict == VERDICTS["unavailable"]


def test_a_gate_is_made_once_for_a_target_that_many_threads_ask_for():
    guards, barrier, seen = Guards(Settings(), rng=Random(0)), Barrier(8), []

    def ask() -> None:
        barrier.wait()
        seen.append(guards.of(OPUS))

    threads = [Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(guard) for guard in seen}) == 1
    assert [guard.target for guard in guards] == [OPUS]


# Everything at once


NAMES = sorted(VERDICTS)
TARGETS = (OPUS, target("opus-old", family="opus"), SONNET, OTHER)


class GatesMachine(RuleBasedStateMachine):
    """Calls to four targets in any order: nothing leaks, and ``peek`` never lies."""

    @initialize()
    def start(self) -> None:
        rules = BreakerSettings(failure_threshold=3, failure_span_seconds=0.1, min_calls=5)
        self.yard = Yard(TARGETS, breaker=rules, bulkhead=BulkheadSettings(target_limit=3))
        self.out: list[Permit] = []

    @rule(seconds=st.sampled_from([0.05, 0.5, 3.0, 16.0, 31.0, 301.0, 3601.0]))
    def pass_time(self, seconds: float) -> None:
        self.yard.now += seconds

    @rule(one=st.sampled_from(TARGETS))
    def admit(self, one: Target) -> None:
        guard, now = self.yard.guards.of(one), self.yard.now
        state = guard.breaker.state
        peeked = guard.peek(now)
        assert guard.peek(now) == peeked
        assert guard.breaker.state is state, "peeking moved it"
        held = guard.bulkhead.held
        answer = self.yard.admit(one)
        if isinstance(answer, Permit):
            assert peeked is None
            self.out.append(answer)
        else:
            assert guard.bulkhead.held == held
            assert answer.until >= now
            if peeked is None:
                assert answer.why == "ramp", "only dice may surprise"
            else:
                assert answer == peeked

    @precondition(lambda self: self.out)
    @rule(pick=st.integers(0, 99))
    def first_content(self, pick: int) -> None:
        self.out[pick % len(self.out)].first_content(self.yard.now)

    @precondition(lambda self: self.out)
    @rule(pick=st.integers(0, 99), outcome=st.sampled_from([Outcome.SUCCESS, Outcome.NEUTRAL]))
    def finish(self, pick: int, outcome: Outcome) -> None:
        self.out.pop(pick % len(self.out)).finish(outcome, self.yard.now)

    @precondition(lambda self: self.out)
    @rule(
        pick=st.integers(0, 99),
        name=st.sampled_from(NAMES),
        wait=st.sampled_from([None, 0.0, 2.0, 30.0, 1000.0]),
    )
    def fail(self, pick: int, name: str, wait: float | None) -> None:
        permit = self.out.pop(pick % len(self.out))
        self.yard.guards.finish(permit, verdict(name, wait_seconds=wait), self.yard.now)

    @rule(one=st.sampled_from(TARGETS))
    def isolate(self, one: Target) -> None:
        self.yard.guards.of(one).breaker.isolate()
        assert self.yard.why(one) is not None

    @rule(one=st.sampled_from(TARGETS))
    def restore(self, one: Target) -> None:
        self.yard.guards.of(one).breaker.restore()

    @invariant()
    def places_are_those_of_the_calls_under_way(self) -> None:
        if not hasattr(self, "yard"):
            return
        for one in TARGETS:
            under_way = sum(permit.guard.target is one for permit in self.out)
            bulkhead = self.yard.guards.of(one).bulkhead
            assert (bulkhead.held, bulkhead.waiting) == (under_way, 0)

    def teardown(self) -> None:
        """When all is given back and every hold is over, every target lets somebody in."""
        if not hasattr(self, "yard"):
            return
        for permit in self.out:
            permit.finish(Outcome.NEUTRAL, self.yard.now)
        for one in TARGETS:
            breaker = self.yard.guards.of(one).breaker
            if breaker.status(self.yard.now).isolated:
                breaker.restore()
        self.yard.now += 4000.0
        for one in TARGETS:
            self.yard.succeed(one)
            # A scope that is well again starts slowly for all that share it.
            self.yard.now += 10.0


GatesMachine.TestCase.settings = hypothesis_settings(max_examples=40, stateful_step_count=40)
TestGatesMachine = GatesMachine.TestCase


@pytest.mark.parametrize("scope", list(BenchScope))
def test_a_scope_a_target_does_not_share_is_the_target_itself(scope):
    lonely = Target(provider="p", model="m")
    sibling = Target(provider="p", model="n")
    yard = Yard((lonely, sibling))
    yard.guards.bench(lonely, 5.0, verdict("requests", bench_scope=scope), yard.now)
    shared = scope is BenchScope.ACCOUNT
    assert yard.whys(lonely, sibling) == ["bench", "bench" if shared else None]


def test_a_connection_brownout_of_the_primary_opens_no_fallback():
    """A fallback that nobody calls has no successes that could break a row of its own."""
    yard, dice = Yard(), Random(1)
    for _ in range(1000):
        yard.now += 0.1
        if dice.random() < 0.2:
            yard.fail(OPUS, "connection")
        else:
            permit = yard.permit(OPUS)
            permit.first_content(yard.now)
            permit.finish(Outcome.SUCCESS, yard.now)
    assert yard.changes == []


@pytest.mark.parametrize("proof", ["content", "reply"])
def test_any_reply_of_any_target_proves_the_host_alive(proof):
    yard = Yard()
    for _ in range(9):
        yard.now += 0.05
        yard.fail(OPUS, "connection")
    if proof == "content":
        yard.permit(HAIKU).first_content(yard.now)
    else:
        yard.fail(HAIKU, verdict("bad_request", http_status=400))
    yard.now += 0.05
    yard.fail(OPUS, "connection")
    assert yard.whys(OPUS, SONNET, HAIKU) == ["open", None, None], "its own row is ten long"


def test_connection_failures_of_several_targets_add_up_for_their_host():
    yard = Yard()
    for one in (*CHAIN, *CHAIN, *CHAIN):
        yard.now += 0.05
        yard.fail(one, "connection")
    assert yard.changes == []
    for _ in range(7):
        yard.now += 0.05
        yard.fail(OPUS, "connection")
    assert yard.whys(*CHAIN, OTHER) == ["open", "open", "open", None]
    assert [change.reason for _, change in yard.changes] == [
        "failures in a row",
        *["host down"] * 2,
    ]


def test_a_park_is_not_lost_under_a_shorter_bench():
    """A target without a family is benched by itself; its model may be missing as well."""
    one = target("m", family="")
    yard = Yard((one,))
    permits = [yard.permit(one) for _ in range(2)]
    verdicts = (verdict("requests", wait_seconds=30.0), VERDICTS["model_unavailable"])
    for permit, known in zip(permits, verdicts, strict=True):
        yard.guards.finish(permit, known, yard.now)
    yard.now += 100
    assert yard.why(one) == "park"


@pytest.mark.parametrize("why", ["isolated", "bench", "park"])
def test_a_full_target_is_first_of_all_what_else_it_is(why):
    yard = Yard(bulkhead=BulkheadSettings(target_limit=1))
    guard = yard.guards.of(OPUS)
    if why == "isolated":
        yard.permit(OPUS)
        guard.breaker.isolate()
    elif why == "bench":
        yard.permit(OPUS)
        yard.guards.bench(OPUS, 30.0, VERDICTS["requests"], yard.now)
    else:
        yard.fail(SONNET, "billing")
        guard.bulkhead.enter()
    refusal = yard.admit(OPUS)
    assert isinstance(refusal, Refusal)
    assert refusal.why == why


def test_after_a_bench_cut_short_what_waited_comes_back_slowly():
    yard = Yard()
    yard.guards.bench(OPUS, 3600.0, VERDICTS["requests"], yard.now)
    yard.now += 900
    yard.succeed(OPUS)
    yard.now += 0.1
    assert sum(isinstance(yard.admit(OPUS), Permit) for _ in range(500)) < 50
