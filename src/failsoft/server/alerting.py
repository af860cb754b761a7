"""Alerts of a deployment without Prometheus: judged here, posted to the webhook of the settings."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import time
from collections.abc import AsyncIterator

from failsoft.config.settings import Settings
from failsoft.engine.deadline import monotonic
from failsoft.server.runs import RunRegistry
from failsoft.server.service import Service
from failsoft.telemetry.alert_rules import PROVIDER_STATUS_PAGE
from failsoft.telemetry.alerts import Evaluator, Messages, Webhook
from failsoft.telemetry.events import BreakerChanged, Event

__all__ = ["Watch", "watching"]

_log = logging.getLogger(__name__)

_LOOK_SECONDS = 5.0
_LAST_POSTS_SECONDS = 2.0


@contextlib.asynccontextmanager
async def watching(service: Service, registry: RunRegistry) -> AsyncIterator[None]:
    """Watch while the service runs, where the settings name a webhook."""
    url = service.ai.settings.alerts.webhook_url
    if url is None:
        yield
        return
    webhook = Webhook(url)
    webhook.start()
    looking = asyncio.create_task(Watch(service, registry, webhook).run())
    try:
        yield
    finally:
        looking.cancel()
        await asyncio.wait((looking,))
        await webhook.aclose(_LAST_POSTS_SECONDS)


class Watch:
    """Looks every few seconds, and at once when a breaker changes. For one event loop."""

    def __init__(self, service: Service, registry: RunRegistry, webhook: Webhook) -> None:
        self._service = service
        self._registry = registry
        self._webhook = webhook
        self._evaluator = Evaluator(monotonic)
        self._messages = Messages(
            repeat_seconds=service.ai.settings.alerts.repeat_seconds,
            clock=monotonic,
            wall=time.time,
            links=_links(service.ai.settings),
        )
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Look until cancelled. A look that fails is logged, and the next one is made."""
        self._service.ai.subscribe(self._hear)
        while True:
            try:
                self._look()
            except Exception:  # noqa: BLE001 - alerts must outlive whatever goes wrong
                _log.exception("alerts_failed")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_SECONDS):
                    await self._changed.wait()
            self._changed.clear()

    def _look(self) -> None:
        for message in self._messages.about(self._evaluator.firing(self._registry.state())):
            self._webhook.put(message)

    def _hear(self, event: Event) -> None:
        """Called in any thread, and with the breaker's own doings unfinished."""
        self._evaluator.hear(event)
        if isinstance(event, BreakerChanged) and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._changed.set)


def _links(settings: Settings) -> dict[str, str]:
    """Which process speaks, and where the provider says how it is."""
    return {
        "service": "failsoft",
        "instance": f"{socket.gethostname()}:{os.getpid()}",
        "status_page": settings.links.status_page or PROVIDER_STATUS_PAGE,
    }
