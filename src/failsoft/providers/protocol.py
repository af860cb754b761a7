"""What a provider is: one exchange with one target, as a stream of events.

Every provider streams, also for a plain answer, so that liveness, truncation and partial text are
the same code for all calls. Contract:

- ``exchange(call)`` is an asynchronous context manager. Entering it sends the request and returns
  once the reply's headers are in and say that a stream begins; leaving it frees the connection at
  once, whatever happened (also under cancellation). It raises a
  :class:`~failsoft.classify.wire_errors.WireFailure` or the transport's own exception, nothing
  else.
- Iterating the exchange yields :class:`WireEvent`. It ends after the provider's terminal event, or
  with an event ``soft_end`` where the stop reason came, all blocks are closed and nothing more
  comes. Any other end raises :class:`~failsoft.classify.wire_errors.StreamCut`, an
  ``error`` event :class:`~failsoft.classify.wire_errors.StreamFailed`, a refusal
  :class:`~failsoft.classify.wire_errors.Stopped`.
- The provider keeps no time: it never times out and never retries. The engine does both.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from failsoft.config.settings import MAX_ANSWER_BYTES
from failsoft.policy.target import Target

__all__ = ["Exchange", "Provider", "ProviderCall", "Reply", "WireEvent"]


class WireEvent(NamedTuple):
    """One event of a provider's stream.

    ``content`` is true for any block content that is not empty (text, thinking, tool input): what
    keeps the timers alive. Pings, roles, metadata, empty deltas and unknown events are not content.
    ``text`` is the text it adds to the answer.
    """

    type: str
    data: Mapping[str, Any]
    content: bool
    text: str


class ProviderCall(NamedTuple):
    """One attempt's request: the provider's own fields, ``model`` and ``stream`` left out.

    ``headers`` are extra request headers of the caller (betas and the like). ``request_id`` and
    ``number`` say which attempt of which request it is; nothing of them is sent. ``seconds`` is the
    longest silence that is waited through, ``max_bytes`` the largest answer, decompressed: a larger
    one is a :class:`~failsoft.classify.wire_errors.BadReply`. ``fresh`` asks for a connection that
    was not used before: one that the other side has just closed leaves open whether it was sent.
    """

    target: Target
    body: Mapping[str, Any]
    headers: Mapping[str, str] = MappingProxyType({})
    request_id: str = ""
    number: int = 1
    seconds: float | None = None
    max_bytes: int = MAX_ANSWER_BYTES
    fresh: bool = False


class Reply(Protocol):
    """An HTTP reply whose headers are in, whichever client brought it."""

    @property
    def status(self) -> int:
        """Its status."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Its headers, keys in lower case."""
        ...

    @property
    def ended(self) -> bool:
        """Whether the whole body is in."""
        ...

    async def read(self) -> bytes:
        """The next bytes of the body, empty at its end.

        Raises :class:`OSError` or :class:`aiohttp.ClientError` where it breaks off.
        """
        ...

    async def free(self) -> None:
        """Let go of the connection at once. Idempotent."""
        ...


class Exchange(Protocol):
    """One reply as it comes in."""

    @property
    def headers(self) -> Mapping[str, str]:
        """The reply's headers, keys in lower case."""
        ...

    @property
    def request_id(self) -> str | None:
        """The provider's own id of the request."""
        ...

    @property
    def message(self) -> dict[str, Any]:
        """The message put together so far, in the provider's own shape."""
        ...

    def __aiter__(self) -> AsyncIterator[WireEvent]: ...


class Provider(Protocol):
    """One wire protocol (or one mock of it)."""

    def exchange(self, call: ProviderCall) -> AbstractAsyncContextManager[Exchange]:
        """Send one request; see the module's contract."""
        ...

    async def aclose(self) -> None:
        """Close every connection. Idempotent."""
        ...
