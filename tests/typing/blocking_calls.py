"""Never run: what type checkers must see in programs that call without an event loop."""

from collections.abc import Generator
from typing import assert_type

import failsoft


def asked(ai: failsoft.BlockingFailsoft) -> None:
    assert_type(ai.ask("What is escrow?", route="chat", timeout=5.0), failsoft.Answer)
    assert_type(ai.complete(messages=[{"role": "user", "content": "?"}]), failsoft.Answer)
    assert_type(ai.stream("What is escrow?"), Generator[failsoft.StreamEvent, None, None])
    ai.ask("?", timeout="soon")  # type: ignore[arg-type]
    ai.complete("What is escrow?")  # type: ignore[call-arg,arg-type]


def classified(error: Exception) -> None:
    assert_type(failsoft.classify(error), failsoft.Verdict)
    assert_type(failsoft.__version__, str)
    assert_type(failsoft.BreakerSettings().failure_threshold, int)
    assert_type(failsoft.events.Event, type[failsoft.events.Event])
