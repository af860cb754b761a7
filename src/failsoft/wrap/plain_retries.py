"""Requests of a wrapped client that are not for messages: tried again as the SDK would have."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

from anthropic import APIRequest

from failsoft.classify import classify
from failsoft.classify.verdict import RetrySame
from failsoft.classify.wire_errors import ReplyFailed
from failsoft.policy.retry import backoff_seconds, not_before

__all__ = ["Others"]

# As the SDK's own.
_BASE_SECONDS = 0.5
_LONGEST_SECONDS = 8.0
_LONGEST_STATED_SECONDS = 60.0


class Others:
    """Counting tokens, batches, files, models. ``retries`` is what the wrapped client would do."""

    def __init__(self, retries: int, rng: Random) -> None:
        self._retries = retries
        self._rng = rng

    async def ask(
        self, request: APIRequest, call_next: Callable[[APIRequest], Awaitable[Any]]
    ) -> Any:
        """The SDK's reply, the last one where none is good; raises what the SDK raises."""
        for retry in range(self._count(request)):
            try:
                response = await call_next(request)
            except Exception as error:
                wait = self._wait(error, retry)
                if wait is None:
                    raise
            else:
                wait = self._wait_after(response, retry)
                if wait is None:
                    return response
                await response.close()
            await asyncio.sleep(wait)
        return await call_next(request)

    def ask_blocking(self, request: APIRequest, call_next: Callable[[APIRequest], Any]) -> Any:
        """The same for ``Anthropic``."""
        for retry in range(self._count(request)):
            try:
                response = call_next(request)
            except Exception as error:
                wait = self._wait(error, retry)
                if wait is None:
                    raise
            else:
                wait = self._wait_after(response, retry)
                if wait is None:
                    return response
                response.close()
            time.sleep(wait)
        return call_next(request)

    def _count(self, request: APIRequest) -> int:
        """None where the SDK counts itself: the call says ``max_retries``, or this is one."""
        own = isinstance(request.max_retries, int) or request.retries_taken
        return 0 if own else self._retries

    def _wait_after(self, response: Any, retry: int) -> float | None:
        http = response.http_response
        if http.is_success or http.headers.get("x-should-retry") == "false":
            return None
        failure = ReplyFailed("", status=http.status_code, headers=dict(http.headers))
        return self._wait(failure, retry)

    def _wait(self, failure: Exception, retry: int) -> float | None:
        """Seconds to the next try, ``None`` where none would help."""
        verdict = classify(failure, provider="anthropic", now=time.time())
        stated = verdict.wait_seconds
        if verdict.retry_same is RetrySame.NEVER or (stated or 0) > _LONGEST_STATED_SECONDS:
            return None
        backoff = backoff_seconds(retry, base=_BASE_SECONDS, cap=_LONGEST_SECONDS, rng=self._rng)
        return not_before(stated, backoff, self._rng)
