"""Every fault as the real SDK sees it: its class, its status, its type, its message."""

from __future__ import annotations

import json
from typing import Any

import anthropic
import httpx2
import pytest
from anthropic import AsyncAnthropic

from failsoft.chaos.simulator import Simulator
from failsoft.faults.fault_grammar import KINDS, STATUS

MODEL = "claude-opus-5-5"

# fault, SDK class, status, error.type, error.details.error_code, part of the message
REPLIES = [
    ("400", "BadRequestError", 400, "invalid_request_error", None, "Bad request"),
    ("401", "AuthenticationError", 401, "authentication_error", None, "invalid x-api-key"),
    ("402", "PaymentRequiredError", 402, "billing_error", None, "billing"),
    ("403", "PermissionDeniedError", 403, "permission_error", None, "permission"),
    ("404", "NotFoundError", 404, "not_found_error", None, "Not found"),
    ("405", "APIStatusError", 405, "invalid_request_error", None, "Error 405"),
    ("408", "RequestTimeoutError", 408, "timeout_error", None, "timed out"),
    ("409", "ConflictError", 409, "conflict_error", None, "Conflict"),
    ("413", "ContentTooLargeError", 413, "request_too_large", None, "maximum size"),
    ("422", "UnprocessableEntityError", 422, "invalid_request_error", None, "Error 422"),
    ("429", "RateLimitError", 429, "rate_limit_error", None, "rate limit"),
    ("429;code=ramp_limit_exceeded", "RampLimitExceededError", 429, "rate_limit_error",
     "ramp_limit_exceeded", "rate limit"),
    ("500", "InternalServerError", 500, "api_error", None, "Internal server error"),
    ("500;message=Oops", "InternalServerError", 500, "api_error", None, "Oops"),
    ("501", "HTTPNotImplementedError", 501, "api_error", None, "Error 501"),
    ("503", "ServiceUnavailableError", 503, "api_error", None, "unavailable"),
    ("504", "GatewayTimeoutError", 504, "timeout_error", None, "timed out"),
    ("529", "OverloadedError", 529, "overloaded_error", None, "Overloaded"),
    ("bad_key", "AuthenticationError", 401, "authentication_error", None, "invalid x-api-key"),
    ("content_filter", "BadRequestError", 400, "invalid_request_error", None,
     "Output blocked by content filtering policy"),
    ("context_limit", "BadRequestError", 400, "invalid_request_error", None,
     "prompt is too long: 200001 tokens > 200000 maximum"),
    ("context_limit;tokens=2", "BadRequestError", 400, "invalid_request_error", None,
     "tokens > 2 maximum"),
    ("credit_balance", "BadRequestError", 400, "invalid_request_error", None,
     "Your credit balance is too low to access the Anthropic API."),
    ("html", "InternalServerError", 502, None, None, "<h1>502 Bad Gateway</h1>"),
    ("html;status=404", "NotFoundError", 404, None, None, "<h1>404</h1>"),
    ("spend_limit", "EnforcedSpendLimitReachedError", 429, "rate_limit_error",
     "enforced_spend_limit_reached", "monthly spend limit"),
    ("suspended", "OrganizationOnHoldError", 400, "invalid_request_error",
     "organization_on_hold", "organization has been disabled"),
    ("unknown_model", "NotFoundError", 404, "not_found_error", None, f"model: {MODEL}"),
    ("usage_limit", "BadRequestError", 400, "invalid_request_error", None,
     "You have reached your specified API usage limits. You will regain access on 2026-10-01"),
]  # fmt: skip

# fault, exception of a streamed call, exception of a plain one
BREAKS: list[tuple[str, type[Exception], type[Exception]]] = [
    ("close", httpx2.RemoteProtocolError, anthropic.APIConnectionError),
    ("cut", httpx2.ReadError, anthropic.APIConnectionError),
    ("cut_json", json.JSONDecodeError, json.JSONDecodeError),
    ("empty", AssertionError, json.JSONDecodeError),
    ("reset", anthropic.APIConnectionError, anthropic.APIConnectionError),
]
SILENCES: list[tuple[str, type[Exception], type[Exception]]] = [
    ("hang", anthropic.APITimeoutError, anthropic.APITimeoutError),
    ("stall", httpx2.ReadTimeout, anthropic.APITimeoutError),
]
ELSEWHERE = {
    *("eof", "error_body", "error_event", "healthy", "latency", "ping_only", "rate_limit"),
    *("pause_turn", "refusal", "slow_drip", "window_exceeded"),
}


def test_every_fault_has_its_test_here() -> None:
    tabled = {row[0].partition(";")[0] for row in (*REPLIES, *BREAKS, *SILENCES)}
    assert {name for name in tabled if not name.isdecimal()} | ELSEWHERE == set(KINDS) - {STATUS}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("fault", "kind", "status", "type_", "code", "message"), REPLIES)
async def test_an_error_reply_is_the_sdks_error(
    sim: Simulator, ask: Any, *, stream: bool, fault: str, kind: str,
    status: int, type_: str | None, code: str | None, message: str,
) -> None:  # fmt: skip
    sim.set(MODEL, faults=[fault])
    with pytest.raises(anthropic.APIStatusError) as caught:
        await ask(stream=stream)
    error = caught.value
    assert type(error).__name__ == kind
    assert (error.status_code, error.type, error.error_code) == (status, type_, code)
    assert message in str(error)
    assert error.request_id == sim.requests[-1].request_id
    if type_ is not None:
        assert error.body["request_id"] == error.request_id  # type: ignore[index]
    assert "retry-after" not in error.response.headers


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(("fault", "streamed", "plain"), BREAKS)
async def test_a_broken_reply_is_the_exception_the_sdk_lets_through(
    sim: Simulator, ask: Any, *, stream: bool, fault: str,
    streamed: type[Exception], plain: type[Exception],
) -> None:  # fmt: skip
    sim.set(MODEL, faults=[fault])
    with pytest.raises(streamed if stream else plain):
        await ask(stream=stream)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(("fault", "streamed", "plain"), SILENCES)
async def test_silence_ends_only_with_the_clients_own_timeout(
    sim: Simulator, ask: Any, *, stream: bool, fault: str,
    streamed: type[Exception], plain: type[Exception],
) -> None:  # fmt: skip
    sim.set(MODEL, faults=[fault])
    with pytest.raises(streamed if stream else plain):
        await ask(stream=stream, timeout=0.1)


async def test_retry_after_and_other_headers_are_sent(sim: Simulator, ask: Any) -> None:
    sim.set(MODEL, faults=["529;retry_after=1.5;header=x-should-retry:false"])
    with pytest.raises(anthropic.APIStatusError) as caught:
        await ask()
    assert caught.value.response.headers["retry-after"] == "1.5"
    assert caught.value.response.headers["x-should-retry"] == "false"


async def test_an_enforced_limit_is_a_rate_limit_error_with_its_headers(
    sim: Simulator, clock: Any, client: AsyncAnthropic, ask: Any
) -> None:
    sim.set(MODEL, faults=["rate_limit;per_second=0.1;burst=1"])
    raw = await client.messages.with_raw_response.create(
        model=MODEL, max_tokens=9, messages=[{"role": "user", "content": "Hi"}]
    )
    assert raw.headers["anthropic-ratelimit-requests-remaining"] == "0"
    with pytest.raises(anthropic.RateLimitError) as caught:
        await ask()
    headers = caught.value.response.headers
    assert headers["retry-after"] == "10"
    assert headers["anthropic-ratelimit-requests-reset"] == "2026-09-21T14:13:30Z"
    clock.advance(10)
    assert (await ask(stream=True)).stop_reason == "end_turn"


async def test_an_error_event_is_a_status_error_with_status_200(sim: Simulator, ask: Any) -> None:
    sim.set(MODEL, faults=["error_event;after=2"])
    with pytest.raises(anthropic.APIStatusError) as caught:
        await ask(stream=True)
    assert (caught.value.status_code, caught.value.type) == (200, "overloaded_error")
    with pytest.raises(anthropic.OverloadedError):
        await ask()


@pytest.mark.parametrize(
    ("type_", "status"),
    [("api_error", 500), ("timeout_error", 504), ("rate_limit_error", 429), ("throttling", 500)],
)
async def test_an_error_event_of_any_type_has_its_status_in_a_plain_reply(
    sim: Simulator, ask: Any, type_: str, status: int
) -> None:
    sim.set(MODEL, faults=[f"error_event;type={type_}"])
    with pytest.raises(anthropic.APIStatusError) as caught:
        await ask()
    assert (caught.value.status_code, caught.value.type) == (status, type_)


async def test_the_content_filter_can_strike_in_mid_stream(sim: Simulator, ask: Any) -> None:
    sim.set(MODEL, faults=["content_filter;after=4"])
    with pytest.raises(anthropic.APIStatusError, match="content filtering policy") as caught:
        await ask(stream=True)
    assert (caught.value.status_code, caught.value.type) == (200, "invalid_request_error")
    assert sim.requests[-1].contents == 4


async def test_a_clean_end_without_message_stop_passes_for_an_answer(
    sim: Simulator, ask: Any
) -> None:
    sim.set(MODEL, faults=["eof;after=2"])
    message = await ask(stream=True)
    assert message.stop_reason is None
    assert message.content[0].text == "You asked: "
    with pytest.raises(json.JSONDecodeError):
        await ask()


async def test_a_200_can_be_an_error_or_a_page(sim: Simulator, ask: Any) -> None:
    sim.set(MODEL, faults=["error_body;type=api_error"])
    message = await ask()
    assert (message.type, message.content) == ("error", None)
    with pytest.raises(AssertionError):
        await ask(stream=True)
    sim.set(MODEL, faults=["html;status=200"])
    assert isinstance(await ask(), str)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_refusal_is_a_complete_message(sim: Simulator, ask: Any, stream: bool) -> None:
    sim.set(MODEL, faults=["refusal"])
    message = await ask(stream=stream)
    assert (message.stop_reason, message.content) == ("refusal", [])
    assert message.stop_details.category == "general_harms"
    sim.set(MODEL, faults=["refusal;after=2"])
    message = await ask(stream=stream)
    assert (message.stop_reason, message.content[0].text) == ("refusal", "You asked: ")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("fault", "reason"),
    [("window_exceeded", "model_context_window_exceeded"), ("pause_turn", "pause_turn")],
)
async def test_what_ends_early_leaves_usable_text(
    sim: Simulator, ask: Any, stream: bool, fault: str, reason: str
) -> None:
    sim.set(MODEL, faults=[fault])
    message = await ask(stream=stream)
    assert message.stop_reason == reason
    assert len(message.content[0].text.split()) == 10


async def test_pings_alone_keep_a_read_timeout_quiet(client: AsyncAnthropic) -> None:
    # Pings need real time: the point is that they come sooner than the read timeout.
    async with Simulator(faults=["*=ping_only;every_ms=20"]) as real:
        pinged = client.with_options(base_url=real.url, timeout=0.5)
        body = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
        async with pinged.messages.with_streaming_response.create(stream=True, **body) as reply:
            seen = b""
            async for chunk in reply.iter_bytes():
                seen += chunk
                if seen.count(b"event: ping") == 30:
                    break
        assert b"content_block_delta" not in seen


@pytest.mark.parametrize("stream", [False, True])
async def test_a_slow_drip_is_whole_in_the_end(
    sim: Simulator, clock: Any, ask: Any, stream: bool
) -> None:
    whole = await ask(stream=stream)
    sim.set(MODEL, faults=["slow_drip;bytes=7;every_ms=250"])
    dripped = await ask(stream=stream)
    assert dripped.content == whole.content
    assert len(clock.slept) > 30
    assert set(clock.slept) == {0.25}
