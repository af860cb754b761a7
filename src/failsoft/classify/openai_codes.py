"""The names that OpenAI and the services that speak like it give to their failures.

Among them are Azure, Groq, Mistral, DeepSeek, xAI, OpenRouter, Together, Fireworks, vLLM, SGLang
and Ollama. One list serves them all, since gateways pass a body on as they received it; a service
that means something else by a name has a table of its own in :mod:`failsoft.classify.http_codes`.
"""

from __future__ import annotations

import re
from typing import Final

from failsoft.classify.truth_table import CodePattern

__all__ = ["OPENAI_CODES", "OPENAI_PATTERNS", "OPENAI_STOPS", "OPENAI_TYPES"]

OPENAI_CODES: Final = {
    "account_deactivated": "suspended",
    "capacity_exceeded": "overloaded",
    "context_length_exceeded": "context_too_long",
    "credit_balance_exhausted": "billing",
    "data_residency_mismatch": "permission",
    "deploymentnotfound": "model_unavailable",
    "engine_overloaded": "overloaded",
    "flagged_input": "content_policy",  # the field of OpenRouter's moderation
    "insufficient_quota": "billing",
    "invalid_api_key": "authentication",
    "invalid_prompt": "content_policy",
    "model_not_available": "model_unavailable",
    "model_not_found": "model_unavailable",
    "organization_usage_limit_exceeded": "billing",
    "provider_overloaded": "overloaded",
    "provider_unavailable": "unavailable",
    "rate_limit_exceeded": "rate_limited",
    "server_is_overloaded": "overloaded",
    "slow_down": "rate_limited",
    "string_above_max_length": "too_large",
    "weight_exceeds_budget": "billing",
    # content filters: true under any status
    "bio_policy": "content_policy",
    "content_filter": "content_policy",
    "content_filter_error": "server_error",  # the filter itself is down
    "content_policy_violation": "content_policy",
    "responsibleaipolicyviolation": "content_policy",
}
"""Codes that name one cause, to rows."""

OPENAI_PATTERNS: Final = (
    CodePattern(
        pattern=re.compile(
            r"(?:unknown|invalid|unsupported|no_such)_model(?:_id|_name)?$"
            r"|^model_(?:not|no_longer)_|^model_(?:decommissioned|deprecated|retired|unavailable)$"
        ),
        row="model_unavailable",
        statuses=frozenset({400, 403, 404, 410, 422}),
    ),
    CodePattern(  # a budget, or a key's own limit, that is spent
        pattern=re.compile(r"(?:credits|_budget|_key_limit)$"),
        row="billing",
        statuses=frozenset({402, 403}),
    ),
    CodePattern(pattern=re.compile(r"(?<!invalid)_timeout$"), row="upstream"),
    CodePattern(pattern=re.compile(r"image"), row="bad_request", statuses=frozenset({400, 422})),
)
"""Families of codes."""

OPENAI_TYPES: Final = {
    "bad_request": 400,
    "badrequest": 400,
    "badrequesterror": 400,
    "invalid_request": 400,
    "authenticationerror": 401,
    "unauthorized": 401,
    "forbidden": 403,
    "permissiondeniederror": 403,
    "not_found": 404,
    "notfounderror": 404,
    "method_not_allowed": 405,
    "unprocessable_entity": 422,
    "rate_limit": 429,
    "rate_limited": 429,
    "ratelimiterror": 429,
    "ratelimitreached": 429,
    "requests": 429,
    "tokens": 429,
    "too_many_requests": 429,
    "internal_error": 500,
    "internal_server_error": 500,
    "internalservererror": 500,
    "server_error": 500,
    "bad_gateway": 502,
    "service_unavailable": 503,
    "service_unavailable_error": 503,
    "serviceunavailableerror": 503,
    "gateway_timeout": 504,
    "overloaded": 529,
}
"""Types, to the status that each goes with."""

OPENAI_STOPS: Final = {
    "abort": "stream_cut",  # vLLM and SGLang: the engine gave the request up
    "content_filter": "refusal",
    "error": "server_error",
    "insufficient_system_resource": "overloaded",  # DeepSeek
    "model_length": "window_exceeded",  # Mistral
}
"""Finish reasons that end no answer, to rows."""
