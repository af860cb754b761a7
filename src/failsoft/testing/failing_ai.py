"""A ``Failsoft`` whose models fail as said, without a network."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Final, Literal, Self

from failsoft.classify.wire_errors import BadReply, ReplyFailed, StreamCut
from failsoft.config.settings import CacheSettings, RetrySettings, Settings, TimerSettings
from failsoft.engine.client import Failsoft
from failsoft.errors import SettingError
from failsoft.providers.protocol import ProviderCall, WireEvent

__all__ = ["ANSWER", "FailingAIs", "FailingModels", "Word"]

Word = Literal[
    "ok",
    "transient",
    "rate_limited",
    "timeout",
    "content_policy",
    "auth_error",
    "permanent",
    "unknown",
    "cut",
]

ANSWER: Final = ("You need your last three pay slips, ", "your tax return ", "and a proof of age.")


def _reply(status: int, kind: str, message: str, **headers: str) -> Callable[[], Exception]:
    body = {"type": "error", "error": {"type": kind, "message": message}}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda: ReplyFailed(message, status=status, headers=named, body=body)


# Each is what the provider itself sends for that category.
_FAILURES: Final[Mapping[str, Callable[[], Exception]]] = {
    "transient": _reply(529, "overloaded_error", "Overloaded"),
    "rate_limited": _reply(429, "rate_limit_error", "Too many requests", retry_after="30"),
    "content_policy": _reply(
        400, "invalid_request_error", "Output blocked by content filtering policy"
    ),
    "auth_error": _reply(401, "authentication_error", "invalid x-api-key"),
    "permanent": _reply(400, "invalid_request_error", "max_tokens: must be at least 1"),
    "unknown": lambda: BadReply("an HTML page", status=200, body=b"<html></html>"),
}
_WORDS: Final = ("ok", *_FAILURES, "timeout", "cut")
_WORDS_BEFORE_A_CUT: Final = 2

# Short enough to be waited for; `frozen_time` makes any settings so.
_QUICK: Final = Settings(
    deadline_seconds=1.0,
    timers=TimerSettings(first_content_seconds=0.1, first_content_min_seconds=0.05),
    retry=RetrySettings(base_delay_seconds=0.01, overloaded_min_seconds=0.01),
    cache=CacheSettings(enabled=False),
)


class FailingModels:
    """A provider that does one word a call; the last again and again.

    ``calls`` are the models that were called, in order.
    """

    def __init__(self, *words: Word) -> None:
        for word in words:
            if word not in _WORDS:
                raise SettingError("failing_ai", f"{word!r} must be one of {', '.join(_WORDS)}")
        self._words = list(words)
        self.calls: list[str] = []

    @asynccontextmanager
    async def exchange(self, call: ProviderCall) -> AsyncIterator[_Reply]:
        """Fail, or give the reply that will."""
        self.calls.append(call.target.model)
        word = self._words.pop(0) if len(self._words) > 1 else self._words[0]
        if word in _FAILURES:
            failure = _FAILURES[word]()
            raise failure
        yield _Reply(word)

    async def aclose(self) -> None:
        """Hold nothing."""


class _Reply:
    """A reply that answers, never begins, or breaks off."""

    headers: Mapping[str, str] = MappingProxyType({})
    request_id: str | None = "req_011Cfailingai"

    def __init__(self, word: str) -> None:
        self._word = word
        self.message: dict[str, Any] = {"content": [], "usage": {"input_tokens": 7}}

    async def __aiter__(self) -> AsyncIterator[WireEvent]:
        if self._word == "timeout":
            await asyncio.Event().wait()
        cut = self._word == "cut"
        for n, text in enumerate(ANSWER[: _WORDS_BEFORE_A_CUT if cut else None], 1):
            self.message["content"] = [{"type": "text", "text": "".join(ANSWER[:n])}]
            yield WireEvent("content_block_delta", {}, content=True, text=text)
        if cut:
            raise StreamCut("the stream ended before its terminal event", status=200)
        self.message["stop_reason"] = "end_turn"


class FailingAIs:
    """What the fixture ``failing_ai`` is: called, it makes one; leaving it closes all.

    ``failing_ai("transient", "ok")`` fails once and then answers; the last word holds for every
    later call. ``then="ok"`` says the same more plainly. ``settings`` default to short limits and
    no saved answers, with all data in ``folder``; ``options`` are those of
    :class:`~failsoft.engine.client.Failsoft`. Raises :class:`~failsoft.errors.SettingError` for a
    word that is none.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: list[Failsoft] = []

    def __call__(
        self,
        *words: Word,
        then: Word | None = None,
        settings: Settings | None = None,
        **options: Any,
    ) -> Failsoft:
        """Make one."""
        models = FailingModels(*(words or ("ok",)), *((then,) if then else ()))
        own = settings or replace(_QUICK, data_dir=str(self._folder / "failsoft"))
        ai = Failsoft(own, providers={"anthropic": models}, **options)
        self._made.append(ai)
        return ai

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # A separate loop: the test's own may be closed by now, or never have been.
        loop = asyncio.new_event_loop()
        try:
            while self._made:
                loop.run_until_complete(self._made.pop().aclose(drain_seconds=0))
        finally:
            loop.close()
