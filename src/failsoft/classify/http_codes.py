"""The table of raw HTTP, and those of providers that mean something else by a word of it.

The raw table covers any endpoint, gateway or cloud in front of a model, and every provider without
a table of its own. Gateways pass bodies on as they got them, so the names of all providers are in
it. Anthropic's own table holds the codes of ``error.details.error_code`` that bear on a call; they
are from anthropic 2.12, which names about 90, and those not listed mean no more than their type.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from failsoft.classify.cloud_codes import CLOUD_CODES, CLOUD_STOPS, CLOUD_TYPES
from failsoft.classify.openai_codes import (
    OPENAI_CODES,
    OPENAI_PATTERNS,
    OPENAI_STOPS,
    OPENAI_TYPES,
)
from failsoft.classify.truth_table import CodePattern, Sentence, Table

__all__ = ["PROVIDERS", "RAW_HTTP"]

_CODE_PATTERNS: Final = (
    CodePattern(
        pattern=re.compile(
            r"spend_limit_(?:reached|exceeded)|billing|payment_required"
            r"|insufficient_(?:balance|credits?|funds|quota)|usage_limit_(?:reached|exceeded)"
            r"|(?:daily|monthly)_?limit"
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
    CodePattern(pattern=re.compile(r"too_large|string_too_long"), row="too_large"),
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
    **OPENAI_TYPES,
    **CLOUD_TYPES,
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
        {400, 403, 412, 429},
        r"credit balance is too low|specified[\w ]{0,30} api usage limits|spend(?:ing)? limit"
        r"|billing hard limit|insufficient (?:balance|credits|funds)"
        r"|used all (?:of )?(?:your |its )?available credits"
        r"|credits (?:are|have been) (?:depleted|exhausted|used up)"
        r"|(?:daily|monthly) (?:[\w-]+ ){0,3}(?:allocation|allowance|limit|quota)"
        r"|(?:budget|key) limit exceeded",
    ),
    _sentence(
        "suspended",
        {400, 401, 403},
        r"(?:organi[sz]ation|account)[\w .-]{0,60}(?: has been| is| was)(?: currently)?"
        r" (?:deactivated|disabled|on hold|suspended)",
    ),
    _sentence(
        "authentication",
        {400, 403},
        r"api key (?:is )?(?:not valid|invalid|expired)|(?:incorrect|invalid|expired) api key",
    ),
    _sentence(
        "context_too_long",
        {400},
        r"prompt is too long|exceeds? (?:the )?(?:model'?s )?(?:maximum )?"
        r"context (?:length|limit|window)|maximum context length|exceeds the max_model_len"
        r"|longer than the model'?s context length"
        r"|input is too long for (?:the )?requested model"
        r"|input token count .{0,60}exceeds the maximum"
        r"|too large for model with \d+ maximum context",
    ),
    _sentence(
        "content_policy",
        {400},
        r"output blocked by content filtering policy|content management policy"
        r"|result of our safety system|violating our (?:usage|content) polic",
    ),
    _sentence("content_policy", {400, 403}, r"input was flagged"),
    _sentence("permission", {400}, r"location is not supported"),
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
        "model_unavailable",
        {400, 422},
        r"\b(?:invalid|unknown) model\b(?! (?:config|input|output|param))|not a valid model\b"
        r"|\bmodel (?:id|identifier|name) is (?:invalid|not valid)|^model not exist"
        r"|\bmodel [`'\"]?[\w./:@-]+[`'\"]? (?:(?:does )?not exist|(?:is|was) not found|not found"
        r"|has been (?:decommissioned|deprecated|retired))|on-demand throughput isn.t supported",
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
    424: "server_error",
    426: "connection_setup",
    429: "rate_limited",
    431: "bad_request",
    451: "permission",
    498: "overloaded",  # Groq: no room for flexible processing
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
    "model_context_window_exceeded": "window_exceeded",
    "refusal": "refusal",
    **OPENAI_STOPS,
    **CLOUD_STOPS,
}

RAW_HTTP: Final = Table(
    codes={**OPENAI_CODES, **CLOUD_CODES},
    code_patterns=(*_CODE_PATTERNS, *OPENAI_PATTERNS),
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

_ANTHROPIC: Final = replace(RAW_HTTP, codes={**RAW_HTTP.codes, **_ANTHROPIC_CODES})
_GEMINI: Final = replace(  # "… is not available in your country. Please enable billing"
    RAW_HTTP, codes={**RAW_HTTP.codes, "FAILED_PRECONDITION": "permission"}
)
_OPENROUTER: Final = replace(  # a role that is not supported, an empty message
    RAW_HTTP, codes={**RAW_HTTP.codes, "invalid_prompt": "bad_request"}
)
_FIREWORKS: Final = replace(RAW_HTTP, statuses={**RAW_HTTP.statuses, 412: "billing"})

PROVIDERS: Final = {
    **dict.fromkeys(("anthropic", "bedrock", "vertex"), _ANTHROPIC),
    "fireworks": _FIREWORKS,
    "gemini": _GEMINI,
    "openrouter": _OPENROUTER,
}
"""The tables of providers that have one of their own; that of any other is raw HTTP's."""
