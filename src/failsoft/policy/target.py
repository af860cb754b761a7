"""One provider and model that can be called."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from hashlib import blake2b

__all__ = ["Target", "account_of"]


def account_of(name: str, key: str, host: str) -> str:
    """The account of ``key`` at ``host``, of those that are called ``name``.

    The key itself is not in it, but 64 bits of a hash: among a million keys two are taken for one
    at a chance of 3e-8.
    """
    digest = blake2b(f"{host} {key}".encode(errors="replace"), digest_size=8).hexdigest()
    return f"{name.partition('#')[0]}#{digest}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One provider + model (+ account) that can be called.

    Targets that share a limit share a scope: ``family`` (rate limits are pooled per model family),
    ``account`` (a key, a bill) and ``host`` (a dead host is dead for all its models). Accounts of
    one ``circuit`` share a breaker and a bulkhead. Where it is not ``shared`` (the key is a
    caller's) its benches and parks are this process's own. Windows and output limits are in tokens;
    ``None`` means not known, and nothing is then clamped or ruled out. ``first_content_seconds``
    are those that the settings grant this target, ``None`` where they name none. ``service`` is the
    known service behind the provider, in whose words its failures are read.
    """

    provider: str
    model: str
    family: str = ""
    account: str = ""
    host: str = ""
    context_window: int | None = None
    max_output_tokens: int | None = None
    accepts_prefill: bool = True
    first_content_seconds: float | None = None
    service: str = ""
    circuit: str = ""
    shared: bool = True
    id: str = field(init=False, compare=False)
    """``provider/model``, the name used in settings, events and metrics."""
    key: str = field(init=False, compare=False, repr=False)
    """Its circuit and account: by these a process keeps what it knows of its targets."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "id", f"{self.provider}/{self.model}")
        object.__setattr__(self, "service", self.service or self.provider)
        object.__setattr__(self, "circuit", self.circuit or self.id)
        object.__setattr__(self, "key", f"{self.circuit} {self.account}")

    def under(self, key: str, *, host: str = "", shared: bool = False) -> Target:
        """The same target for callers with ``key``, at ``host`` where that is another."""
        host = host or self.host
        return replace(
            self,
            account=account_of(self.account, key, host),
            host=host,
            circuit=self.id if host == self.host else f"{self.id}@{host}",
            shared=shared,
        )
