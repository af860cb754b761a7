"""One call to one target while it is under way."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from failsoft.classify.verdict import Sent, Verdict
from failsoft.engine.alarms import LoopAlarms
from failsoft.engine.body import fit
from failsoft.engine.call import Request
from failsoft.engine.core import Core
from failsoft.engine.ledger import Attempt, AttemptOutcome
from failsoft.engine.watchdog import Watchdog
from failsoft.policy.gate import Permit
from failsoft.policy.steps import Call
from failsoft.providers.protocol import Exchange, ProviderCall

__all__ = ["GiveOut", "LiveAttempt"]

GiveOut = Callable[[str, Watchdog], Awaitable[None]]


class LiveAttempt:
    """Sends the request to one target and reads the answer under the attempt's timers."""

    first_content_at: float | None = None
    _request_id: str | None = None

    def __init__(
        self,
        core: Core,
        request: Request,
        call: Call,
        permit: Permit,
        alarms: LoopAlarms,
        *,
        began: float,
    ) -> None:
        self.call = call
        self.permit = permit
        self.message: dict[str, Any] = {}
        self.began = began
        self._core = core
        self._request = request
        self._alarms = alarms
        self._body, self._changes = fit(request.body, call.target)

    async def exchange(self, give_out: GiveOut | None) -> None:
        """Read the answer to its end, giving its text out as it comes; raise what goes wrong."""
        target, limits = self.call.target, self.call.limits
        provider = self._request.provider or self._core.provider(target.provider)
        call = ProviderCall(
            target,
            self._body,
            self._headers(),
            request_id=self._request.id,
            number=self.call.number,
            seconds=max(limits.first_content_at - self.began, limits.idle_seconds),
        )
        with Watchdog(limits, self._alarms, self.began) as watch:
            async with provider.exchange(call) as exchange:
                self._request_id = exchange.request_id
                try:
                    await self._read(exchange, watch, give_out)
                finally:
                    self.message = exchange.message
                if headers := exchange.headers:
                    self._core.learn(target, headers)

    def _headers(self) -> Mapping[str, str]:
        headers, traced = self._request.headers, self._core.trace_headers
        if traced is None:
            return headers
        return {**headers, **traced(self._request.id, self.call.number)}

    async def _read(self, exchange: Exchange, watch: Watchdog, give_out: GiveOut | None) -> None:
        async for event in exchange:
            if not event.content:
                continue
            if watch.content():
                self.first_content_at = watch.last_content_at
                self.permit.first_content(watch.last_content_at)
            if give_out is not None and event.text:
                await give_out(event.text, watch)

    def entry(
        self,
        outcome: AttemptOutcome,
        verdict: Verdict | None,
        *,
        started_seconds: float,
        ended_at: float,
        wait_seconds: float,
        shown_chars: int,
    ) -> Attempt:
        """The attempt as the ledger keeps it."""
        first = self.first_content_at
        usage = self.message.get("usage")
        return Attempt(
            number=self.call.number,
            target=self.call.target.id,
            outcome=outcome,
            verdict=verdict,
            started_seconds=started_seconds,
            duration_seconds=ended_at - self.began,
            wait_seconds=wait_seconds,
            first_content_seconds=None if first is None else first - self.began,
            shown_chars=shown_chars,
            sent=verdict.sent if verdict is not None else Sent.MAYBE,
            usage=usage if isinstance(usage, dict) else {},
            provider_request_id=self._request_id,
            changes=self._changes,
        )
