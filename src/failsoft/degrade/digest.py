"""One digest of several parts that no other parts have."""

from __future__ import annotations

from hashlib import sha256

__all__ = ["digest"]


def digest(*parts: str | bytes) -> bytes:
    """SHA-256 over the parts, each after its length: ``("ab", "c")`` is not ``("a", "bc")``."""
    found: list[bytes] = []
    for part in parts:
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        found += len(data).to_bytes(8, "big"), data
    return sha256(b"".join(found)).digest()
