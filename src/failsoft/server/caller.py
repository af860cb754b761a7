"""Who calls: the tenant whose key it is, and the user the application has recognized."""

from __future__ import annotations

from typing import Any, NamedTuple

from starlette.requests import Request

from failsoft.server.guard import Guard

__all__ = ["PRINCIPAL", "Caller", "caller_of"]

PRINCIPAL = "failsoft.principal"
"""Where the scope of a request has the user, as ``router(principal=…)`` was told."""


class Caller(NamedTuple):
    """Whose request it is."""

    tenant: str | None
    user: str | None

    @property
    def scope(self) -> str:
        """Requests and keys of one scope are hidden from every other. A tenant has no newline."""
        return f"{self.tenant or ''}\n{self.user or ''}"


def caller_of(request: Request, guard: Guard) -> Caller:
    """The caller; raises :class:`~failsoft.server.problem.Problem` (401) for an unknown key."""
    user = request.scope.get(PRINCIPAL)
    return Caller(guard.tenant(request.headers), None if user is None else _name(user))


def _name(given: Any) -> str:
    """A name that is the same for one user and different for two.

    Raises :class:`TypeError` for objects: what they look like as text often differs from one
    request to the next, and then nobody would find their own requests again.
    """
    if isinstance(given, bool) or not isinstance(given, str | int):
        kind = type(given).__name__
        raise TypeError(f"principal= must give the user's id as a str or an int; it gave a {kind}")
    return str(given)
