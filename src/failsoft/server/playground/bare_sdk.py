"""The same question to the best model through an SDK alone, with the SDK's own defaults."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import ExitStack
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from failsoft.server.body import read_json
from failsoft.server.playground.access import Access
from failsoft.server.problem import Problem
from failsoft.server.render import frame_of
from failsoft.server.responses import WRITE_SECONDS, EventStream
from failsoft.server.run import Live
from failsoft.server.service import Service

__all__ = ["BareSdk"]

_log = logging.getLogger(__name__)

_MOST_CHARS: Final = 4000
_BODY_BYTES, _BODY_SECONDS = 32 * 1024, 5.0
# The SDK waits 600 s for each of its three tries: too long for a page.
_LIMIT_SECONDS = 600.0
_MAX_TOKENS = 1024


class BareSdk:
    """``POST /playground/sdk``: events ``start``, ``text`` and ``end``, or ``raised``.

    It calls the simulator at ``url`` only, never a real provider: nothing here costs money.
    """

    def __init__(self, service: Service, access: Access, url: str) -> None:
        self._service = service
        self._access = access
        self._url = url
        targets = service.ai.health()["routes"][0]["targets"]
        self._model = targets[0].partition("/")[2]

    @property
    def name(self) -> str | None:
        """The SDK in use, ``None`` where it is not installed."""
        try:
            return f"anthropic {version('anthropic')}"
        except PackageNotFoundError:
            return None

    async def ask(self, request: Request, request_id: str) -> Response:
        """One question, and what the SDK makes of it while it comes."""
        self._access.check(request)
        if self.name is None:
            raise Problem(501, "The SDK is not installed: pip install 'failsoft[anthropic]'")
        body = await read_json(request, limit=_BODY_BYTES, seconds=_BODY_SECONDS)
        message = _message(body)
        with ExitStack() as held:
            held.enter_context(self._service.guard.place("playground's sdk"))
            cut = held.enter_context(self._service.drain.open())
            run = _Run(self._url, self._model, message)
            cut.add_done_callback(lambda _: run.stop())
            return EventStream(
                run.live.reader(),
                request_id=request_id,
                heartbeat_seconds=self._service.ai.settings.server.heartbeat_seconds,
                limit_seconds=_LIMIT_SECONDS + WRITE_SECONDS,
                held=held.pop_all(),
                broken=_broken,
            )


class _Run:
    """One run. It ends when its reader leaves."""

    def __init__(self, url: str, model: str, message: str) -> None:
        self.live = Live(1, lingers=False, on_left=self.stop)
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self._asked = (url, model, message)
        self._task = asyncio.create_task(self._carry_out())

    def stop(self) -> None:
        """End it now."""
        self._task.cancel()

    async def _carry_out(self) -> None:
        try:
            # Seconds of importing are not the SDK's, and are not to hold up everybody else.
            await asyncio.to_thread(import_module, "anthropic")
            self._began = self._loop.time()
            self._tell("start", model=self._asked[1])
            async for text in _texts(*self._asked):
                self._tell("text", text=text)
            last = self._frame("end")
        except asyncio.CancelledError:
            last = b""
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what is to be shown
            last = self._frame("raised", error=type(error).__name__, message=str(error))
        self.live.end(last)

    def _tell(self, kind: str, **told: Any) -> None:
        self.live.append(self._frame(kind, **told))

    def _frame(self, kind: str, **told: Any) -> bytes:
        seconds = round(self._loop.time() - self._began, 3)
        return frame_of(self.live.next_id, {"type": kind, "seconds": seconds, **told})


async def _texts(url: str, model: str, message: str) -> AsyncIterator[str]:
    from anthropic import AsyncAnthropic  # noqa: PLC0415 - an extra, and slow to load

    async with (
        AsyncAnthropic(base_url=url, api_key="simulated") as client,
        client.messages.stream(
            model=model,
            max_tokens=_MAX_TOKENS,
            messages=[{"role": "user", "content": message}],
        ) as stream,
    ):
        async for text in stream.text_stream:
            yield text


def _message(body: Any) -> str:
    message = body.get("message") if isinstance(body, dict) else None
    if not isinstance(message, str) or not message.strip() or set(body) != {"message"}:
        raise Problem.of_field(422, "body", 'must be like {"message": "Hello"}, with nothing else')
    if len(message) > _MOST_CHARS:
        raise Problem.of_field(422, "message", f"may have at most {_MOST_CHARS} characters")
    return message


def _broken(error: Exception) -> bytes:
    _log.error("sdk_stream_failed", exc_info=error)
    return b""
