"""What type checkers make of the parts: mypy and pyright read this, nothing runs it."""

from typing import assert_type

from failsoft import (
    Answer,
    ChainResult,
    CircuitBreaker,
    CircuitState,
    FallbackChain,
    Ladder,
    RetryEvent,
    retry,
)
from failsoft.classify import Verdict


@retry
def plain(question: str, *, limit: int = 3) -> list[int]:
    """Decorated without arguments."""
    return [limit, len(question)]


@retry(max_attempts=3, retry_on=(KeyError, OSError))
async def later(question: str, *, limit: int = 3) -> list[int]:
    """Decorated with arguments."""
    return [limit, len(question)]


breaker = CircuitBreaker("db", failure_threshold=3, recovery_timeout_seconds=60)


@breaker
def guarded(question: str) -> bytes:
    """Behind a breaker."""
    return question.encode()


@breaker
async def guarded_later(question: str) -> bytes:
    """Behind a breaker, asynchronous."""
    return question.encode()


class Desk:
    """Methods keep their signatures."""

    @retry
    def ask(self, question: str) -> int:
        """Decorated."""
        return len(question)

    @breaker
    async def ask_later(self, question: str) -> int:
        """Behind a breaker."""
        return len(question)


def listener(event: RetryEvent) -> None:
    """What a listener is given."""
    assert_type(event.verdict, Verdict)
    assert_type(event.error, Exception)


def text(question: str) -> str:
    """Ask plainly."""
    return question


async def text_later(question: str) -> str:
    """Ask asynchronously."""
    return question


async def check(desk: Desk, ladder: Ladder) -> None:
    """Each way of use, and the type of what comes out."""
    assert_type(plain("a", limit=1), list[int])
    assert_type(await later("a", limit=1), list[int])
    assert_type(retry(on_retry=listener).call(plain, "a", limit=1), list[int])
    assert_type(await retry().call(later, "a"), list[int])
    assert_type(guarded("a"), bytes)
    assert_type(await guarded_later("a"), bytes)
    assert_type(breaker.call(plain, "a", limit=2), list[int])
    assert_type(await breaker.call(later, "a"), list[int])
    assert_type(breaker.state, CircuitState)
    assert_type(breaker.status.retry_in_seconds, float | None)
    assert_type(desk.ask("a"), int)
    assert_type(await desk.ask_later("a"), int)
    chain = FallbackChain({"a": text, "b": text})
    assert_type(chain.complete("a"), ChainResult[str])
    assert_type(chain.complete("a").value, str)
    chain_later = FallbackChain({"a": text_later, "b": text_later})
    assert_type(await chain_later.complete("a"), ChainResult[str])
    assert_type(ladder.call(text, "a"), Answer)
    assert_type(await ladder.call(text_later, "a"), Answer)
    for attempt in retry():
        with attempt:
            assert_type(attempt.number, int)
    async for attempt in retry():
        with attempt:
            assert_type(attempt.number, int)
    async with breaker as same:
        assert_type(same, CircuitBreaker)


async def refused(desk: Desk) -> None:
    """What a type checker has to refuse; an unused ignore is an error."""
    plain(5)  # type: ignore[arg-type]
    plain("a", wide=1)  # type: ignore[call-arg]
    await later("a", limit="b")  # type: ignore[arg-type]
    breaker.call(plain, 5)  # type: ignore[arg-type]
    desk.ask()  # type: ignore[call-arg]
    retry(attempts=3)  # type: ignore[call-overload]
    CircuitBreaker("db", failure_treshold=3)  # type: ignore[call-arg]
    FallbackChain({"a": text}).complete(5)  # type: ignore[arg-type]
