"""What the models can do, and how a ``provider/model`` of the settings becomes a target."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from failsoft.config.kinds import valid_target
from failsoft.config.settings import Settings, TargetSettings
from failsoft.errors import SettingError
from failsoft.policy.target import Target

__all__ = ["ModelFacts", "facts", "host_of", "target_for"]


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
# claude-<family>-<major>[-<minor>][-<date>], as the provider names models since generation 4
_NAME = re.compile(r"claude-(?P<family>[a-z]+)-(?P<major>\d)(-(?P<minor>\d))?(-\d{8})?")
_PORTS = {"http": 80, "https": 443}
_EXAMPLE = "anthropic/claude-opus-5-5"


def facts(model: str) -> ModelFacts:
    """What is known of a model by its name.

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


def target_for(spec: str, settings: Settings) -> Target:
    """The target that ``spec`` names, ``provider/model``, with what ``settings.targets`` overrides.

    The account is the provider's name, and so is the host of every provider but Anthropic, unless
    the settings say otherwise. Raises :class:`~failsoft.errors.SettingError` for a ``spec`` of
    another form.
    """
    if not valid_target(spec):
        raise SettingError("chain", f"a target is provider/model, as {_EXAMPLE}; it is {spec!r}")
    provider, _, model = spec.partition("/")
    own = settings.targets.get(spec) or TargetSettings()
    known = facts(model)
    return Target(
        provider=provider,
        model=model,
        family=own.limit_group or known.family,
        account=own.account or provider,
        host=_host(provider, settings),
        context_window=own.context_window or known.context_window,
        max_output_tokens=own.max_output_tokens or known.max_output_tokens,
        accepts_prefill=known.accepts_prefill,
    )


def _host(provider: str, settings: Settings) -> str:
    if provider != "anthropic":
        return provider
    return host_of(settings.anthropic.base_url)


def host_of(base_url: str) -> str:
    """The host and port that an address is dialled at."""
    url = urlsplit(base_url)
    return f"{url.hostname}:{url.port or _PORTS[url.scheme]}"
