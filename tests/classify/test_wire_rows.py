"""Every row that a reply can lead to, from the bytes on the wire, as each client shows them."""

from collections.abc import Awaitable, Callable

import pytest
from replay import (
    FIXTURES,
    bare_reply,
    recorded,
    replaying,
    sdk_failure,
    sdk_on_aiohttp_failure,
    server,
    streams,
    wire_failure,
)

from failsoft.classify import Sent, Verdict, classify

NOW = 1_000_000_000.0  # 2001: dates must be measured against the reply's own clock

EXPECTED = {
    "authentication_401": "auth_error · authentication",
    "azure_filter_400": "content_policy · content_policy",
    "azure_sentence_429": "rate_limited · requests",
    "bad_gateway_502_html": "transient · server_error",
    "bad_request_400": "permanent · bad_request",
    "bad_request_400_unknown_code": "permanent · bad_request",
    "bedrock_access_denied_403": "auth_error · permission",
    "bedrock_model_stream_424": "transient · server_error",
    "bedrock_model_timeout_408": "timeout · upstream",
    "bedrock_not_ready_429": "transient · unavailable",
    "bedrock_throttling_429": "rate_limited · rate_limited",
    "bedrock_too_long_400": "permanent · context_too_long",
    "billing_402": "auth_error · billing",
    "blocked_403_text": "unknown · edge",
    "challenge_403_html": "unknown · edge",
    "client_closed_499": "unknown · cancelled",
    "cloudflare_522": "transient · server_error",
    "conflict_409": "transient · conflict",
    "content_policy_422": "content_policy · content_policy",
    "content_policy_violation_400": "content_policy · content_policy",
    "context_length_400": "permanent · context_too_long",
    "credit_balance_400": "auth_error · billing",
    "cut_json_200": "unknown · bad_reply",
    "empty_507": "transient · server_error",
    "error_body_200": "transient · overloaded",
    "file_404": "permanent · bad_request",
    "gateway_timeout_504": "timeout · upstream",
    "gateway_timeout_504_html": "timeout · upstream",
    "gemini_exhausted_429": "rate_limited · requests",
    "gone_410": "auth_error · wrong_address",
    "headers_431": "permanent · bad_request",
    "html_200": "unknown · bad_reply",
    "image_too_large_400": "permanent · too_large",
    "insufficient_quota_429": "auth_error · billing",
    "legal_451": "auth_error · permission",
    "max_tokens_beyond_window_400": "permanent · context_too_long",
    "media_415": "permanent · bad_request",
    "message_200": "unknown · success",
    "method_405": "auth_error · wrong_address",
    "misdirected_421": "auth_error · connection_setup",
    "model_404": "permanent · model_unavailable",
    "model_404_openai": "permanent · model_unavailable",
    "not_implemented_501": "permanent · not_implemented",
    "organization_disabled_400": "auth_error · suspended",
    "organization_disabled_403": "auth_error · suspended",
    "organization_on_hold_400": "auth_error · suspended",
    "output_blocked_400": "content_policy · content_policy",
    "overloaded_503_by_type": "transient · overloaded",
    "overloaded_529": "transient · overloaded",
    "page_404_html": "auth_error · wrong_address",
    "path_404": "auth_error · wrong_address",
    "permission_403": "auth_error · permission",
    "portal_401_html": "unknown · edge",
    "portal_511": "auth_error · connection_setup",
    "prompt_too_long_400": "permanent · context_too_long",
    "proxy_407": "auth_error · connection_setup",
    "rate_limit_429_bare": "rate_limited · rate_limited",
    "rate_limit_429_date": "rate_limited · requests",
    "rate_limit_429_durations": "rate_limited · requests",
    "rate_limit_429_milliseconds": "rate_limited · requests",
    "rate_limit_429_openai": "rate_limited · tokens",
    "rate_limit_429_ramp": "rate_limited · requests",
    "rate_limit_429_repeated": "rate_limited · requests",
    "rate_limit_429_requests": "rate_limited · requests",
    "rate_limit_429_resets": "rate_limited · tokens",
    "rate_limit_429_unified": "rate_limited · requests",
    "refusal_200": "content_policy · refusal",
    "request_timeout_408": "timeout · upstream",
    "server_error_500": "transient · server_error",
    "spend_limit_429_code": "auth_error · billing",
    "spend_limit_429_message": "auth_error · billing",
    "stream_api_error": "transient · server_error",
    "stream_bedrock_throttling": "rate_limited · rate_limited",
    "stream_clean_end": "transient · stream_cut",
    "stream_complete": "unknown · success",
    "stream_cut": "transient · stream_cut",
    "stream_empty": "unknown · bad_reply",
    "stream_garbled_error": "unknown · unknown",
    "stream_output_blocked": "content_policy · content_policy",
    "stream_overloaded": "transient · overloaded",
    "stream_overloaded_first": "transient · overloaded",
    "stream_rate_limit": "rate_limited · rate_limited",
    "stream_refusal": "content_policy · refusal",
    "stream_window_exceeded": "permanent · context_too_long",
    "teapot_418": "unknown · unknown",
    "too_large_413": "permanent · too_large",
    "too_large_413_html": "permanent · too_large",
    "unavailable_503": "transient · unavailable",
    "unheard_of_599": "unknown · unknown",
    "upgrade_426": "auth_error · connection_setup",
    "usage_limit_400": "auth_error · billing",
    "validation_422": "permanent · bad_request",
    "vertex_denied_403": "auth_error · permission",
    "vertex_exhausted_429": "rate_limited · rate_limited",
    "vertex_internal_500": "transient · server_error",
    "vertex_not_found_404": "permanent · model_unavailable",
    "vertex_precondition_400": "permanent · bad_request",
    "vertex_unavailable_503": "transient · unavailable",
}

# The wire provider speaks Anthropic's protocol; this body is a gateway's and reaches only the SDK.
EXPECTED_OF_SDK = {"error_number_200": "transient · server_error"}

WAITS = {
    "azure_sentence_429": 37.0,
    "gemini_exhausted_429": 45.837906927,
    "overloaded_503_by_type": 2.5,
    "rate_limit_429_date": 30.0,
    "rate_limit_429_durations": 360.0,
    "rate_limit_429_milliseconds": 1.5,
    "rate_limit_429_openai": 6.0,
    "rate_limit_429_ramp": 20.0,
    "rate_limit_429_repeated": 17.0,
    "rate_limit_429_requests": 12.0,
    "rate_limit_429_resets": 41.0,
    "rate_limit_429_unified": 1600.0,
    "unavailable_503": 7.0,
    "usage_limit_400": 8 * 86_400.0 + 3_600.0,
}

CLIENTS = {
    "wire": wire_failure,
    "sdk": sdk_failure,
    "sdk_on_aiohttp": sdk_on_aiohttp_failure,
    "reply": bare_reply,
}


@pytest.fixture(autouse=True)
def few_certificates(monkeypatch):
    """Loading the system's certificates takes longer than a whole test; plain HTTP needs none."""
    monkeypatch.setenv("SSL_CERT_FILE", str(FIXTURES / "self_signed.pem"))


async def verdict_of(name: str, met: Callable[[str, str], Awaitable[object]]) -> Verdict:
    async with server(replaying(recorded(name))) as url:
        failure = await met(url, name)
    return classify(failure, provider="anthropic", now=NOW)


def test_every_recording_is_expected_somewhere():
    names = {path.stem for path in FIXTURES.glob("*.http")}
    assert names == EXPECTED.keys() | EXPECTED_OF_SDK.keys()


@pytest.mark.parametrize("client", ["wire", "sdk", "sdk_on_aiohttp"])
@pytest.mark.parametrize("name", EXPECTED)
async def test_clients_agree_on_every_row(name, client):
    verdict = await verdict_of(name, CLIENTS[client])
    assert str(verdict) == EXPECTED[name]
    assert verdict.wait_seconds == WAITS.get(name)


@pytest.mark.parametrize("name", [name for name in EXPECTED if not streams(name)])
async def test_a_bare_reply_is_read_alike_also_from_an_endpoint_of_another_name(name):
    async with server(replaying(recorded(name))) as url:
        reply = await bare_reply(url, name)
    for provider in ("anthropic", "http", "nobody has heard of this one"):
        verdict = classify(reply, provider=provider, now=NOW)
        assert str(verdict) == EXPECTED[name]
        assert verdict.wait_seconds == WAITS.get(name)
        assert verdict.http_status == int(recorded(name)[9:12])


@pytest.mark.parametrize("client", ["sdk", "sdk_on_aiohttp", "reply"])
@pytest.mark.parametrize("name", EXPECTED_OF_SDK)
async def test_a_gateways_error_under_200(name, client):
    verdict = await verdict_of(name, CLIENTS[client])
    assert str(verdict) == EXPECTED_OF_SDK[name]


@pytest.mark.parametrize("client", ["wire", "sdk", "sdk_on_aiohttp", "reply"])
async def test_the_request_id_is_kept(client):
    verdict = await verdict_of("overloaded_529", CLIENTS[client])
    assert verdict.provider_request_id == "req_011CZLrUfBVkVHn5T6EqQaf7"


@pytest.mark.parametrize("client", ["wire", "sdk", "sdk_on_aiohttp"])
async def test_the_request_id_of_an_error_event_is_kept(client):
    verdict = await verdict_of("stream_overloaded", CLIENTS[client])
    assert verdict.provider_request_id == "req_011CZLrUfBVkVHn5T6EqQaf7"


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("authentication_401", Sent.NO),
        ("rate_limit_429_bare", Sent.NO),
        ("prompt_too_long_400", Sent.NO),
        ("conflict_409", Sent.MAYBE),
        ("output_blocked_400", Sent.MAYBE),
        ("overloaded_529", Sent.NO),
        ("unavailable_503", Sent.NO),
        ("stream_overloaded", Sent.MAYBE),
        ("stream_overloaded_first", Sent.MAYBE),
        ("server_error_500", Sent.MAYBE),
        ("stream_rate_limit", Sent.MAYBE),
        ("error_body_200", Sent.MAYBE),
        ("html_200", Sent.MAYBE),
    ],
)
@pytest.mark.parametrize("client", ["wire", "sdk"])
async def test_sent_is_no_only_where_the_reply_began_with_a_rejection(name, sent, client):
    assert (await verdict_of(name, CLIENTS[client])).sent is sent
