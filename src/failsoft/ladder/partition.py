"""The scope of a saved answer, what it is valid for, and the digest that identifies both."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Final
from urllib.parse import quote

__all__ = ["PUBLIC", "Partition", "digest", "tenant_scope", "user_scope"]


def digest(*parts: str | bytes) -> bytes:
    """SHA-256 over the parts, each after its length: ``("ab", "c")`` is not ``("a", "bc")``."""
    found: list[bytes] = []
    for part in parts:
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        found += len(data).to_bytes(8, "big"), data
    return sha256(b"".join(found)).digest()


PUBLIC: Final = "public"
"""The scope that everybody shares."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """Answers of one partition may be given for each other's questions, and for no others.

    ``scope`` is who may share them: :data:`PUBLIC`, :func:`tenant_scope` or
    :func:`user_scope`. ``shared`` allows a question that asks the same in place of the
    same question. ``context`` is a hash of what else the answer depends on (system prompt, tools,
    parameters), ``history`` one of the earlier turns, empty where there are none.
    """

    scope: str
    shared: bool
    route: str
    context: str
    history: str = ""

    @property
    def key(self) -> str:
        """What no other partition has, in hexadecimal."""
        kind = "alike" if self.shared else "same"
        return digest(self.scope, kind, self.route, self.context, self.history).hex()

    def key_in(self, locale: str) -> bytes:
        """The same for one language of it: ``de`` and ``de-AT`` are one, ``de`` and ``en`` two."""
        return _key_in(self, locale)


@lru_cache(1024)
def _key_in(partition: Partition, locale: str) -> bytes:
    return digest(partition.key, re.split("[-_]", locale, maxsplit=1)[0].lower())


def tenant_scope(tenant: str) -> str:
    """The scope that all users of a tenant share; the name is empty where there are no tenants."""
    return f"tenant {tenant}"


def user_scope(tenant: str, user: str) -> str:
    """The scope of one user of a tenant."""
    name = quote(tenant, safe=" ", errors="surrogatepass")  # the first slash ends it
    return f"user {name}/{user}"
