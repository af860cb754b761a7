"""Tokens that give the right to make requests fail: an expiry, signed with a key."""

from __future__ import annotations

import hashlib
import hmac
import re

__all__ = ["TokenError", "check_token", "make_token"]

_FORM = re.compile(r"v1\.([0-9]{1,12})\.([0-9a-f]{64})")


class TokenError(Exception):
    """The token gives no right; the text says why, and follows "the token"."""


def make_token(key: str, *, expires_at: float) -> str:
    """``v1.<expiry>.<HMAC-SHA256 of what is before it>``; seconds since the epoch."""
    signed = f"v1.{int(expires_at)}"
    return f"{signed}.{_signature(key, signed)}"


def check_token(token: str, key: str, *, now: float) -> None:
    """Raise :class:`TokenError` unless ``key`` signed it and ``now`` is before its expiry.

    Signatures are compared in constant time, and nothing unsigned is believed.
    """
    found = _FORM.fullmatch(token)
    if found is None:
        raise TokenError("has not the form that `failsoft token` prints")
    signed, _, signature = token.rpartition(".")
    if not hmac.compare_digest(signature, _signature(key, signed)):
        raise TokenError("is not signed with the key of this service")
    if now >= int(found[1]):
        raise TokenError("has expired")


def _signature(key: str, signed: str) -> str:
    # The purpose is signed too: another use of the same key must not make tokens.
    said = f"failsoft.simulate:{signed}"
    return hmac.new(key.encode(), said.encode(), hashlib.sha256).hexdigest()
