"""The names that the clouds give to their failures: AWS (Bedrock) and Google (Gemini, Vertex).

AWS names an exception in ``x-amzn-errortype``, in ``__type`` or in a frame of a stream, in lower
case here. Google names a status in capitals, which keeps its NOT_FOUND apart from another
service's not_found; its finish reasons are in capitals too.
"""

from __future__ import annotations

from typing import Final

__all__ = ["CLOUD_CODES", "CLOUD_STOPS", "CLOUD_TYPES"]

CLOUD_CODES: Final = {
    "ftuformnotfilled": "model_unavailable",  # the account has not asked for it
    "resourcenotfoundexception": "model_unavailable",  # a wrong path has another name
    # Google, where its field status says more than a status does
    "FAILED_PRECONDITION": "bad_request",
    "NOT_FOUND": "model_unavailable",
    # the reasons of Google's ErrorInfo
    "access_token_expired": "authentication",
    "api_key_invalid": "authentication",
    "consumer_suspended": "suspended",
}
"""Codes that name one cause, to rows."""

_AWS: Final = {
    "serializationexception": 400,
    "validationerror": 400,
    "validationexception": 400,
    "expiredtoken": 401,
    "expiredtokenexception": 401,
    "incompletesignature": 401,
    "incompletesignatureexception": 401,
    "invalidclienttokenid": 401,
    "invalidsignatureexception": 401,
    "missingauthenticationtoken": 401,
    "missingauthenticationtokenexception": 401,
    "requestexpired": 401,
    "signaturedoesnotmatch": 401,
    "unrecognizedclientexception": 401,
    "accessdenied": 403,
    "accessdeniedexception": 403,
    "notauthorized": 403,
    "optinrequired": 403,
    "conflictexception": 409,
    "provisionedthroughputexceededexception": 429,
    "requestlimitexceeded": 429,
    "servicequotaexceededexception": 429,  # on the wire a 400
    "throttledexception": 429,
    "throttling": 429,
    "throttlingexception": 429,
    "toomanyrequestsexception": 429,
    "internalfailure": 500,
    "internalserverexception": 500,
    "modelerrorexception": 502,  # on the wire a 424
    "modelstreamerrorexception": 502,  # on the wire a 424
    "modelnotreadyexception": 503,  # on the wire a 429
    "serviceunavailable": 503,
    "serviceunavailableexception": 503,
    "modeltimeoutexception": 504,
}

_GOOGLE: Final = {
    "INVALID_ARGUMENT": 400,
    "OUT_OF_RANGE": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "ABORTED": 409,
    "ALREADY_EXISTS": 409,
    "RESOURCE_EXHAUSTED": 429,
    "CANCELLED": 499,
    "DATA_LOSS": 500,
    "INTERNAL": 500,
    "UNKNOWN": 500,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}

CLOUD_TYPES: Final = {**_AWS, **_GOOGLE}
"""Types, to the status that each goes with."""

_BLOCKED: Final = (
    *("BLOCKLIST", "ESCALATION", "MODEL_ARMOR", "PROHIBITED_CONTENT", "PUP_LIMITED_DISABLED"),
    *("RECITATION", "SAFETY", "SPII"),
    *("IMAGE_OTHER", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION", "IMAGE_SAFETY"),
    *("content_filtered", "guardrail_intervened"),  # Bedrock
    "prompt_blocked",  # by promptFeedback.blockReason
)
_SPOILED: Final = (
    *("LANGUAGE", "MALFORMED_FUNCTION_CALL", "MALFORMED_RESPONSE", "NO_IMAGE", "OTHER"),
    *("TOO_MANY_TOOL_CALLS", "UNEXPECTED_TOOL_CALL"),
    *("malformed_model_output", "malformed_tool_use"),  # Bedrock
)

CLOUD_STOPS: Final = {
    **dict.fromkeys(_BLOCKED, "refusal"),
    **dict.fromkeys(_SPOILED, "bad_reply"),
    "MISSING_THOUGHT_SIGNATURE": "bad_request",
}
"""Stop reasons that end no answer, to rows."""
