"""The sections there may be many of, each with a name.

They are ``[targets."…"]``, ``[providers.…]`` and ``[routes.…]``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from failsoft.config.fields import (
    DAY,
    SettingSection,
    address,
    choice,
    model_list,
    number,
    origin_list,
    provider_list,
    setting,
    switch,
    text,
    valid_provider,
    valid_target,
    whole,
)
from failsoft.config.presets import PRESETS, Preset
from failsoft.errors import SettingError

__all__ = [
    "NAMED",
    "NamedProviderSettings",
    "NamedSection",
    "RouteSettings",
    "TargetSettings",
    "provider_problem",
]

LABEL = text("text on one line", r"[^\x00-\x1f]*")
TOKENS = whole(1, 1_000_000_000)
PRICE = number(0, 1_000_000)
KEY = text("printable ASCII without spaces", r"[!-~]+")
PRESET = choice(*PRESETS)
PROTOCOL = choice("anthropic", "openai")
VARIABLE = text("the name of an environment variable", r"[A-Za-z_][A-Za-z0-9_]*")
PLACE_NAME = text("letters, digits, . : and -", r"[A-Za-z0-9.:-]+")


@dataclass(frozen=True, kw_only=True)
class TargetSettings(SettingSection):
    """What one target can do and costs, where it differs from the built-in table.

    Limits are in tokens, prices in US dollars for a million tokens.
    """

    _section = "targets."

    context_window: int | None = setting(None, "tokens in and out together", TOKENS)
    max_output_tokens: int | None = setting(None, "tokens out; max_tokens is clamped to it", TOKENS)
    limit_group: str = setting("", "targets of one group share a rate limit", LABEL)
    account: str = setting("", "targets of one account share a key and a bill", LABEL)
    first_content_seconds: float | None = setting(
        None,
        "wait for its first content, in place of what is learned; what a prompt adds comes on top",
        number(0.05, DAY),
    )
    input_usd_per_million: float | None = setting(None, "price of input tokens", PRICE)
    output_usd_per_million: float | None = setting(None, "price of output tokens", PRICE)
    cache_read_usd_per_million: float | None = setting(
        None, "price of input tokens read from the cache", PRICE
    )
    cache_write_usd_per_million: float | None = setting(
        None, "price of input tokens written to the cache for five minutes", PRICE
    )
    cache_write_1h_usd_per_million: float | None = setting(
        None, "price of input tokens written to the cache for an hour", PRICE
    )


@dataclass(frozen=True, kw_only=True)
class NamedProviderSettings(SettingSection):
    """One provider besides Anthropic: a preset under its own name, or a name of your own.

    A name of your own needs a ``preset`` (a second account or region of a known service) or a
    ``protocol`` with its ``base_url``.
    """

    _section = "providers."

    preset: str | None = setting(None, "the known service that this is", PRESET)
    protocol: Literal["anthropic", "openai"] | None = setting(
        None, "what a service of your own speaks", PROTOCOL
    )
    base_url: str | None = setting(
        None, "its address, with /v1 where it speaks as OpenAI does", address()
    )
    api_key: str | None = setting(None, "its key", KEY, secret=True)
    api_key_env: str | None = setting(None, "the environment variable that its key is in", VARIABLE)
    follow_redirects_to: tuple[str, ...] | None = setting(
        None, "other origins to which key and prompt may be redirected", origin_list()
    )
    region: str | None = setting(None, "the region, on Bedrock and Vertex", PLACE_NAME)
    project: str | None = setting(None, "the project, on Vertex", PLACE_NAME)


def provider_problem(name: str, values: Mapping[str, Any]) -> tuple[str, str] | None:
    """The setting of ``[providers.NAME]`` that is wrong among right ones, and what is wrong."""
    preset, protocol, base_url = map(values.get, ("preset", "protocol", "base_url"))
    if name == "anthropic":
        return "", "is written as [anthropic]"
    if preset and protocol:
        return "protocol", f"is that of preset {preset} already: set one of the two"
    if name in PRESETS and (protocol or preset not in (None, name)):
        return "", f"is what the preset {name} is called: give a service of your own another name"
    if name not in PRESETS and not preset and not (protocol and base_url):
        presets = ", ".join(PRESETS)
        return "", (
            "must have a preset, or a protocol (anthropic or openai) and a base_url; "
            f"there is no preset of that name: {presets}"
        )
    known = PRESETS.get(preset or name)
    direct = protocol == "anthropic" or (known is not None and known.name == "anthropic")
    address = str(base_url or "").rstrip("/")
    return _address_problem(address, direct=direct) or _unread_field(known, values)


def _address_problem(base_url: str, *, direct: bool) -> tuple[str, str] | None:
    """The problem with an address; ``direct`` is one of the Messages API."""
    if set(base_url) & {"?", "#"}:
        return "base_url", "has a path added to it: leave out what begins with ? or #"
    if direct and base_url.endswith(("/v1", "/v1/messages")):
        return "base_url", "has /v1/messages added to it: leave that out"
    if base_url.endswith("/chat/completions"):
        return "base_url", "has /chat/completions added to it: leave that out"
    return None


def _unread_field(known: Preset | None, values: Mapping[str, Any]) -> tuple[str, str] | None:
    """A setting that is right and would do nothing."""
    cloud = known.cloud if known is not None else None
    if values.get("region") and cloud is None:
        return "region", "is for bedrock and vertex only: leave it out, or set base_url"
    if values.get("project") and cloud != "vertex":
        return "project", "is for vertex only: leave it out"
    if values.get("api_key_env") and cloud == "vertex":
        return (
            "api_key_env",
            "is not for vertex, whose credentials Google's tools find: leave it out",
        )
    return None


@dataclass(frozen=True, kw_only=True)
class RouteSettings(SettingSection):
    """What holds for the requests of one route alone."""

    _section = "routes."

    allowed_providers: tuple[str, ...] | None = setting(
        None,
        "the only providers of the chain that may serve it; not set allows all",
        provider_list(),
    )
    allowed_models: tuple[str, ...] | None = setting(
        None, "the only models of the chain that may serve it; not set allows all", model_list()
    )
    cache: Literal["fallback", "always", "off"] = setting(
        "fallback",
        "saved answers are served when no model can answer, always, or never",
        choice("fallback", "always", "off"),
    )
    cache_scope: Literal["user", "tenant", "public"] = setting(
        "user", "who may be given whose saved answers", choice("user", "tenant", "public")
    )
    cache_key: str = setting(
        "",
        "names the prompt that your server adds out of failsoft's sight; change both together",
        LABEL,
    )
    cache_key_shared: bool = setting(
        default=False,
        doc="the prompt of cache_key holds nothing of one person: wider scopes may share answers",
        kind=switch(),
    )

    def __post_init__(self) -> None:
        """Check each setting, then that a prompt out of sight is shared only on purpose."""
        super().__post_init__()
        if self.cache_key and self.cache_scope != "user" and not self.cache_key_shared:
            raise SettingError(
                "routes.cache_key",
                f"names a prompt that may hold what is one user's, and cache_scope is "
                f'"{self.cache_scope}": set cache_key_shared = true if it holds nothing of one '
                'person, else cache_scope = "user"',
            )


@dataclass(frozen=True, kw_only=True)
class NamedSection:
    """One kind of section: ``form`` follows "must be named", ``example`` is a name of that form."""

    kind: type
    valid: Callable[[str], bool]
    form: str
    example: str


def _valid_route(name: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name) is not None


NAMED: Mapping[str, NamedSection] = MappingProxyType(
    {
        "routes": NamedSection(
            kind=RouteSettings,
            valid=_valid_route,
            form="with 1 to 64 letters, digits, - and _",
            example="support",
        ),
        "providers": NamedSection(
            kind=NamedProviderSettings,
            valid=valid_provider,
            form="with 1 to 64 letters, digits, . - and _",
            example="local",
        ),
        "targets": NamedSection(
            kind=TargetSettings,
            valid=valid_target,
            form="provider/model",
            example="provider/model",
        ),
    }
)
