"""Access to the playground, which shows every request, and what the demo runs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from starlette.requests import Request

from failsoft.server.auth import is_loopback
from failsoft.server.problem import Problem
from failsoft.server.service import Service

__all__ = ["Access", "Demo"]


class Access:
    """Where the service has keys, who has one; elsewhere who is on the same machine."""

    def __init__(self, service: Service) -> None:
        self._guard = service.guard

    def check(self, request: Request) -> None:
        """Raise a :class:`~failsoft.server.problem.Problem`, 401 or 403, for anybody else.

        The name that was asked for must be this machine's, too: another site's page could have its
        own name lead here, and a proxy on this machine makes every caller a local one.
        """
        if self._guard.tenant(request.headers) is not None:
            return
        peer = request.client.host if request.client else ""
        if not (is_loopback(peer) and self._guard.knows_host(request.url.netloc)):
            raise Problem(
                403,
                "The playground is for callers on the same machine, by the name localhost or "
                "127.0.0.1; with FAILSOFT_API_KEYS set it is for whoever has a key.",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """What the playground may break.

    ``simulator`` is the address of the one that plays the models, ``faults`` what it began
    with, by model; ``providers`` has a name there for all models of a provider, as ``gpt-*``.
    ``cut_redis`` cuts the service off from its Redis, given true, and lets it through again;
    ``None`` where it cannot, and ``no_redis`` says why and what to do. ``log_on_disk`` keeps
    the request log there although there is a Redis: one that keeps nothing is no place for it.
    """

    simulator: str
    faults: Mapping[str, Sequence[str]] = field(default_factory=dict)
    providers: Mapping[str, str] = field(default_factory=dict)
    cut_redis: Callable[[bool], Awaitable[None]] | None = None
    no_redis: str = ""
    log_on_disk: bool = False
