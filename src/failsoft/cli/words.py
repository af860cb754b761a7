"""What went wrong, in a few words for whoever runs failsoft (never for its users)."""

from __future__ import annotations

from types import MappingProxyType

__all__ = ["WORDS", "in_words"]

WORDS = MappingProxyType(
    {
        "all_open": "every model is out at the moment",
        "authentication": "the API key was not accepted",
        "bad_call": "the request could not be built",
        "bad_reply": "its reply made no sense",
        "bad_request": "it did not accept the request",
        "billing": "the account has no credit left, or reached its limit",
        "cancelled": "the caller left",
        "conflict": "it reported a conflict",
        "connection": "it could not be reached",
        "content_policy": "it may not answer this content",
        "context_too_long": "the conversation is too long for it",
        "deadline": "there was no time left",
        "model_unavailable": "this account has no such model",
        "no_answer": "it said nothing for too long",
        "not_implemented": "it cannot do what was asked",
        "overloaded": "it is overloaded",
        "permission": "the API key may not do this",
        "rate_limited": "too many requests",
        "refusal": "it refused to answer",
        "requests": "too many requests",
        "saturated": "too many calls in flight here",
        "server_error": "it had an internal error",
        "stream_cut": "its answer broke off",
        "suspended": "the account is on hold",
        "tls": "its certificate is not to be trusted",
        "tokens": "too many tokens a minute",
        "too_large": "the request is too large for it",
        "unavailable": "it is not available",
        "unknown": "it failed in a way not known yet",
        "upstream": "it gave up waiting for itself",
    }
)
"""For every reason a verdict can have."""


def in_words(reason: str) -> str:
    """The words for a reason; one that has none speaks for itself."""
    return WORDS.get(reason, reason.replace("_", " "))
