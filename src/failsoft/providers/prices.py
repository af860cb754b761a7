"""What tokens cost, by the provider's list and the settings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from failsoft.config.settings import Settings

__all__ = ["cost_usd"]

_MILLION = 1_000_000

# The provider's pricing page, October 2026: US dollars for a million tokens on its own API, at
# standard speed, with no region asked for. A cache write lasts five minutes or an hour.
_KINDS = ("input", "output", "cache_read", "cache_write", "cache_write_1h")
_OUTPUT = _KINDS.index("output")
_LISTED: Mapping[str, tuple[float, ...]] = {
    "claude-opus-5-5": (4.0, 20.0, 0.20, 5.0, 8.0),
    "claude-sonnet-5-5": (2.0, 10.0, 0.10, 2.50, 4.0),
    "claude-haiku-5-5": (0.10, 0.50, 0.01, 0.125, 0.20),
}
# A prompt longer than this, its cached tokens counted, has other prices for all its tokens.
_LONG_PROMPT_TOKENS = 100_000
_LISTED_LONG: Mapping[str, tuple[float, ...]] = {
    "claude-haiku-5-5": (0.50, 2.50, 0.05, 0.625, 1.0),
}
_NAME = re.compile(r"anthropic/(?P<model>.+?)(-\d{8})?")


def cost_usd(target: str, usage: Mapping[str, Any], settings: Settings) -> float | None:
    """US dollars for the tokens of ``usage``, the provider's own figures, at ``target``.

    ``None`` where the price of any of them is not known. Discounts, faster tiers and fees for tools
    that the provider runs are not in it.
    """
    if not usage:
        return 0.0
    counts = _counts(usage)
    prices = _prices(target, sum(counts) - counts[_OUTPUT], settings)
    dollars = 0.0
    for count, price in zip(counts, prices, strict=True):
        if count:
            if price is None:
                return None
            dollars += price * count / _MILLION
    return dollars


def _counts(usage: Mapping[str, Any]) -> tuple[int, ...]:
    """The tokens of each of the kinds."""
    lifetimes = usage.get("cache_creation")
    for_an_hour = 0
    if isinstance(lifetimes, Mapping):
        for_an_hour = _count(lifetimes, "ephemeral_1h_input_tokens")
    return (
        _count(usage, "input_tokens"),  # those of the cache are not among them
        _count(usage, "output_tokens"),
        _count(usage, "cache_read_input_tokens"),
        max(0, _count(usage, "cache_creation_input_tokens") - for_an_hour),
        for_an_hour,
    )


def _count(usage: Mapping[str, Any], name: str) -> int:
    count = usage.get(name)
    return count if isinstance(count, int) and count > 0 else 0


def _prices(target: str, prompt_tokens: int, settings: Settings) -> tuple[float | None, ...]:
    """The price of each of the kinds."""
    listed = _listed(target, long=prompt_tokens > _LONG_PROMPT_TOKENS)
    own = settings.targets.get(target)
    if own is None:
        return listed
    prices = (getattr(own, f"{kind}_usd_per_million", None) for kind in _KINDS)
    return tuple(
        known if price is None else price for price, known in zip(prices, listed, strict=True)
    )


@lru_cache(1000)
def _listed(target: str, *, long: bool) -> tuple[float | None, ...]:
    """The prices of the list, ``None`` where they are not known."""
    name = _NAME.fullmatch(target)
    model = name["model"] if name else ""
    among = _LISTED_LONG if long and model in _LISTED_LONG else _LISTED
    return among.get(model) or (None,) * len(_KINDS)
