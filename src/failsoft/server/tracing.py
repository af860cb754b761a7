"""The trace a request belongs to, from its W3C headers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec

from failsoft.engine.client import Failsoft

__all__ = ["incoming", "trace_where_possible"]


def trace_where_possible(ai: Failsoft) -> None:
    """Make spans where the settings want them and the extra ``otel`` is installed."""
    if ai.settings.traces and find_spec("opentelemetry") is not None:
        ai.trace()


@contextmanager
def incoming(headers: Mapping[str, str]) -> Iterator[None]:
    """Within it spans belong to the caller's, unless the application has begun one of its own."""
    if "traceparent" not in headers or find_spec("opentelemetry") is None:
        yield
        return
    from opentelemetry import context, propagate, trace  # noqa: PLC0415 - an extra

    if trace.get_current_span().get_span_context().is_valid:
        yield
        return
    token = context.attach(propagate.extract(headers))
    try:
        yield
    finally:
        context.detach(token)
