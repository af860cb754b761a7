"""The codes of raw HTTP, and those that only Anthropic sends.

The raw table covers any endpoint, gateway or cloud in front of a model, and every provider without
a table of its own. Gateways pass bodies on as they got them, so the widely spoken names of
Anthropic, OpenAI, Azure, Bedrock and Vertex are all in it. Anthropic's own table holds the codes of
``error.details.error_code`` that bear on a call; they are from anthropic 2.12, which names about
90, and those not listed mean no more than their type.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from failsoft.classify.truth_table import CodePattern, Sentence, Table

__all__ = ["ANTHROPIC", "RAW_HTTP"]

_CODES: Final = {
    # OpenAI, and those who speak like it
    "account_deactivated": "suspended",
    "context_length_exceeded": "context_too_long",
    "credit_balance_exhausted": "billing",
    "deploymentnotfound": "model_unavailable",
    "engine_overloaded": "overloaded",
    "insufficient_quota": "billing",
    "invalid_api_key": "authentication",
    "invalid_prompt": "content_policy",
    "model_not_available": "model_unavailable",
    "model_not_found": "model_unavailable",
    "organization_usage_limit_exceeded": "billing",
    "rate_limit_exceeded": "rate_limited",
    "server_is_overloaded": "overloaded",
    "slow_down": "rate_limited",
    "string_above_max_length": "too_large",
    # content filters: true under any status
    "bio_policy": "content_policy",
    "content_filter": "content_policy",
    "content_policy_violation": "content_policy",
    "responsibleaipolicyviolation": "content_policy",
    # Vertex, where its field status says more than a status does
    "FAILED_PRECONDITION": "bad_request",
    "NOT_FOUND": "model_unavailable",
}

_CODE_PATTERNS: Final = (
    CodePattern(
        pattern=re.compile(
            r"spend_limit_(?:reached|exceeded)|billing|payment_required"
            r"|insufficient_(?:balance|credits?|funds|quota)|usage_limit_(?:reached|exceeded)"
        ),
        row="billing",
    ),
    CodePattern(
        pattern=re.compile(r"organi[sz]ation_(?:disabled|on_hold|suspended)|account_suspended"),
        row="suspended",
    ),
    CodePattern(pattern=re.compile(r"context_(?:length|window)"), row="context_too_long"),
    CodePattern(  # what the request names is gone, and not the address it was sent to
        pattern=re.compile(r"^(?:batch|container|file|response|skill|tool)_"),
        row="bad_request",
        statuses=frozenset({404, 410}),
    ),
    CodePattern(pattern=re.compile(r"too_large"), row="too_large"),
    CodePattern(  # a content or policy reason; not the form or the size of the content
        pattern=re.compile(
            r"policy|moderation|safety"
            r"|(?<!missing_)(?<!invalid_)(?<!empty_)(?<!unsupported_)content"
            r"(?!_?(?:blocks?$|encoding|format|index|length|mismatch|missing|required|size|type))"
        ),
        row="content_policy",
        statuses=frozenset({400, 422}),
    ),
)

_TYPES: Final = {
    # Anthropic
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "conflict_error": 409,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
    # OpenAI, and those who speak like it
    "bad_request": 400,
    "badrequest": 400,
    "badrequesterror": 400,
    "invalid_request": 400,
    "notfounderror": 404,
    "requests": 429,
    "tokens": 429,
    "internal_error": 500,
    "internal_server_error": 500,
    "server_error": 500,
    "bad_gateway": 502,
    "service_unavailable": 503,
    "gateway_timeout": 504,
    # Bedrock
    "validationexception": 400,
    "expiredtokenexception": 401,
    "unrecognizedclientexception": 401,
    "accessdeniedexception": 403,
    "resourcenotfoundexception": 404,
    "servicequotaexceededexception": 429,
    "throttlingexception": 429,
    "internalserverexception": 500,
    "modelstreamerrorexception": 502,  # on the wire a 424, which would say nothing
    "modelnotreadyexception": 503,  # on the wire a 429
    "serviceunavailableexception": 503,
    "modeltimeoutexception": 504,
    # Vertex, in its field status
    "INVALID_ARGUMENT": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "ABORTED": 409,
    "RESOURCE_EXHAUSTED": 429,
    "CANCELLED": 499,
    "INTERNAL": 500,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}


def _sentence(row: str, statuses: set[int], pattern: str) -> Sentence:
    return Sentence(
        pattern=re.compile(pattern, re.IGNORECASE), row=row, statuses=frozenset(statuses)
    )


_SENTENCES: Final = (
    _sentence(
        "billing",
        # A 429 too: "… would exceed your account's monthly spend limit" comes with a retry-after
        # of some minutes, and stays until the month ends.
        {400, 403, 429},
        r"credit balance is too low|specified[\w ]{0,30} api usage limits|spend(?:ing)? limit"
        r"|billing hard limit|insufficient (?:balance|credits|funds)",
    ),
    _sentence(
        "suspended",
        {400, 401, 403},
        r"(?:organi[sz]ation|account)(?: has been| is| was)(?: currently)?"
        r" (?:deactivated|disabled|on hold|suspended)",
    ),
    _sentence(
        "context_too_long",
        {400},
        r"prompt is too long|exceeds? (?:the )?(?:model'?s )?(?:maximum )?"
        r"context (?:length|limit|window)|maximum context length"
        r"|input is too long for (?:the )?requested model"
        r"|input token count .{0,60}exceeds the maximum",
    ),
    _sentence(
        "content_policy",
        {400},
        r"output blocked by content filtering policy|content management policy"
        r"|result of our safety system|violating our (?:usage|content) polic",
    ),
    _sentence(
        "too_large",
        {400},
        r"exceeds (?:the )?\d+ ?mb maximum|image dimensions exceed"
        r"|request exceeds the maximum size",
    ),
    _sentence(
        "model_unavailable",
        {404},
        r"^model:|\bmodel\b.{0,200}(?:not (?:found|exist|available|supported)|end of its life"
        r"|retired|deprecated)|no endpoints found",
    ),
    _sentence(
        "bad_request",
        {404},
        r"^(?:batch|container|file|previous response|response|skill)\b.{0,200}"
        r"(?:not found|not exist|expired)",
    ),
)

_STATUSES: Final = {
    400: "bad_request",
    401: "authentication",
    402: "billing",
    403: "permission",
    404: "wrong_address",
    405: "wrong_address",
    407: "connection_setup",
    408: "upstream",
    409: "conflict",
    410: "wrong_address",
    413: "too_large",
    415: "bad_request",
    421: "connection_setup",
    422: "bad_request",
    426: "connection_setup",
    429: "rate_limited",
    431: "bad_request",
    451: "permission",
    499: "cancelled",
    500: "server_error",
    501: "not_implemented",
    502: "server_error",
    503: "unavailable",
    504: "upstream",
    511: "connection_setup",
    **dict.fromkeys(range(520, 525), "server_error"),
    529: "overloaded",
}

_STOPS: Final = {
    "content_filter": "refusal",
    "model_context_window_exceeded": "window_exceeded",
    "refusal": "refusal",
}

RAW_HTTP: Final = Table(
    codes=_CODES,
    code_patterns=_CODE_PATTERNS,
    types=_TYPES,
    sentences=_SENTENCES,
    statuses=_STATUSES,
    stops=_STOPS,
)
"""The table of raw HTTP."""


_ANTHROPIC_CODES: Final = {
    "contract_spend_limit_reached": "billing",
    "enforced_spend_limit_reached": "billing",
    "external_key_in_workspace_policy": "bad_request",
    "linked_organization_spend_limit_reached": "billing",
    "organization_on_hold": "suspended",
    "ramp_limit_exceeded": "requests",
    "request_body_timeout": "upstream",  # what a 408 says
    "request_body_too_large_after_decoding": "too_large",
    "user_profile_not_billable": "billing",
    # The organization's own rule for its administrators, not a judgement of the content.
    "workspace_policy_violation": "permission",
}

ANTHROPIC: Final[Table] = replace(RAW_HTTP, codes={**RAW_HTTP.codes, **_ANTHROPIC_CODES})
"""The table of Anthropic's API."""
