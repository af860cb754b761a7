"""Who may look: it shows what happens to everybody's requests."""

from __future__ import annotations

from starlette.requests import Request

from failsoft.server.guard import is_loopback
from failsoft.server.problem import Problem
from failsoft.server.service import Service

__all__ = ["Access"]


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
        if not (is_loopback(peer) and is_loopback(_asked_for(request))):
            raise Problem(
                403,
                "The playground is for callers on the same machine, by the name localhost or "
                "127.0.0.1; with FAILSOFT_API_KEYS set it is for whoever has a key.",
            )


def _asked_for(request: Request) -> str:
    return request.url.hostname or ""
