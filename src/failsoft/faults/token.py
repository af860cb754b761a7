"""Tokens that give a tenant the right to make requests fail: signed with a key, and expiring."""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import urlsafe_b64encode

__all__ = ["TokenError", "check_token", "make_token"]

_FORM = re.compile(r"v2\.([0-9]{1,12})\.([A-Za-z0-9_-]*)\.([0-9a-f]{64})")


class TokenError(Exception):
    """The token gives no right; the text says why, and follows "the token"."""


def make_token(key: str, *, expires_at: float, tenant: str = "") -> str:
    """``v2.<expiry>.<tenant in base64url>.<HMAC-SHA256 of what is before it>``.

    The expiry is in seconds since the epoch. Without ``tenant`` it is for a service that has none.
    """
    signed = f"v2.{int(expires_at)}.{_encoded(tenant)}"
    return f"{signed}.{_signature(key, signed)}"


def check_token(token: str, key: str, *, now: float, tenant: str = "") -> None:
    """Raise :class:`TokenError` unless ``key`` signed it for ``tenant``, before its expiry.

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
    if found[2] != _encoded(tenant):
        raise TokenError("is another tenant's")


def _encoded(tenant: str) -> str:
    return urlsafe_b64encode(tenant.encode()).decode().rstrip("=")


def _signature(key: str, signed: str) -> str:
    # The purpose is signed too: another use of the same key must not make tokens.
    said = f"failsoft.simulate:{signed}"
    return hmac.new(key.encode(), said.encode(), hashlib.sha256).hexdigest()
