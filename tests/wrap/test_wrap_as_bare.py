"""What a client of the SDK does by itself, and does wrapped: its settings, middleware, tokens."""

import asyncio
import json
import time

import anthropic
import httpx2
import pytest
from anthropic.lib.credentials import AccessToken
from loopback import SSE_HEAD, fixed, serving
from test_wrap_failures import IN_ONE_PIECE, KINDS, create, read
from wrap_kit import OPUS, QUESTION, SONNET, Wrapped, sdk_client, wrapped

import failsoft
from failsoft import Failsoft, SettingError, Settings, answer_of
from failsoft.config.settings import BreakerSettings, ProviderSettings, RetrySettings
from failsoft.testing import RunningSimulator

QUICK = RetrySettings(base_delay_seconds=0.01, overloaded_min_seconds=0.01)
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": OPUS,
    "content": [{"type": "text", "text": "A"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 1, "output_tokens": 1},
}
JSON_HEAD = b"content-type: application/json\r\n"
ANSWERED = fixed(b"HTTP/1.1 200 OK\r\n" + JSON_HEAD, json.dumps(MESSAGE).encode())


def refused(status, kind):
    body = {"type": "error", "error": {"type": kind, "message": "no"}}
    return fixed(b"HTTP/1.1 %d No\r\n" % status + JSON_HEAD, json.dumps(body).encode())


def event(name, data):
    return b"event: %b\ndata: %b\n\n" % (name.encode(), data)


# A caller's own limits


DOORS = {
    "client": ({"timeout": 0.8}, {}, {}),
    "with_options": ({}, {"timeout": 0.8}, {}),
    "client, by phase": ({"timeout": httpx2.Timeout(30, read=0.8)}, {}, {}),
    "call": ({}, {}, {"timeout": 0.8}),
    "call, by phase": ({}, {}, {"timeout": httpx2.Timeout(30, read=0.8)}),
}


@KINDS
@pytest.mark.parametrize("fault", ["hang", "stall"])
@pytest.mark.parametrize("door", DOORS)
async def test_a_limit_of_the_callers_own_says_nothing_of_the_model(kind, door, fault):
    of_client, of_copy, of_call = DOORS[door]
    if fault == "stall" and "phase" not in door:
        pytest.skip("a number limits what comes before the first content of a stream")
    with RunningSimulator(faults=[f"*={fault}"]) as simulator:
        settings = Settings(
            anthropic=ProviderSettings(api_key="k", base_url=simulator.url),
            breaker=BreakerSettings(failure_threshold=1, failure_span_seconds=0),
        )
        async with Failsoft(settings, chain=[f"anthropic/{OPUS}"]) as ai:
            bare = sdk_client(kind, simulator.url, **of_client)
            use = Wrapped(failsoft.wrap(bare, ai=ai).with_options(**of_copy), simulator, [])
            with pytest.raises(anthropic.APITimeoutError) as caught:
                await (read if fault == "stall" else create)(use, **of_call)
            [attempt] = answer_of(caught.value).attempts
            assert str(attempt.verdict) == "timeout · deadline"
            assert ai.circuit_state == "closed"
            simulator.set("*")
            patient = Wrapped(failsoft.wrap(sdk_client(kind, simulator.url), ai=ai), None, [])
            assert (await create(patient)).model == OPUS
            for one in (use, patient):
                await one.do(lambda client: client.close())


@KINDS
@pytest.mark.parametrize(("retries", "calls"), [(0, 1), (1, 2)])
@pytest.mark.parametrize("by", ["client", "with_options"])
async def test_fewer_retries_than_the_sdks_own_are_kept(kind, retries, calls, by):
    with RunningSimulator(faults=["*=529"]) as simulator:
        given = {"max_retries": retries}
        bare = sdk_client(kind, simulator.url, **(given if by == "client" else {}))
        client = failsoft.wrap(bare, chain=[SONNET], settings=Settings(retry=QUICK))
        use = Wrapped(client if by == "client" else client.with_options(**given), simulator, [])
        with pytest.raises(anthropic.OverloadedError):
            await create(use)
        assert sorted(use.models) == [OPUS] * calls + [SONNET] * calls
        assert use.client.max_retries == retries
        await use.do(lambda client: client.close())


@KINDS
async def test_the_limits_that_are_sent_are_those_of_the_caller_in_every_attempt(kind):
    names = ("x-stainless-timeout", "x-stainless-read-timeout")
    async with wrapped(kind, f"{OPUS}=529", chain=[SONNET]) as use:
        for timeout in (20, httpx2.Timeout(30, read=25), httpx2.Timeout(20, read=None)):
            bare = sdk_client(kind, use.simulator.url, sent := [], max_retries=0)
            with pytest.raises(anthropic.OverloadedError):
                await create(Wrapped(bare, None, []), timeout=timeout)
            await create(use, timeout=timeout)
            [first] = sent
            shown = [first.headers.get(name) for name in names]
            assert len(use.sent) > 1
            for request in use.sent:
                assert [request.headers.get(name) for name in names] == shown
            use.sent.clear()
            await Wrapped(bare, None, []).do(lambda client: client.close())


@KINDS
async def test_after_the_last_attempt_the_sdk_does_not_sleep(kind, monkeypatch):
    def sleep(*_, **__):
        raise AssertionError("the SDK tried again")

    for one in (anthropic._base_client.SyncAPIClient, anthropic._base_client.AsyncAPIClient):
        monkeypatch.setattr(one, "_sleep_for_retry", sleep)
    async with wrapped(kind, "*=close", settings=Settings(retry=QUICK)) as use:
        with pytest.raises(anthropic.APIConnectionError):
            await create(use)
        assert len(use.sent) == QUICK.max_attempts


@KINDS
async def test_without_a_hook_of_the_sdks_its_retries_multiply_nothing_either(kind, monkeypatch):
    for one in (anthropic._base_client.SyncAPIClient, anthropic._base_client.AsyncAPIClient):
        monkeypatch.setattr(one, "_calculate_retry_timeout", lambda *_, **__: 0)
    async with wrapped(kind, "*=close", settings=Settings(retry=QUICK)) as use:
        del vars(use.client)["_should_retry_exception"]
        with pytest.raises(anthropic.APIConnectionError):
            await create(use)
        assert len(use.sent) == QUICK.max_attempts


# A broken stream


DELTA = b'{"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "B"}}'
BROKEN = {
    "cut": event("content_block_delta", DELTA[:60]),
    "cut, lines ended by CRLF": event("content_block_delta", DELTA[:60]).replace(b"\n", b"\r\n"),
    "no object": event("content_block_delta", b"[1]"),
}


@KINDS
@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("broken", BROKEN)
async def test_a_broken_event_is_an_answer_that_broke_off(kind, broken, whole):
    begun = IN_ONE_PIECE[: IN_ONE_PIECE.index(b"event: error")]

    async def respond(peer):
        head = SSE_HEAD + b"content-length: 9999\r\n\r\n"
        pieces = [begun + BROKEN[broken]] if whole else [begun, *split(BROKEN[broken])]
        await peer.send(head + pieces[0])
        for piece in pieces[1:]:
            await asyncio.sleep(0)
            await peer.send(piece)
        await peer.gone()

    seen = []
    async with serving(respond) as server:
        use = Wrapped(failsoft.wrap(sdk_client(kind, server.url)), None, [])
        stream = await create(use, stream=True)
        with pytest.raises(anthropic.APIConnectionError, match="broke off") as caught:
            await use.each_into(seen, stream)
        await use.do(lambda client: client.close())
    assert seen[-1].delta.text == "A"
    assert answer_of(caught.value).notice.title == "The answer was cut short"


def split(data):
    return [data[at : at + 7] for at in range(0, len(data), 7)]


@KINDS
async def test_bytes_that_are_no_text_are_shown_as_such(kind):
    end = b'{"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {}}'
    body = IN_ONE_PIECE[: IN_ONE_PIECE.index(b"event: error")] + b"".join(
        (
            event("content_block_delta", DELTA.replace(b"B", b"\xff\xc3")),
            event("content_block_stop", b'{"type": "content_block_stop", "index": 0}'),
            event("message_delta", end),
            event("message_stop", b'{"type": "message_stop"}'),
        )
    )
    async with serving(fixed(SSE_HEAD, body)) as server:
        use = Wrapped(failsoft.wrap(sdk_client(kind, server.url)), None, [])
        events = await read(use)
        await use.do(lambda client: client.close())
    assert [one.delta.text for one in events if one.type == "content_block_delta"] == [
        "A",
        "\ufffd\ufffd",
    ]


# What failsoft knows


async def test_an_exception_of_another_package_leads_to_the_answer():
    async with wrapped("async", "*=bad_key") as use:
        with pytest.raises(anthropic.AuthenticationError) as caught:
            await create(use)
    answer = answer_of(caught.value)
    by_cause, by_context, around = KeyError(), ValueError(), RuntimeError()
    by_cause.__cause__ = caught.value
    by_context.__context__ = caught.value
    around.__cause__ = by_context
    by_context.__cause__ = around  # a ring
    assert answer_of(by_cause) is answer_of(by_context) is answer_of(around) is answer
    assert answer_of(RuntimeError()) is None


@KINDS
async def test_a_missing_key_is_an_exception_of_the_sdk_as_well(kind):
    made = anthropic.Anthropic if kind == "sync" else anthropic.AsyncAnthropic
    use = Wrapped(failsoft.wrap(made(api_key="", base_url="http://127.0.0.1:9")), None, [])
    use.client.api_key = None
    with pytest.raises(anthropic.APIError, match="authentication") as caught:
        await create(use)
    assert isinstance(caught.value, TypeError)
    assert str(answer_of(caught.value).verdict) == "auth_error · authentication"
    await use.do(lambda client: client.close())


# Middleware of the caller's own


def noting(kind, seen, made=None):
    def note(request, call_next):
        seen.append((request.json["model"], request.retries_taken))
        return call_next(request) if made is None else made()

    async def note_async(request, call_next):
        seen.append((request.json["model"], request.retries_taken))
        return await call_next(request) if made is None else made()

    return note if kind == "sync" else note_async


@KINDS
async def test_middleware_of_the_callers_own_sees_every_attempt(kind):
    seen = []
    with RunningSimulator(faults=[f"{OPUS}=529"]) as simulator:
        bare = sdk_client(kind, simulator.url, middleware=[noting(kind, seen)])
        use = Wrapped(failsoft.wrap(bare, chain=[SONNET]), simulator, [])
        assert (await create(use)).model == SONNET
        assert seen == [(OPUS, 0), (SONNET, 1)]
        await use.do(lambda client: client.close())


@KINDS
@pytest.mark.parametrize(
    "change",
    [
        lambda client, mine: client.with_options(middleware=[mine]),
        lambda client, mine: client.copy(middleware=[mine]).with_options(timeout=20),
        lambda client, mine: client.with_options(middleware=[*client.middleware, mine]),
        lambda client, mine: client.with_middleware(mine),
        lambda client, mine: client.copy(middleware=None).with_middleware(mine),
    ],
)
async def test_a_copy_with_middleware_of_its_own_is_wrapped_too(kind, change):
    seen = []
    async with wrapped(kind, f"{OPUS}=529", chain=[SONNET]) as use:
        use.client = change(use.client, noting(kind, seen))
        assert (await create(use)).model == SONNET
        assert seen == [(OPUS, 0), (SONNET, 1)]


@KINDS
@pytest.mark.parametrize("stream", [False, True])
async def test_what_middleware_of_the_callers_own_makes_passes_untouched(kind, stream):
    def forbidden():
        raise PermissionError("not after six")

    def broken():
        raise LookupError("a bug")

    heard = []
    async with wrapped(kind, on_event=heard.append) as use:
        first = use.client
        use.client = first.with_options(middleware=[noting(kind, [], lambda: "saved")])
        assert await create(use, stream=stream) == "saved"
        for made, error in ((forbidden, PermissionError), (broken, LookupError)):
            use.client = first.with_options(middleware=[noting(kind, seen := [], made)])
            with pytest.raises(error):
                await create(use, stream=stream)
            assert len(seen) == 1
        assert not use.sent
    assert not [one for one in heard if type(one).__name__ == "BreakerChanged"]


@KINDS
async def test_middleware_may_have_the_sdk_try_again(kind, monkeypatch):
    def again():
        raise anthropic.RetryableError("not yet")

    for one in (anthropic._base_client.SyncAPIClient, anthropic._base_client.AsyncAPIClient):
        monkeypatch.setattr(one, "_calculate_retry_timeout", lambda *_, **__: 0)
    async with wrapped(kind) as use:
        use.client = use.client.with_middleware(noting(kind, seen := [], again))
        with pytest.raises(anthropic.RetryableError):
            await create(use)
        assert seen == [(OPUS, 0), (OPUS, 1), (OPUS, 2)]


# Forms of a reply


@KINDS
@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/count_tokens", "/v1/models"])
async def test_a_reply_may_be_had_bare(kind, path):
    async with wrapped(kind, f"{OPUS}=529", chain=[SONNET]) as use:

        def call(client):
            if path == "/v1/models":
                return client.get(path, cast_to=httpx2.Response)
            return client.post(path, cast_to=httpx2.Response, body=QUESTION)

        reply = await use.do(call)
        assert type(reply) is httpx2.Response
        assert reply.status_code == 200
        assert reply.json()
        if path == "/v1/messages":
            assert answer_of(reply).hops == 1


@KINDS
@pytest.mark.parametrize("path", ["/v1/messages", "/v1/files"])
async def test_a_bare_reply_that_is_an_error_is_raised(kind, path):
    async with serving(refused(403, "permission_error")) as server:
        use = Wrapped(failsoft.wrap(sdk_client(kind, server.url)), None, [])
        with pytest.raises(anthropic.PermissionDeniedError):
            await use.do(lambda client: client.post(path, cast_to=httpx2.Response, body=QUESTION))
        assert len(server.requests) == 1
        await use.do(lambda client: client.close())


@KINDS
async def test_a_reply_to_be_read_later_is_open_until_then(kind):
    async with wrapped(kind) as use:
        if kind == "async":
            async with use.client.messages.with_streaming_response.create(**QUESTION) as reply:
                assert not reply.is_closed
                body = b"".join([chunk async for chunk in reply.iter_bytes()])
        else:

            def run():
                with use.client.messages.with_streaming_response.create(**QUESTION) as reply:
                    assert not reply.is_closed
                    return reply, b"".join(reply.iter_bytes())

            reply, body = await asyncio.to_thread(run)
        assert json.loads(body)["type"] == "message"
        assert reply.is_closed
        assert answer_of(reply).status == "success"


@KINDS
async def test_a_strict_client_stays_strict(kind):
    bare = sdk_client(kind, "http://127.0.0.1:9", _strict_response_validation=True)
    use = Wrapped(failsoft.wrap(bare), None, [])
    assert use.client._strict_response_validation
    await use.do(lambda client: client.close())


@KINDS
async def test_a_stream_that_middleware_makes_from_bytes_is_read_as_any(kind):
    end = b'{"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {}}'
    body = IN_ONE_PIECE[: IN_ONE_PIECE.index(b"event: error")]
    body += event("message_delta", end) + event("message_stop", b'{"type": "message_stop"}')

    def made(request, client):
        form = anthropic.APIResponse if kind == "sync" else anthropic.AsyncAPIResponse
        return form(
            raw=httpx2.Response(200, content=body, headers={"content-type": "text/event-stream"}),
            cast_to=request.cast_to,
            client=client,
            stream=True,
            stream_cls=request.stream_cls,
            options=request.options,
        )

    async def make_async(request, _):
        return made(request, use.client)

    async with wrapped(kind) as use:
        mine = make_async if kind == "async" else lambda request, _: made(request, use.client)
        use.client = use.client.with_middleware(mine)
        events = await read(use)
    assert events[-1].type == "message_stop"
    assert not use.sent


# Where a client calls


@KINDS
async def test_an_address_may_be_known_at_the_first_request_alone(kind):
    async with serving(ANSWERED) as server:
        use = Wrapped(failsoft.wrap(sdk_client(kind, "")), None, [])
        use.client.base_url = server.url
        assert (await create(use)).content[0].text == "A"
        await use.do(lambda client: client.close())


@KINDS
async def test_the_platform_is_left_for_the_sdk_to_find_out(kind, monkeypatch):
    def looked(*_, **__):
        raise AssertionError("it may block, and the SDK does it off the event loop")

    monkeypatch.setattr(anthropic._base_client, "platform_headers", looked)
    use = Wrapped(failsoft.wrap(sdk_client(kind, "http://127.0.0.1:9")), None, [])
    await use.do(lambda client: client.close())


# Tokens that are had from a provider


class Tokens:
    """Gives a token that is refused until it is asked for a new one."""

    def __init__(self):
        self.asked = 0

    def __call__(self, *, force_refresh=False):  # noqa: ARG002 - the SDK's
        self.asked += 1
        token = "good" if self.asked > 1 else "bad"
        return AccessToken(token, expires_at=int(time.time()) + 3600)


async def keyed(peer):
    good = peer.request.headers["authorization"] == "Bearer good"
    await peer.send(ANSWERED if good else refused(401, "authentication_error"))


@KINDS
@pytest.mark.parametrize("retries", [0, 2])
async def test_a_token_that_is_refused_is_replaced_once(kind, retries):
    made = anthropic.Anthropic if kind == "sync" else anthropic.AsyncAnthropic
    tokens = Tokens()
    async with serving(keyed) as server:
        bare = made(credentials=tokens, base_url=server.url, max_retries=retries)
        use = Wrapped(failsoft.wrap(bare), None, [])
        if retries:
            for _ in range(2):
                assert (await create(use)).content[0].text == "A"
            counts = [one.headers["x-stainless-retry-count"] for one in server.requests]
            assert counts == ["0", "1", "0"]
        else:
            with pytest.raises(anthropic.AuthenticationError):
                await create(use)
        assert tokens.asked == (2 if retries else 1)
        await use.do(lambda client: client.close())


async def elsewhere(peer):
    await peer.send(fixed(b"HTTP/1.1 302 Found\r\n", b""))  # to nowhere: none that is followed


@KINDS
async def test_a_redirect_that_is_not_followed_has_its_status(kind):
    async with serving(elsewhere) as server:
        use = Wrapped(failsoft.wrap(sdk_client(kind, server.url)), None, [])
        with pytest.raises(anthropic.APIStatusError) as caught:
            await create(use)
        assert caught.value.status_code == 302
        await use.do(lambda client: client.close())


# A client that others have changed


@KINDS
@pytest.mark.parametrize("name", ["post", "messages.create", "beta.messages.stream"])
def test_a_method_that_was_replaced_is_not_lost_without_a_word(kind, name):
    client = sdk_client(kind, "http://127.0.0.1:9")
    owner = client
    *path, method = name.split(".")
    for part in path:
        owner = getattr(owner, part)
    setattr(owner, method, lambda **_: None)
    with pytest.raises(SettingError, match=f"replaced \\({name}\\).*wrap the client first"):
        failsoft.wrap(client)
