"""One line in front of an existing SDK client."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar, cast

from failsoft.config.loading import load_settings
from failsoft.config.settings import Settings, checked_settings
from failsoft.engine.client import Failsoft
from failsoft.errors import FailsoftError, SettingError, extra
from failsoft.providers.protocol import Exchange, ProviderCall
from failsoft.telemetry.events import Event

if TYPE_CHECKING:
    from anthropic import Anthropic, AsyncAnthropic

__all__ = ["wrap"]

Client = TypeVar("Client", bound="Anthropic | AsyncAnthropic")


def wrap(
    client: Client,
    *,
    chain: Sequence[str] = (),
    ai: Failsoft | None = None,
    settings: Settings | None = None,
    on_event: Callable[[Event], None] | None = None,
    route: str = "chat",
) -> Client:
    """The same client, whose ``messages`` fail soft: breaker, deadline, retries that help.

        client = failsoft.wrap(AsyncAnthropic(), chain=["claude-sonnet-5-5", "claude-haiku-5-5"])

    It is a copy of ``client`` with its connections, and every form of a call goes through it:
    ``create``, ``stream``, ``parse``, tools, ``beta``, ``with_raw_response``,
    ``with_streaming_response``, ``with_options``. The types stay, and so do the exceptions:
    where nothing helped, the SDK's own is raised; :func:`~failsoft.answer_of` says what failsoft
    knows of it, words for the person among them.

    ``chain`` are models to go on to, best first, after the one a call names; without it no call
    ever goes to another model. A client that is wrapped has breakers of its own, unless ``ai`` is
    a :class:`~failsoft.Failsoft` to share them with, and its settings, events and connection to the
    shared store; closing is then up to that. Otherwise ``settings`` default to ``failsoft.toml``
    and the environment, and ``on_event`` gets every event.

    Raises :class:`~failsoft.errors.SettingError` for arguments that cannot hold, a ``client`` that
    is none of Anthropic's among them, and :class:`~failsoft.errors.FailsoftError` where the SDK is
    too old or missing.
    """
    _check(client)
    from failsoft.wrap.sdk_middleware import wired  # noqa: PLC0415 - an extra

    if ai is not None and (settings is not None or on_event is not None):
        raise SettingError("ai", "has settings and events of its own: leave those arguments out")
    if ai is None:
        ai = Failsoft(
            _settings(client, settings), providers={"anthropic": _TheClient()}, on_event=on_event
        )
    return cast("Client", wired(client, ai, chain=chain, route=route))


class _TheClient:
    """Stands for the client, which makes every call itself: by its own proxy and certificates."""

    def exchange(self, call: ProviderCall) -> AbstractAsyncContextManager[Exchange]:
        """Never called."""
        raise FailsoftError(f"{call.target.id} is called by the wrapped client alone")

    async def aclose(self) -> None:
        """Close nothing: the client is its owner's."""


def _check(client: object) -> None:
    with extra("anthropic", "wrap"):
        import anthropic  # noqa: PLC0415 - an extra

    if not hasattr(anthropic, "Middleware"):
        raise FailsoftError(
            f"wrap needs an SDK with middleware, and anthropic {anthropic.__version__} has none: "
            "pip install 'failsoft[anthropic]' brings one"
        )
    if not isinstance(client, anthropic.Anthropic | anthropic.AsyncAnthropic):
        problem = f"must be an Anthropic or an AsyncAnthropic; it is {type(client).__name__}"
        raise SettingError("client", problem)


def _settings(client: Anthropic | AsyncAnthropic, given: Settings | None) -> Settings:
    settings = checked_settings(given) or load_settings(providers={"anthropic"}).settings
    if not client.base_url.host:  # it is found at the first request, as Google Cloud's is
        return settings
    return replace(settings, anthropic=replace(settings.anthropic, base_url=str(client.base_url)))
