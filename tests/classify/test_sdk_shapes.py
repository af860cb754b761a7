"""Errors as other releases of the SDKs shape them, and bodies as gateways do: look-alikes."""

import json
from types import SimpleNamespace

import pytest

from failsoft.classify import BadReply, ReplyFailed, Sent, classify

REQUEST_ID = "req_011CZLrUfBVkVHn5T6EqQaf7"


def response(status, body=None, **headers):
    text = "" if body is None else str(body)
    return SimpleNamespace(status_code=status, headers=headers, text=text)


class APIError(Exception):
    def __init__(self, message, body=None):
        super().__init__(message)
        self.message = message
        self.body = body


class APIStatusError(APIError):  # anthropic 0.x and 1.x: no type, no error_code
    def __init__(self, message, response, body):
        super().__init__(message, body)
        self.response = response
        self.status_code = response.status_code
        self.request_id = response.headers.get("request-id")


class RateLimitError(APIStatusError): ...


class APIConnectionError(APIError):
    def __init__(self, message="Connection error."):
        super().__init__(message)


class APITimeoutError(APIConnectionError): ...


class OpenAIError(APIError):  # openai: the body is the inner error, and its fields attributes
    def __init__(self, message, body):
        super().__init__(message, body)
        self.code = body.get("code")
        self.param = body.get("param")
        self.type = body.get("type")


def anthropic_body(type_, message="…", **details):
    error = {"type": type_, "message": message, **({"details": details} if details else {})}
    return {"type": "error", "error": error, "request_id": REQUEST_ID}


def status_error(status, body, kind=APIStatusError, **headers):
    return kind(f"Error code: {status} - {body}", response(status, body, **headers), body)


def inner_error(message, type_, code):
    return OpenAIError(message, {"message": message, "type": type_, "code": code, "param": None})


def with_attributes(**attributes):
    failure = APIError("An error occurred")
    vars(failure).update(attributes)
    return failure


def from_(outer, cause):
    outer.__cause__ = cause
    return outer


def named(name):
    return type(name, (Exception,), {})()


SHAPES = [
    # 0.x and 1.x: by status and body
    (status_error(529, anthropic_body("overloaded_error")), "transient · overloaded"),
    (status_error(402, anthropic_body("billing_error")), "auth_error · billing"),
    (status_error(408, "stream timeout"), "timeout · upstream"),
    (status_error(502, "<html><h1>502 Bad Gateway</h1></html>"), "transient · server_error"),
    (status_error(429, anthropic_body("rate_limit_error"), RateLimitError, **{"retry-after": "3"}),
     "rate_limited · requests"),
    (status_error(429, anthropic_body("rate_limit_error",
                                      error_code="contract_spend_limit_reached"), RateLimitError),
     "auth_error · billing"),
    (status_error(503, None), "transient · unavailable"),
    # an error event inside a 200 stream
    (status_error(200, anthropic_body("overloaded_error")), "transient · overloaded"),
    (status_error(200, anthropic_body("rate_limit_error")), "rate_limited · rate_limited"),
    (status_error(200, "upstream connect error"), "unknown · unknown"),
    # by attributes alone, the body gone
    (with_attributes(status_code=200, type="overloaded_error"), "transient · overloaded"),
    (with_attributes(status_code=429, error_code="enforced_spend_limit_reached"),
     "auth_error · billing"),
    (with_attributes(code="context_length_exceeded"), "permanent · context_too_long"),
    (with_attributes(response=response(529)), "transient · overloaded"),
    (with_attributes(status=503), "transient · unavailable"),
    # openai: an error event has no status at all
    (inner_error("The server is overloaded", "server_error", "server_is_overloaded"),
     "transient · overloaded"),
    (inner_error("You exceeded your current quota", "insufficient_quota", "insufficient_quota"),
     "auth_error · billing"),
    (inner_error("Something went wrong", "server_error", None), "transient · server_error"),
    (inner_error("Slow down", "requests", "slow_down"), "rate_limited · rate_limited"),
    # connections: the timeout first, though it is a connection error too; its cause decides
    (APITimeoutError("Request timed out."), "timeout · no_answer"),
    (from_(APITimeoutError(), named("ReadTimeout")), "timeout · no_answer"),
    (from_(APITimeoutError(), named("ConnectTimeout")), "transient · connection"),
    (from_(APITimeoutError(), named("PoolTimeout")), "transient · saturated"),
    (APIConnectionError(), "transient · connection"),
    (from_(APIConnectionError(), named("ReadError")), "transient · connection"),
    (from_(APIConnectionError(), RuntimeError("the client has been closed")),
     "permanent · bad_call"),
]  # fmt: skip


@pytest.mark.parametrize("provider", ["anthropic", "http", "openai"])
@pytest.mark.parametrize(("failure", "expected"), SHAPES)
def test_shapes_of_the_sdks(failure, expected, provider):
    assert str(classify(failure, provider=provider, now=0.0)) == expected


def test_the_request_id_of_the_reply_is_preferred_to_the_bodys():
    failure = status_error(529, anthropic_body("overloaded_error"), **{"request-id": "req_header"})
    verdict = classify(failure, provider="anthropic", now=0.0)
    assert verdict.provider_request_id == "req_header"


def test_the_request_id_survives_in_the_body_of_an_event():
    verdict = classify(anthropic_body("overloaded_error"), provider="anthropic", now=0.0)
    assert verdict.provider_request_id == REQUEST_ID


BODIES = [
    (anthropic_body("overloaded_error"), "transient · overloaded"),
    ({"error": {"message": "…", "type": "invalid_request_error", "code": "model_not_found"}},
     "permanent · model_unavailable"),
    ({"error": {"message": "litellm: prompt is too long: 3 tokens > 2 maximum", "type": "None",
                "code": "400"}}, "permanent · context_too_long"),
    ({"error": {"code": 429, "message": "…", "status": "RESOURCE_EXHAUSTED"}},
     "rate_limited · rate_limited"),
    ([{"error": {"code": 503, "message": "…", "status": "UNAVAILABLE"}}],
     "transient · unavailable"),
    ({"type": "about:blank", "title": "Service Unavailable", "status": 503},
     "transient · unavailable"),
    ({"object": "error", "message": "The model `x` does not exist.", "type": "NotFoundError",
      "code": 404}, "permanent · model_unavailable"),
    ({"error": "model 'x' not found", "status": 404}, "permanent · model_unavailable"),
    ({"error": "insufficient_quota", "message": "…"}, "auth_error · billing"),
    ({"detail": {"error": {"type": "overloaded_error", "message": "…"}}},
     "transient · overloaded"),
    ({"type": "message", "content": [], "stop_reason": "refusal"}, "content_policy · refusal"),
    ({"type": "message", "content": [], "stop_reason": "compaction"}, "unknown · success"),
    ({"type": "message", "content": [], "stop_reason": None}, "transient · stream_cut"),
    ({"choices": [{"finish_reason": "length"}], "error": None}, "unknown · success"),
    ({"choices": [{"finish_reason": "content_filter"}]}, "content_policy · refusal"),
    (SimpleNamespace(type="error", content=None, error={"type": "timeout_error"}),
     "timeout · upstream"),
    (SimpleNamespace(type="message", content=[], stop_reason="max_tokens"), "unknown · success"),
    ({}, "unknown · unknown"),
    ([], "unknown · unknown"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "expected"), BODIES)
def test_bodies_and_messages(body, expected):
    verdict = classify(body, provider="http", now=0.0)
    assert (str(verdict), verdict.sent) == (expected, Sent.MAYBE)


TEXTS = [
    ('{"type":"error","error":{"type":"overloaded_error"}}', "transient · overloaded"),
    (b'{"type":"error","error":{"type":"overloaded_error"}}', "transient · overloaded"),
    ('API Error: 400 {"error":{"type":"invalid_request_error","message":"prompt is too long"}}',
     "permanent · context_too_long"),
    ("Error code: 529 - {'type': 'error', 'error': {'type': 'x'}}", "transient · overloaded"),
    ("HTTP 503", "transient · unavailable"),
    ("<!DOCTYPE html><title>Hello</title>", "unknown · bad_reply"),
    ('event: error\ndata: {"error":{"type":"api_error"}}\n\n', "transient · server_error"),
    ("Output blocked by content filtering policy", "content_policy · content_policy"),
    ("", "unknown · unknown"),
    ("something else", "unknown · unknown"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), TEXTS)
def test_texts(text, expected):
    assert str(classify(text, provider="anthropic", now=0.0)) == expected


ORDER = [
    # a code before the type and the status
    (503, anthropic_body("api_error", error_code="organization_on_hold"), "auth_error · suspended"),
    # the type before the status, but for the two that are broader than it
    (500, anthropic_body("overloaded_error"), "transient · overloaded"),
    (403, anthropic_body("authentication_error"), "auth_error · authentication"),
    (504, anthropic_body("api_error"), "timeout · upstream"),
    (501, anthropic_body("api_error"), "permanent · not_implemented"),
    (400, anthropic_body("api_error"), "transient · server_error"),
    (413, anthropic_body("invalid_request_error"), "permanent · too_large"),
    # messages are read only under their status, and not beside a code
    (500, anthropic_body("api_error", "prompt is too long"), "transient · server_error"),
    (422, anthropic_body("invalid_request_error", "prompt is too long"), "permanent · bad_request"),
    (400, anthropic_body("invalid_request_error", "credit balance is too low", error_code="new"),
     "permanent · bad_request"),
    # a reason of content or policy, and what only looks like one
    (400, {"error": {"type": "usage_policy_error"}}, "content_policy · content_policy"),
    (422, {"error": {"type": "x", "code": "unsafe_content"}}, "content_policy · content_policy"),
    (400, {"error": {"type": "content_blocked"}}, "content_policy · content_policy"),
    (400, {"error": {"type": "x", "code": "invalid_content_type"}}, "permanent · bad_request"),
    (400, {"error": {"type": "x", "code": "missing_content"}}, "permanent · bad_request"),
    (400, anthropic_body("invalid_request_error", error_code="compaction_content_mismatch"),
     "permanent · bad_request"),
    (400, anthropic_body("invalid_request_error", error_code="workspace_policy_violation"),
     "auth_error · permission"),
    (500, {"error": {"code": "policy_engine_down"}}, "transient · server_error"),
    (400, anthropic_body("invalid_request_error", "messages.0.content: field required"),
     "permanent · bad_request"),
    (422, anthropic_body("invalid_request_error", "policy: extra fields not permitted"),
     "permanent · bad_request"),
    # nobody's not_found is not Google's NOT_FOUND
    (404, {"error": {"code": "not_found", "message": "no such path"}},
     "auth_error · wrong_address"),
    (404, {"error": {"status": "NOT_FOUND", "message": "…"}}, "permanent · model_unavailable"),
    # a rate limit that speaks of a model or of spending time is one still
    (429, anthropic_body("rate_limit_error", "model claude is not available at this rate"),
     "rate_limited · rate_limited"),
]  # fmt: skip


def test_a_token_limit_is_known_by_its_message():
    words = "would exceed the rate limit for your organization of 40,000 input tokens per minute"
    body = anthropic_body("rate_limit_error", words)
    failure = status_error(429, body, **{"retry-after": "12"})
    assert classify(failure, provider="anthropic", now=0.0).reason == "tokens"


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (BadReply("", status=200, body='{"content":[{"text":"Your credit balance is too low'),
         "unknown · bad_reply"),
        (BadReply("", status=200, body="<html>Raise your spending limit!</html>"),
         "unknown · bad_reply"),
        (ReplyFailed("", status=400, body="<html>prompt is too long</html>"),
         "permanent · bad_request"),
        (ReplyFailed("", status=400, body="prompt is too long"),
         "permanent · context_too_long"),
    ],
)  # fmt: skip
def test_words_of_an_answer_or_a_page_are_no_errors(failure, expected):
    assert str(classify(failure, provider="anthropic", now=0.0)) == expected


def test_a_long_error_text_is_read_whole():
    text = json.dumps(anthropic_body("overloaded_error", "x" * 100_000))
    assert str(classify(text, provider="anthropic", now=0.0)) == "transient · overloaded"


@pytest.mark.parametrize(("status", "body", "expected"), ORDER)
def test_the_order_of_evidence(status, body, expected):
    failure = status_error(status, body)
    assert str(classify(failure, provider="anthropic", now=0.0)) == expected
