"""What a request was charged for without using it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from failsoft.config.settings import Settings
from failsoft.engine.ledger import Attempt
from failsoft.providers.prices import cost_usd

__all__ = ["Waste", "token_counts", "waste_of"]

_TOKENS = (
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
)


class Waste(NamedTuple):
    """See the fields of :class:`~failsoft.engine.answer.Answer`."""

    tokens: Mapping[str, int] = MappingProxyType({})
    cost_usd: float | None = 0.0
    lost_cache_tokens: int = 0


_NOTHING = Waste()


def token_counts(usage: Mapping[str, Any]) -> dict[str, int]:
    """The provider's counts by its own names, those of nothing left out."""
    return {
        name: count for name in _TOKENS if isinstance(count := usage.get(name), int) and count > 0
    }


def waste_of(unused: Sequence[Attempt], served: Attempt | None, settings: Settings) -> Waste:
    """The waste of the ``unused`` attempts of a request that one of another gave the answer to."""
    if not unused:
        return _NOTHING
    return Waste(_tokens(unused), _cost_usd(unused, settings), _lost_cache(unused, served))


def _tokens(unused: Sequence[Attempt]) -> dict[str, int]:
    sums = {name: sum(_count(attempt, name) for attempt in unused) for name in _TOKENS}
    return {name: count for name, count in sums.items() if count}


def _cost_usd(unused: Sequence[Attempt], settings: Settings) -> float | None:
    total = 0.0
    for attempt in unused:
        cost = cost_usd(attempt.target, attempt.usage, settings)
        if cost is None:
            return None
        total += cost
    return total


def _lost_cache(unused: Sequence[Attempt], served: Attempt | None) -> int:
    """The longest cached prompt at another target, less what the target that served had itself."""
    if served is None:
        return 0
    cached = (
        _count(attempt, "cache_read_input_tokens") + _count(attempt, "cache_creation_input_tokens")
        for attempt in unused
        if attempt.target != served.target
    )
    return max(0, max(cached, default=0) - _count(served, "cache_read_input_tokens"))


def _count(attempt: Attempt, name: str) -> int:
    count = attempt.usage.get(name)
    return count if isinstance(count, int) else 0
