"""What one caller sends fails everywhere by itself: nobody else is turned away for it."""

import json
from contextlib import asynccontextmanager
from random import Random

import pytest
from loopback import SSE_HEAD, chunked, fixed, serving

from failsoft import Failsoft, Settings
from failsoft.classify import verdict_for
from failsoft.config.settings import BreakerSettings, CacheSettings, ProviderSettings, RetrySettings
from failsoft.policy.admission import Guards
from failsoft.policy.breaker import CircuitState
from failsoft.policy.callers import WELL_SECONDS, Caller, RecentCallers
from failsoft.policy.pacing import Demand
from failsoft.policy.recovery import Recovery
from failsoft.policy.target import Target
from failsoft.policy.target_guard import Permit

EVENTS = (
    {"type": "message_start", "message": {"role": "assistant", "content": []}},
    {
        "type": "content_block_delta",
        "index": 0,
        "delta": {"type": "text_delta", "text": "ok"},
    },
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 1}},
    {"type": "message_stop"},
)
ANSWER = chunked(
    SSE_HEAD, b"".join(f"event: {e['type']}\ndata: {json.dumps(e)}\n\n".encode() for e in EVENTS)
)
FAILED = fixed(b"HTTP/1.1 500 X\r\ncontent-type: application/json\r\n", b"{}")


async def by_content(peer):
    await peer.send(FAILED if b"poison" in peer.request.body else ANSWER)


@asynccontextmanager
async def service(**rules):
    async with serving(by_content) as server:
        settings = Settings(
            anthropic=ProviderSettings(api_key="k", base_url=server.url),
            cache=CacheSettings(enabled=False),
            retry=RetrySettings(max_attempts=3),
            breaker=BreakerSettings(failure_span_seconds=0, **rules),
        )
        async with Failsoft(settings) as ai:
            yield ai


async def poison(ai, tenant, times=40):
    for _ in range(times):
        assert (await ai.ask("poison", tenant=tenant)).status == "error"


async def test_who_was_answered_is_answered_on_by_the_first_model():
    async with service() as ai:
        assert (await ai.ask("hi", tenant="b")).status == "success"
        await poison(ai, "a")
        assert ai.circuit_state is CircuitState.CLOSED
        for _ in range(10):
            answer = await ai.ask("hi", tenant="b")
            assert (answer.status, answer.position) == ("success", 0)
            await poison(ai, "a", 3)


async def test_who_comes_later_is_let_in_at_once():
    async with service() as ai:
        await poison(ai, "a")
        assert ai.circuit_state is CircuitState.OPEN
        assert (await ai.ask("hi", tenant="b")).status == "success"


async def test_users_of_one_tenant_are_callers_of_their_own():
    async with service() as ai:
        assert (await ai.ask("hi", tenant="t", principal="b")).status == "success"
        for _ in range(40):
            await ai.ask("poison", tenant="t", principal="a")
        assert (await ai.ask("hi", tenant="t", principal="b")).position == 0


async def test_an_outage_that_all_meet_opens_as_ever():
    async with service() as ai:
        assert (await ai.ask("hi", tenant="c")).status == "success"
        for number in range(10):
            await ai.ask("poison", tenant="ab"[number % 2])
        assert ai.circuit_state is CircuitState.OPEN
        assert (await ai.ask("hi", tenant="d")).status == "error"


TARGET = Target(provider="anthropic", model="claude-opus-5-5", host="h")


class World:
    """One target, in a time of its own."""

    def __init__(self, **rules):
        rules = BreakerSettings(failure_span_seconds=0, recovery="fixed", **rules)
        self.guards = Guards(Settings(breaker=rules), rng=Random(1))
        self.guard = self.guards.of(TARGET)
        self.route = RecentCallers()
        self.recovery = Recovery(rules, Demand(10), rng=Random(2))
        self.now = 100.0

    def admit(self, who):
        return self.guard.admit(
            self.now, lease_seconds=5, caller=Caller(who, self.route, self.recovery)
        )

    def call(self, who, reason=None):
        """Whether it was let through."""
        permit = self.admit(who)
        if not isinstance(permit, Permit):
            return False
        if reason is None:
            permit.first_content(self.now)
        else:
            self.guards.finish(permit, verdict_for(reason), self.now)
        return True

    @property
    def state(self):
        return self.guard.breaker.state


@pytest.mark.parametrize("reason", ["server_error", "no_answer", "stream_cut"])
def test_the_failures_of_one_fill_half_while_others_are_answered(reason):
    world = World()
    for _ in range(100):
        world.call("b")
        for _ in range(20):
            assert world.call("a", reason)
        world.now += 1
    assert world.state is CircuitState.CLOSED


def test_for_so_long_as_that_is_so():
    world = World()
    world.call("b")
    world.now += WELL_SECONDS
    for _ in range(20):
        world.call("a", "server_error")
    assert world.state is CircuitState.CLOSED
    world.now += 0.1
    for _ in range(5):
        world.call("a", "server_error")
    assert world.state is CircuitState.OPEN


def test_what_one_alone_has_opened_another_probes_at_once_and_only_one():
    world = World(success_threshold=1)
    for _ in range(10):
        world.call("a", "server_error")
    assert world.state is CircuitState.OPEN
    assert not world.call("a")
    first = world.admit("b")
    assert isinstance(first, Permit)
    assert not world.call("c")
    first.first_content(world.now)
    assert world.state is CircuitState.CLOSED
    assert world.call("c")


def test_a_probe_that_fails_for_another_too_is_an_outage():
    world = World()
    for _ in range(10):
        world.call("a", "server_error")
    assert world.call("b", "server_error")
    assert world.state is CircuitState.OPEN
    assert not world.call("c")


def test_a_probe_of_the_one_who_opened_it_does_not_keep_others_out():
    world = World(success_threshold=2)
    for _ in range(10):
        world.call("a", "server_error")
    assert world.call("b")
    assert world.guard.breaker.on_trial
    for _ in range(20):
        world.now += 1.0
        assert world.call("a", "server_error") or world.call("b")
    assert world.state is CircuitState.CLOSED


def test_who_is_answered_elsewhere_meanwhile_counts_in_full():
    """Its requests are answered by another model: what fails is the target, and not its content."""
    world = World()
    world.call("b")
    for number in range(1, 11):
        assert world.state is CircuitState.CLOSED
        world.now += 0.05
        world.call("a", "server_error")
        world.now += 0.01
        world.route.note("a", world.now)
        assert world.state is (CircuitState.OPEN if number == 10 else CircuitState.CLOSED)


def test_callers_that_are_told_apart_are_bounded():
    world = World(failure_threshold=1000, min_calls=100_000)
    for number in range(1000):
        world.call(number, "server_error")
    share = world.guard.share
    assert len(share._failed) == 64
