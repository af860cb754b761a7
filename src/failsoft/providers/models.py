"""What the models can do and cost, and how ``provider/model`` of the settings becomes a target."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from failsoft.config.fields import valid_target
from failsoft.config.presets import PRESETS
from failsoft.config.services import Endpoint, service_of
from failsoft.config.settings import Settings, TargetSettings
from failsoft.errors import SettingError
from failsoft.policy.target import Target, account_of

__all__ = ["ModelFacts", "chain_specs", "cost_usd", "facts", "host_of", "target_for"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """What one model can do, in tokens; ``None`` where it is not known."""

    family: str
    context_window: int | None = None
    max_output_tokens: int | None = None
    accepts_prefill: bool = True


# Windows and outputs are those of the provider's model pages, October 2026. Generations before 4.6
# are the last to accept a trailing assistant message.
_GENERATIONS: tuple[tuple[tuple[int, int], int, int, bool], ...] = (
    # from version, context window, most output, accepts prefill
    ((4, 6), 1_000_000, 128_000, False),
    ((4, 5), 200_000, 64_000, True),
)
# claude-<family>-<major>[-<minor>][-<date>], as the provider names models since generation 4; on
# Bedrock with a region and the maker before it and a version behind, on Vertex with @ and the date.
_NAME = re.compile(
    r"(?:(?:[a-z]{2,6}\.)?anthropic\.)?"
    r"(?P<model>claude-(?P<family>[a-z]+)-(?P<major>\d)(-(?P<minor>\d))?)"
    r"(?:[-@]\d{8})?(?:-v\d(?::\d)?)?"
)
_PORTS = {"http": 80, "https": 443}
_EXAMPLE = "anthropic/claude-opus-5-5"


def facts(model: str) -> ModelFacts:
    """The facts of a model by its name.

    A model that is not known is a family of its own and can do anything.
    """
    name = _NAME.fullmatch(model)
    if name is None:
        return ModelFacts(family=model)
    version = int(name["major"]), int(name["minor"] or 0)
    for since, window, output, prefill in _GENERATIONS:
        if version >= since:
            return ModelFacts(
                family=name["family"],
                context_window=window,
                max_output_tokens=output,
                accepts_prefill=prefill,
            )
    return ModelFacts(family=name["family"])


def chain_specs(chain: Sequence[str], provider: str = "anthropic") -> tuple[str, ...]:
    """``provider/model`` for each name of ``chain``; a bare model is one of ``provider``'s.

    Raises :class:`~failsoft.errors.SettingError` for what is no list of names, a plain string too:
    its letters would be taken for models.

    >>> chain_specs(["claude-opus-5-5", "openai/gpt-5.5"])
    ('anthropic/claude-opus-5-5', 'openai/gpt-5.5')
    """
    if isinstance(chain, str) or not isinstance(chain, Sequence):
        problem = f"must be a list of models, such as [{_EXAMPLE!r}]; it is {chain!r}"
        raise SettingError("chain", problem)
    for name in chain:
        if not isinstance(name, str):
            raise SettingError("chain", f"must name models, such as {_EXAMPLE}; {name!r} is none")
    return tuple(name if "/" in name else f"{provider}/{name}" for name in chain)


def target_for(spec: str, settings: Settings) -> Target:
    """The target that ``spec`` names, ``provider/model``, with what ``settings.targets`` overrides.

    The account is that of the provider's key at its address, unless the settings name another. A
    provider that is neither a preset nor in the settings is one of the program's own, and its own
    host. Raises :class:`~failsoft.errors.SettingError` for a ``spec`` of another form.
    """
    if not valid_target(spec):
        raise SettingError("chain", f"a target is provider/model, as {_EXAMPLE}; it is {spec!r}")
    provider, _, model = spec.partition("/")
    own = settings.targets.get(spec) or TargetSettings()
    known = facts(model)
    service = _service(provider, settings)
    host = host_of(service.base_url) if service and service.base_url else provider
    keyed = account_of(provider, service.key, host) if service and service.key else provider
    return Target(
        provider=provider,
        model=model,
        family=own.limit_group or known.family,
        account=own.account or keyed,
        host=host,
        service=service.preset.name if service else "",
        context_window=own.context_window or known.context_window,
        max_output_tokens=own.max_output_tokens or known.max_output_tokens,
        accepts_prefill=known.accepts_prefill,
        first_content_seconds=own.first_content_seconds,
    )


def _service(provider: str, settings: Settings) -> Endpoint | None:
    known = provider in PRESETS or provider in settings.providers
    return service_of(provider, settings) if known else None


def host_of(base_url: str) -> str:
    """The host and port that an address is dialled at."""
    url = urlsplit(base_url)
    return f"{url.hostname}:{url.port or _PORTS[url.scheme]}"


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
_PRICED = frozenset({"anthropic", "bedrock", "vertex"})


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
    provider, _, model = target.partition("/")
    own_name = settings.providers.get(provider)
    preset = own_name.preset if own_name is not None and own_name.preset else provider
    listed = _listed(model if preset in _PRICED else "", long=prompt_tokens > _LONG_PROMPT_TOKENS)
    own = settings.targets.get(target)
    if own is None:
        return listed
    prices = (getattr(own, f"{kind}_usd_per_million", None) for kind in _KINDS)
    return tuple(
        known if price is None else price for price, known in zip(prices, listed, strict=True)
    )


@lru_cache(1000)
def _listed(model: str, *, long: bool) -> tuple[float | None, ...]:
    """The prices of the list, ``None`` where they are not known."""
    name = _NAME.fullmatch(model)
    model = name["model"] if name else ""
    among = _LISTED_LONG if long and model in _LISTED_LONG else _LISTED
    return among.get(model) or (None,) * len(_KINDS)
