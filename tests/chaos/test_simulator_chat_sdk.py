"""Every fault in Chat Completions, as OpenAI's real SDK sees it: its class, its body, its end."""

from __future__ import annotations

import json
from typing import Any

import openai as sdk
import pytest

from failsoft.chaos.simulator import Simulator
from failsoft.faults.fault_grammar import KINDS, STATUS

MODEL = "gpt-5.5"
OVERLOADED = "Our servers are currently overloaded"

# fault, SDK class, status, error.type, error.code, part of the message
REPLIES = [
    ("400", "BadRequestError", 400, "invalid_request_error", None, "Bad request"),
    ("401", "AuthenticationError", 401, "invalid_request_error", "invalid_api_key", "Incorrect"),
    ("402", "APIStatusError", 402, "insufficient_quota", "insufficient_balance", "balance"),
    ("403", "PermissionDeniedError", 403, "invalid_request_error", None, "permissions"),
    ("404", "NotFoundError", 404, "invalid_request_error", None, "Not found"),
    ("405", "APIStatusError", 405, "invalid_request_error", None, "Error 405"),
    ("408", "APIStatusError", 408, "server_error", "request_timeout", "timed out"),
    ("409", "ConflictError", 409, "invalid_request_error", None, "Conflict"),
    ("413", "APIStatusError", 413, "invalid_request_error", "request_too_large", "maximum size"),
    ("422", "UnprocessableEntityError", 422, "invalid_request_error", None, "Error 422"),
    ("429", "RateLimitError", 429, "requests", "rate_limit_exceeded", "Rate limit"),
    ("429;code=slow_down", "RateLimitError", 429, "requests", "slow_down", "Rate limit"),
    ("498;code=capacity_exceeded", "APIStatusError", 498, "invalid_request_error",
     "capacity_exceeded", "Error 498"),
    ("500", "InternalServerError", 500, "server_error", None, "The server had an error"),
    ("500;message=Oops", "InternalServerError", 500, "server_error", None, "Oops"),
    ("502", "InternalServerError", 502, "cf_bad_gateway", "502", "Bad gateway"),
    ("503", "InternalServerError", 503, "service_unavailable_error", "server_is_overloaded",
     OVERLOADED),
    ("504", "InternalServerError", 504, "cf_gateway_timeout", "504", "Gateway timeout"),
    ("529", "InternalServerError", 529, "service_unavailable_error", "server_is_overloaded",
     OVERLOADED),
    ("bad_key", "AuthenticationError", 401, "invalid_request_error", "invalid_api_key",
     "Incorrect API key"),
    ("content_filter", "BadRequestError", 400, None, "content_filter", "content management"),
    ("context_limit", "BadRequestError", 400, "invalid_request_error", "context_length_exceeded",
     "128000 tokens. However, your messages resulted in 128001"),
    ("context_limit;tokens=2", "BadRequestError", 400, "invalid_request_error",
     "context_length_exceeded", "maximum context length is 2 tokens"),
    ("credit_balance", "RateLimitError", 429, "insufficient_quota", "insufficient_quota",
     "current quota"),
    ("html", "InternalServerError", 502, None, None, "<h1>502 Bad Gateway</h1>"),
    ("html;status=404", "NotFoundError", 404, None, None, "<h1>404</h1>"),
    ("spend_limit", "RateLimitError", 429, "insufficient_quota", "insufficient_quota",
     "current quota"),
    ("suspended", "AuthenticationError", 401, "invalid_request_error", "account_deactivated",
     "deactivated"),
    ("unknown_model", "NotFoundError", 404, "invalid_request_error", "model_not_found",
     f"The model `{MODEL}` does not exist"),
    ("usage_limit", "BadRequestError", 400, "invalid_request_error",
     "billing_hard_limit_reached", "hard limit"),
]  # fmt: skip

# fault, exception of a streamed call, exception of a plain one
BREAKS: list[tuple[str, type[Exception], type[Exception]]] = [
    ("close", sdk.APIConnectionError, sdk.APIConnectionError),
    ("cut", sdk.APIConnectionError, sdk.APIConnectionError),
    ("cut_json", json.JSONDecodeError, json.JSONDecodeError),
    ("empty", AssertionError, json.JSONDecodeError),
    ("reset", sdk.APIConnectionError, sdk.APIConnectionError),
]
SILENCES = ["hang", "stall"]
ELSEWHERE = {
    *("eof", "error_body", "error_event", "healthy", "latency", "ping_only", "rate_limit"),
    *("pause_turn", "refusal", "slow_drip", "window_exceeded"),
}


def test_every_fault_has_its_test_here() -> None:
    tabled = {row[0].partition(";")[0] for row in (*REPLIES, *BREAKS)} | set(SILENCES)
    assert {name for name in tabled if not name.isdecimal()} | ELSEWHERE == set(KINDS) - {STATUS}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("fault", "kind", "status", "type_", "code", "message"), REPLIES)
async def test_an_error_reply_is_the_sdks_error(
    sim: Simulator, chat: Any, *, stream: bool, fault: str, kind: str,
    status: int, type_: str | None, code: str | int | None, message: str,
) -> None:  # fmt: skip
    sim.set(MODEL, faults=[fault])
    with pytest.raises(sdk.APIStatusError) as caught:
        await chat(stream=stream)
    error = caught.value
    assert type(error).__name__ == kind
    assert (error.status_code, error.type, error.code) == (status, type_, code)
    assert message in error.response.text
    assert error.request_id == sim.requests[-1].request_id
    if not fault.startswith("html"):
        body: Any = error.response.json()
        assert {"message", "type", "param", "code"} <= set(body["error"])
    assert "retry-after" not in error.response.headers
    assert "request-id" not in error.response.headers


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(("fault", "streamed", "plain"), BREAKS)
async def test_a_broken_reply_is_the_exception_the_sdk_lets_through(
    sim: Simulator, chat: Any, *, stream: bool, fault: str,
    streamed: type[Exception], plain: type[Exception],
) -> None:  # fmt: skip
    sim.set(MODEL, faults=[fault])
    with pytest.raises(streamed if stream else plain):
        await chat(stream=stream)
    assert sim.requests[-1].outcome == "cut"


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("fault", SILENCES)
async def test_silence_ends_only_with_the_clients_own_timeout(
    sim: Simulator, chat: Any, *, stream: bool, fault: str
) -> None:
    sim.set(MODEL, faults=[fault])
    with pytest.raises(sdk.APITimeoutError):
        await chat(stream=stream, timeout=0.1)


async def test_retry_after_and_other_headers_are_sent(sim: Simulator, chat: Any) -> None:
    sim.set(MODEL, faults=["529;retry_after=1.5;header=x-should-retry:false"])
    with pytest.raises(sdk.InternalServerError) as caught:
        await chat()
    assert caught.value.response.headers["retry-after"] == "1.5"
    assert caught.value.response.headers["x-should-retry"] == "false"


async def test_an_enforced_limit_has_this_apis_headers_and_its_sentence(
    sim: Simulator, clock: Any, openai: sdk.AsyncOpenAI, chat: Any
) -> None:
    sim.set(MODEL, faults=["rate_limit;per_second=0.1;burst=40"])
    for _ in range(39):
        await chat()
    raw = await openai.chat.completions.with_raw_response.create(
        model=MODEL, messages=[{"role": "user", "content": "Hi"}]
    )
    assert raw.headers["x-ratelimit-limit-requests"] == "40"
    assert raw.headers["x-ratelimit-remaining-requests"] == "0"
    assert raw.headers["x-ratelimit-reset-requests"] == "6m40s"
    assert "retry-after" not in raw.headers
    clock.advance(7.4999)
    with pytest.raises(sdk.RateLimitError) as caught:
        await chat()
    headers = caught.value.response.headers
    assert (headers["retry-after"], headers["retry-after-ms"]) == ("3", "2501")
    assert headers["x-ratelimit-reset-requests"] == "6m32.501s"
    assert "Limit 40, Used 40, Requested 1. Please try again in 2.501s." in str(caught.value)
    clock.advance(10)
    assert (await chat(stream=True)).choices[0].finish_reason == "stop"


@pytest.mark.parametrize("done", ["no", "yes"])
async def test_an_error_in_a_stream_is_an_api_error_without_a_status(
    sim: Simulator, chat: Any, done: str
) -> None:
    sim.set(MODEL, faults=[f"error_event;after=2;done={done}"])
    with pytest.raises(sdk.APIError, match=OVERLOADED) as caught:
        await chat(stream=True)
    assert type(caught.value) is sdk.APIError
    assert caught.value.code == "server_is_overloaded"
    assert sim.requests[-1].contents == 2
    with pytest.raises(sdk.InternalServerError):
        await chat()


@pytest.mark.parametrize(
    ("type_", "status", "shown"),
    [
        ("api_error", 500, "server_error"),
        ("rate_limit_error", 429, "requests"),
        ("tokens", 429, "tokens"),
        ("insufficient_quota", 429, "insufficient_quota"),
        ("timeout_error", 504, "cf_gateway_timeout"),
        ("BadRequestError", 500, "BadRequestError"),
    ],
)
async def test_an_error_event_of_any_type_has_its_status_in_a_plain_reply(
    sim: Simulator, chat: Any, *, type_: str, status: int, shown: str
) -> None:
    sim.set(MODEL, faults=[f"error_event;type={type_}"])
    with pytest.raises(sdk.APIStatusError) as caught:
        await chat()
    assert (caught.value.status_code, caught.value.type) == (status, shown)


@pytest.mark.parametrize("stream", [False, True])
async def test_the_content_filter_can_end_an_answer(
    sim: Simulator, chat: Any, stream: bool
) -> None:
    sim.set(MODEL, faults=["content_filter;after=2"])
    if stream:
        with pytest.raises(sdk.ContentFilterFinishReasonError):
            await chat(stream=True)
        assert sim.requests[-1].contents == 2
        return
    [choice] = (await chat()).choices
    assert (choice.finish_reason, choice.message.content) == ("content_filter", "You asked: ")


@pytest.mark.parametrize("done", ["no", "yes"])
async def test_a_clean_end_without_a_finish_reason_passes_for_an_answer(
    sim: Simulator, chat: Any, openai: sdk.AsyncOpenAI, done: str
) -> None:
    sim.set(MODEL, faults=[f"eof;after=2;done={done}"])
    messages: Any = [{"role": "user", "content": "What is a soft failure?"}]
    events = await openai.chat.completions.create(model=MODEL, messages=messages, stream=True)
    chunks = [chunk async for chunk in events]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "You asked: "
    assert {chunk.choices[0].finish_reason for chunk in chunks} == {None}
    with pytest.raises(json.JSONDecodeError):
        await chat()


async def test_a_200_can_be_an_error_or_a_page(sim: Simulator, chat: Any) -> None:
    sim.set(MODEL, faults=["error_body;type=api_error"])
    completion = await chat()
    assert completion.choices is None
    assert completion.model_extra["error"]["type"] == "server_error"
    sim.set(MODEL, faults=["html;status=200"])
    assert isinstance(await chat(), str)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_refusal_is_a_complete_message(sim: Simulator, chat: Any, stream: bool) -> None:
    sim.set(MODEL, faults=["refusal"])
    [choice] = (await chat(stream=stream)).choices
    assert choice.finish_reason == "stop"
    assert choice.message.refusal == "I'm sorry, but I can't help with that."
    assert not choice.message.content
    sim.set(MODEL, faults=["refusal;after=2"])
    [choice] = (await chat(stream=stream)).choices
    assert choice.message.content == "You asked: "
    assert choice.message.refusal


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("fault", ["window_exceeded", "pause_turn"])
async def test_what_ends_early_is_cut_by_length(
    sim: Simulator, chat: Any, *, stream: bool, fault: str
) -> None:
    sim.set(MODEL, faults=[fault])
    if stream:
        with pytest.raises(sdk.LengthFinishReasonError) as caught:
            await chat(stream=True)
        [choice] = caught.value.completion.choices
    else:
        [choice] = (await chat()).choices
    assert choice.finish_reason == "length"
    assert len((choice.message.content or "").split()) == 10


async def test_comments_alone_keep_a_read_timeout_quiet(openai: sdk.AsyncOpenAI) -> None:
    # Comments need real time: the point is that they come sooner than the read timeout.
    async with Simulator(faults=["*=ping_only;every_ms=20"]) as real:
        pinged = openai.with_options(base_url=f"{real.url}/v1", timeout=0.5)
        body: Any = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
        completions = pinged.chat.completions
        async with completions.with_streaming_response.create(stream=True, **body) as reply:
            seen = b""
            async for chunk in reply.iter_bytes():
                seen += chunk
                if seen.count(b": keep-alive\n\n") == 30:
                    break
        assert seen.count(b"data: ") == 1


@pytest.mark.parametrize("stream", [False, True])
async def test_a_slow_drip_is_whole_in_the_end(
    sim: Simulator, clock: Any, chat: Any, stream: bool
) -> None:
    whole = await chat(stream=stream)
    sim.set(MODEL, faults=["slow_drip;bytes=17;every_ms=250"])
    dripped = await chat(stream=stream)
    assert dripped.choices[0].message.content == whole.choices[0].message.content
    assert len(clock.slept) > 30
    assert set(clock.slept) == {0.25}


async def test_latency_is_waited_out_before_and_between_contents(
    sim: Simulator, clock: Any, openai: sdk.AsyncOpenAI
) -> None:
    sim.set("*", faults=["latency;first_content_ms=800;between_events_ms=50"])
    messages: Any = [{"role": "user", "content": "Hi"}]
    events = await openai.chat.completions.create(
        model=MODEL, messages=messages, max_completion_tokens=4, stream=True
    )
    assert [chunk async for chunk in events][-1].choices[0].finish_reason == "length"
    assert clock.slept == [0.8, *[pytest.approx(0.05)] * 3]


async def test_one_fate_and_one_count_in_both_dialects(sim: Simulator, chat: Any, ask: Any) -> None:
    sim.set("shared", faults=["rate_limit;per_second=0.1;burst=1"])
    await ask(model="shared")
    with pytest.raises(sdk.RateLimitError):
        await chat(model="shared")
    assert [request.number for request in sim.requests] == [1, 2]
    assert [request.path for request in sim.requests] == ["/v1/messages", "/v1/chat/completions"]
