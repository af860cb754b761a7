"""One line in front of an existing SDK client."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar, cast

from failsoft.config.settings import Settings, checked_settings
from failsoft.engine.client import Failsoft
from failsoft.errors import FailsoftError, SettingError, extra
from failsoft.providers.protocol import Exchange, ProviderCall
from failsoft.telemetry.events import Event

if TYPE_CHECKING:
    from anthropic import Anthropic, AsyncAnthropic
    from openai import AsyncOpenAI, OpenAI

__all__ = ["wrap"]

Client = TypeVar("Client", bound="Anthropic | AsyncAnthropic | OpenAI | AsyncOpenAI")


def wrap(
    client: Client,
    *,
    chain: Sequence[str] = (),
    ai: Failsoft | None = None,
    settings: Settings | None = None,
    on_event: Callable[[Event], None] | None = None,
    route: str = "chat",
) -> Client:
    """The same client, whose answers fail soft: breaker, deadline, retries that help.

        client = failsoft.wrap(AsyncAnthropic(), chain=["claude-sonnet-5-5", "claude-haiku-5-5"])
        client = failsoft.wrap(AsyncOpenAI(), chain=["gpt-5.5-mini"])

    It is a copy of ``client`` with its connections, and every form of a call of ``messages``,
    ``chat.completions`` or ``responses`` goes through it: ``create``, ``stream``, ``parse``, tools,
    ``beta``, ``with_raw_response``, ``with_streaming_response``, ``with_options``. The types
    stay, and so do the exceptions: where nothing helped, the SDK's own is raised;
    :func:`~failsoft.answer_of` says what failsoft knows of it, words for the person among them.

    ``chain`` are models to go on to, best first, after the one a call names; without it no call
    ever goes to another model. A client that is wrapped has breakers of its own, unless ``ai`` is
    a :class:`~failsoft.Failsoft` to share them with, and its settings, events and connection to the
    shared store; closing is then up to that. Otherwise ``settings`` default to ``failsoft.toml``
    and the environment, and ``on_event`` gets every event.

    Raises :class:`~failsoft.errors.SettingError` for arguments that cannot hold, a ``client`` that
    is none of Anthropic's or OpenAI's among them, and :class:`~failsoft.errors.FailsoftError` where
    the SDK is too old or missing.
    """
    if ai is not None and (settings is not None or on_event is not None):
        raise SettingError("ai", "has settings and events of its own: leave those arguments out")
    sdk: Any = _wrapper_of(client)
    if ai is None:
        name, own = sdk.settings_of(client, checked_settings(settings))
        ai = Failsoft(own, providers={name: _TheClient()}, on_event=on_event)
    return cast("Client", sdk.wired(client, ai, chain=chain, route=route))


class _TheClient:
    """Stands for the client, which makes every call itself: by its own proxy and certificates."""

    def exchange(self, call: ProviderCall) -> AbstractAsyncContextManager[Exchange]:
        """Never called."""
        raise FailsoftError(f"{call.target.id} is called by the wrapped client alone")

    async def aclose(self) -> None:
        """Close nothing: the client is its owner's."""


def _wrapper_of(client: object) -> ModuleType:
    """What wraps a client of its SDK; no other SDK is imported."""
    packages = {kind.__module__.partition(".")[0] for kind in type(client).__mro__}
    if "openai" in packages:
        from failsoft.wrap import openai_seam  # noqa: PLC0415 - an extra

        return openai_seam
    with extra("anthropic", "wrap"):
        import anthropic  # noqa: PLC0415 - an extra

    if not hasattr(anthropic, "Middleware"):
        raise FailsoftError(
            f"wrap needs an SDK with middleware, and anthropic {anthropic.__version__} has none: "
            "pip install 'failsoft[anthropic]' brings one"
        )
    if not isinstance(client, anthropic.Anthropic | anthropic.AsyncAnthropic):
        problem = "must be a client of the SDK of Anthropic or of OpenAI, async or not; it is "
        raise SettingError("client", problem + type(client).__name__)
    from failsoft.wrap import sdk_middleware  # noqa: PLC0415 - an extra

    return sdk_middleware
