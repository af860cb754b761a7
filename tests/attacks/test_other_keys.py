"""The trouble of one key is nobody else's: not another key's, and not another host's."""

import asyncio
import json
from contextlib import asynccontextmanager
from random import Random

import anthropic
import pytest
from loopback import fixed, serving

from failsoft import Failsoft, Settings, wrap
from failsoft.classify import verdict_for
from failsoft.config.settings import (
    CacheSettings,
    ProviderSettings,
    RetrySettings,
    TimerSettings,
)
from failsoft.policy.admission import _MOST_CALLERS, Guards
from failsoft.policy.target import Target

OPUS = "claude-opus-5-5"
QUESTION = {"model": OPUS, "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
ANSWER = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": OPUS,
    "content": [{"type": "text", "text": "ok"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 1, "output_tokens": 1},
}
REFUSALS = {
    "wrong": (401, "authentication_error", "invalid x-api-key", ""),
    "broke": (400, "invalid_request_error", "Your credit balance is too low", ""),
    "poor": (404, "not_found_error", f"model: {OPUS}", ""),
    "busy": (429, "rate_limit_error", "Too many requests", "retry-after: 55\r\n"),
}
BAD = pytest.mark.parametrize("bad", list(REFUSALS))
KINDS = pytest.mark.parametrize("kind", ["async", "sync"])
ONCE = Settings(
    retry=RetrySettings(max_attempts=1),
    cache=CacheSettings(enabled=False),
    timers=TimerSettings(),
    deadline_seconds=5,
)


def key_of(request):
    shown = request.headers.get("x-api-key") or request.headers.get("authorization", "")
    return shown.removeprefix("Bearer ")


async def by_key(peer):
    status, kind, message, more = REFUSALS.get(key_of(peer.request), (200, "", "", ""))
    error = {"type": "error", "error": {"type": kind, "message": message}}
    head = f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\n{more}".encode()
    await peer.send(fixed(head, json.dumps(error if status >= 400 else ANSWER).encode()))


class Wrapped:
    """A wrapped client of either kind, whose copies are asked."""

    def __init__(self, kind, url, **more):
        make = anthropic.AsyncAnthropic if kind == "async" else anthropic.Anthropic
        self.bare = make(api_key="good", base_url=url, max_retries=0)
        self.client = wrap(self.bare, **({"settings": ONCE} | more))

    async def ask(self, headers=None, **options):
        client = self.client.with_options(**options) if options else self.client
        try:
            if isinstance(client, anthropic.AsyncAnthropic):
                await client.messages.create(**QUESTION, extra_headers=headers)
            else:
                await asyncio.to_thread(client.messages.create, **QUESTION, extra_headers=headers)
        except anthropic.APIStatusError as error:
            return error.status_code
        return 200

    async def aclose(self):
        closed = self.bare.close()
        if closed is not None:
            await closed


@asynccontextmanager
async def wrapped(kind, url, **more):
    use = Wrapped(kind, url, **more)
    try:
        yield use
    finally:
        await use.aclose()


@KINDS
@BAD
async def test_a_key_of_a_copy_harms_no_other(kind, bad):
    status = REFUSALS[bad][0]
    async with (
        serving(by_key) as here,
        serving(by_key) as there,
        wrapped(kind, here.url) as use,
    ):
        assert await use.ask(api_key=bad) == status
        assert await use.ask(api_key="another") == 200
        assert await use.ask() == 200
        assert await use.ask(api_key=bad, base_url=there.url) == status
    assert [key_of(request) for request in here.requests] == [bad, "another", "good"]
    assert len(there.requests) == 1


@KINDS
@BAD
async def test_nor_does_one_in_the_headers_of_a_call(kind, bad):
    async with serving(by_key) as here, wrapped(kind, here.url) as use:
        assert await use.ask({"X-Api-Key": bad}) == REFUSALS[bad][0]
        assert await use.ask({"X-Api-Key": "another"}) == 200
        assert await use.ask(default_headers={"x-api-key": "a third"}) == 200
        assert await use.ask() == 200
        before = len(here.requests)
        await use.ask({"x-api-key": bad})
        assert len(here.requests) == before, "and its own it does harm"


@KINDS
async def test_a_key_that_was_put_in_its_place_is_tried_at_once(kind):
    async with serving(by_key) as here, wrapped(kind, here.url) as use:
        use.client.api_key = "wrong"
        assert await use.ask() == 401
        use.client.api_key = "right"
        assert await use.ask() == 200


@KINDS
async def test_also_where_other_middleware_stands_between(kind):
    if kind == "async":

        async def between(request, call_next):
            return await call_next(request)
    else:

        def between(request, call_next):
            return call_next(request)

    async with serving(by_key) as here, wrapped(kind, here.url) as use:
        use.client = use.client.with_options(middleware=[*use.client.middleware, between])
        assert await use.ask(api_key="wrong") == 401
        assert await use.ask(api_key="another") == 200


async def test_two_clients_that_share_a_failsoft_share_no_key():
    async with serving(by_key) as here, Failsoft(ONCE) as ai:
        bad = anthropic.AsyncAnthropic(api_key="wrong", base_url=here.url)
        good = anthropic.AsyncAnthropic(api_key="right", base_url=here.url)
        with pytest.raises(anthropic.AuthenticationError):
            await wrap(bad, ai=ai).messages.create(**QUESTION)
        answer = await wrap(good, ai=ai).messages.create(**QUESTION)
        assert answer.content[0].text == "ok"
        await bad.close()
        await good.close()


@BAD
async def test_a_key_in_the_headers_of_complete_harms_no_other(bad):
    async with serving(by_key) as here:
        own = ProviderSettings(api_key="good", base_url=here.url)
        settings = Settings(anthropic=own, retry=ONCE.retry, cache=ONCE.cache, deadline_seconds=5)
        async with Failsoft(settings, chain=[f"anthropic/{OPUS}"]) as ai:
            for _ in range(2):
                with pytest.raises(Exception, match=r" · "):
                    await ai.complete(
                        messages=QUESTION["messages"], extra_headers={"x-api-key": bad}
                    )
            for headers in ({"x-api-key": "another"}, None):
                answer = await ai.complete(messages=QUESTION["messages"], extra_headers=headers)
                assert answer.text == "ok"
    assert [key_of(request) for request in here.requests] == [bad, "another", "good"]


def test_no_key_is_in_what_is_told_of_it():
    target = Target(provider="anthropic", model=OPUS).under("sk-secret", host="a")
    assert "secret" not in repr(target)
    assert target.id == f"anthropic/{OPUS}"


def test_what_is_kept_of_keys_is_bounded_and_breakers_are_shared():
    guards = Guards(Settings(), rng=Random(1))
    target = Target(provider="anthropic", model=OPUS, host="a")
    first = guards.of(target.under("0"))
    for number in range(2 * _MOST_CALLERS):
        guard = guards.of(target.under(str(number)))
        guards.bench(guard.target, 60, verdict_for("requests", wait_seconds=60), 0.0)
        assert guard.breaker is first.breaker
        assert guard.peek(1.0).why == "bench"
    assert guards.peek(target, 1.0) is None
    assert len(list(guards)) == _MOST_CALLERS + 1
    assert len(guards._benches) <= 3 * _MOST_CALLERS + 4
    assert guards.of(target.under("0")).peek(1.0) is None, "the oldest is forgotten"
    assert guards.of(target.under("1", host="b")).breaker is not first.breaker
