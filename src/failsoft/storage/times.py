"""How long the stores wait, in seconds; a value object."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["StoreTimes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreTimes:
    """The waits of a store in seconds; each store uses those that apply to it."""

    retry: float = 2.0
    """From an outage to the next try."""

    lock_wait: float = 2.0
    """For a lock that another program holds, once; then the store is down."""

    reply: float = 0.1
    """For Redis to take a connection, and to reply. A frozen server holds a socket open for ever,
    and the library's own 5 s, tried several times, held up a call for 40 s when it was measured."""

    flush: float = 0.2
    """From one write of pending events to the next. The contract says 250 ms; the write takes
    some of it."""

    heartbeat: float = 2.0
    """From one heartbeat to the next while requests run here."""

    idle_heartbeat: float = 10.0
    """From one heartbeat to the next in a file while no request runs here."""

    dead: float = 30.0
    """From the last heartbeat to when an owner counts as dead, where no lock says so earlier:
    fifteen heartbeats."""

    recover: float = 2.0
    """From one search for requests of dead owners to the next."""

    tidy: float = 60.0
    """From one deletion of expired rows to the next."""

    embedder: float = 2.0
    """For the embedder to load: it takes 0.5 s, with its imports a second or two."""
