"""Authentication, and how much one caller may ask at a time.

A caller is the tenant whose key it is, and the user the application has recognised.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import Request

from failsoft.config.settings import Settings
from failsoft.errors import SettingError
from failsoft.server.problem import Problem

__all__ = ["PRINCIPAL", "Guard", "Identity", "caller_of", "check_exposure", "is_loopback"]

_NO_NAME = "default"
_BUSY_SECONDS = 1  # a place comes free whenever one of the tenant's own requests ends


class Guard:
    """Keeps the digests of the keys, never the keys, and counts each tenant's open requests."""

    def __init__(self, settings: Settings) -> None:
        entries = (entry.rpartition(":") for entry in settings.api_keys)
        self._tenants = [(_digest(key), tenant or _NO_NAME) for tenant, _, key in entries]
        self._limit = settings.server.requests_per_tenant
        self._known_hosts = _known_hosts(settings)
        self._open: Counter[str] = Counter()

    def tenant(self, headers: Headers) -> str | None:
        """Whose request this is; ``None`` where the service has no keys.

        Raises :class:`~failsoft.server.problem.Problem`: 401 without a key that is known, 400 where
        a header that shows one is there twice. Every key is compared, each in constant time, so
        that the time it takes shows nothing.
        """
        if not self._tenants:
            return None
        shown = _digest(_shown_key(headers))
        found = [name for digest, name in self._tenants if hmac.compare_digest(digest, shown)]
        if not found:
            raise Problem(
                401,
                "This needs a key of the service: send it as Authorization: Bearer or x-api-key.",
                headers={"www-authenticate": 'Bearer realm="failsoft"'},
            )
        return found[0]

    def check_site(self, headers: Headers) -> None:
        """Refuse what a page of another site has a browser send to a loopback service without keys.

        A name that such a page owns may lead here (DNS rebinding); a browser sends that name in
        ``Host``, and the page's in ``Origin``. Raises :class:`~failsoft.server.problem.Problem`
        (403).
        """
        if self._known_hosts is None:
            return
        named = [("Host", name) for name in headers.getlist("host")]
        named += [("Origin", _netloc(origin)) for origin in headers.getlist("origin")]
        for header, name in named:
            if not self.knows_host(name):
                raise Problem.of_field(
                    403,
                    header,
                    "is not of this machine: without keys only its own pages and programs are "
                    "answered. Use localhost, list the name in server.allowed_hosts, or set "
                    "FAILSOFT_API_KEYS",
                )

    def knows_host(self, netloc: str) -> bool:
        """Whether a name, maybe with a port, is of this machine or allowed as well."""
        host = re.sub(r":[0-9]*$", "", netloc).lower()
        own = is_loopback(host.strip("[]")) or host.endswith(".localhost")  # as browsers have it
        return own or host in (self._known_hosts or ())

    @contextmanager
    def place(self, tenant: str | None) -> Iterator[None]:
        """Hold one of the tenant's places; raises a Problem (429) where all are taken."""
        name = tenant or ""
        if self._open[name] >= self._limit:
            raise Problem(
                429,
                f"Too many requests at a time: at most {self._limit}. Wait for one to end.",
                headers={"retry-after": str(_BUSY_SECONDS)},
            )
        self._open[name] += 1
        try:
            yield
        finally:
            self._open[name] -= 1


def check_exposure(settings: Settings) -> None:
    """Refuse to listen beyond this machine without keys.

    Raises :class:`~failsoft.errors.SettingError` unless ``server.host`` is a loopback address,
    there are ``api_keys``, or ``server.insecure`` is on.
    """
    host = settings.server.host
    if settings.api_keys or settings.server.insecure or is_loopback(host):
        return
    raise SettingError(
        "server.host",
        f"{host} can be reached from other machines, and anybody there could spend your money: "
        "set FAILSOFT_API_KEYS, listen on 127.0.0.1, or allow it with --insecure",
    )


def _known_hosts(settings: Settings) -> frozenset[str] | None:
    """Names by which the service is reached besides loopback ones; ``None`` where any will do."""
    server = settings.server
    if settings.api_keys or server.insecure or not is_loopback(server.host):
        return None
    return frozenset(name.lower() for name in server.allowed_hosts or ())


def is_loopback(host: str) -> bool:
    """Whether this address or name is of the same machine."""
    try:
        return ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _netloc(origin: str) -> str:
    """The host and port of an origin; of "null", or what is none, one that is never known."""
    try:
        return urlsplit(origin).netloc or "-"
    except ValueError:  # a bracket that is not closed
        return "-"


def _shown_key(headers: Headers) -> str:
    for name in ("Authorization", "x-api-key"):  # of two, a proxy may have checked the other
        if len(headers.getlist(name)) > 1:
            raise Problem.of_field(400, name, "must be sent once")
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    return headers.get("x-api-key", "").strip()


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


PRINCIPAL = "failsoft.principal"
"""Where the scope of a request has the user, as ``router(principal=…)`` says."""


class Identity(NamedTuple):
    """Whose request it is. Requests and keys of one ``scope`` are hidden from every other."""

    tenant: str | None
    user: str | None
    scope: str


def caller_of(request: Request, guard: Guard) -> Identity:
    """The caller; raises :class:`~failsoft.server.problem.Problem` (401) for an unknown key."""
    tenant, user = guard.tenant(request.headers), request.scope.get(PRINCIPAL)
    if user is None:
        return Identity(tenant, None, tenant or "")
    name = _name(user)
    return Identity(tenant, name, f"{tenant or ''}\n{name}")  # a tenant has no newline


def _name(given: Any) -> str:
    """A name that is the same for one user and different for two.

    Raises :class:`TypeError` for objects: what they look like as text often differs from one
    request to the next, and then callers would not find their own requests again.
    """
    if isinstance(given, bool) or not isinstance(given, str | int):
        kind = type(given).__name__
        raise TypeError(f"principal= must give the user's id as a str or an int; it gave a {kind}")
    return str(given)
