"""Around a provider: what fails, how often, and what is left alone."""

from contextlib import asynccontextmanager
from random import Random

import pytest

from failsoft.classify.wire_errors import ReplyFailed, StreamFailed
from failsoft.faults import Injector, Simulation
from failsoft.policy.target import Target
from failsoft.providers.protocol import ProviderCall, WireEvent

OPUS = Target(provider="anthropic", model="opus")
HAIKU = Target(provider="anthropic", model="haiku")
PING = WireEvent("ping", {}, content=False, text="")


class Reply:
    headers = {"request-id": "req_up"}  # noqa: RUF012 - a reply of one test
    request_id = "req_up"
    message = {"content": "…"}  # noqa: RUF012 - as above

    def __init__(self, events):
        self.events = iter(events)

    def __aiter__(self):
        return self

    async def __anext__(self):
        try:
            return next(self.events)
        except StopIteration:
            raise StopAsyncIteration from None


class Wire:
    def __init__(self, *events):
        self.events = events
        self.entered = self.left = self.closed = 0

    @asynccontextmanager
    async def exchange(self, _call):
        self.entered += 1
        try:
            yield Reply(self.events)
        finally:
            self.left += 1

    async def aclose(self):
        self.closed += 1


def words(*texts):
    return [WireEvent("delta", {}, content=True, text=text) for text in texts]


def injector(wire, told, seed=1, **simulation):
    simulation = Simulation(**{"reason": "overloaded"} | simulation)
    return Injector(wire, simulation, on_injected=told.append, rng=Random(seed))


async def read(provider, call, got):
    async with provider.exchange(call) as exchange:
        assert exchange.request_id == "req_up"
        assert exchange.headers == {"request-id": "req_up"}
        assert exchange.message == {"content": "…"}
        async for event in exchange:
            got.append(event)


async def test_the_wire_is_not_called_where_the_attempt_fails_at_once():
    wire, told, got = Wire(*words("a")), [], []
    call = ProviderCall(OPUS, {}, request_id="req_1", number=3)
    with pytest.raises(ReplyFailed) as raised:
        await read(injector(wire, told), call, got)
    assert raised.value.status == 529
    assert (wire.entered, got, told) == (0, [], [call])


async def test_other_targets_are_left_alone():
    wire, told, got = Wire(*words("a", "b")), [], []
    provider = injector(wire, told, target=OPUS.id)
    await read(provider, ProviderCall(HAIKU, {}), got)
    assert (got, told) == (words("a", "b"), [])
    with pytest.raises(ReplyFailed):
        await read(provider, ProviderCall(OPUS, {}), got)


async def test_a_stream_fails_after_so_many_contents():
    wire, told, got = Wire(PING, *words("a"), PING, *words("b", "c"), PING), [], []
    with pytest.raises(StreamFailed):
        await read(injector(wire, told, after=2), ProviderCall(OPUS, {}), got)
    assert got == [PING, *words("a"), PING, *words("b")]
    assert (wire.entered, wire.left, len(told)) == (1, 1, 1)


async def test_a_stream_of_just_so_many_contents_fails_and_a_shorter_one_does_not():
    told, got = [], []
    with pytest.raises(StreamFailed):
        await read(injector(Wire(*words("a", "b")), told, after=2), ProviderCall(OPUS, {}), got)
    await read(injector(Wire(*words("a")), told, after=2), ProviderCall(OPUS, {}), got)
    assert got == words("a", "b", "a")
    assert len(told) == 1


async def test_a_rate_is_a_share_of_the_attempts():
    wire, told = Wire(*words("a")), []
    provider = injector(wire, told, rate=0.2)
    failed = 0
    for _ in range(1000):
        try:
            await read(provider, ProviderCall(OPUS, {}), [])
        except ReplyFailed:
            failed += 1
    assert failed == len(told) == 1000 - wire.entered
    assert 150 < failed < 250


async def test_connections_are_the_wires_own():
    wire = Wire()
    await injector(wire, []).aclose()
    assert wire.closed == 1
