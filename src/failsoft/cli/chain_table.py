"""The chain as ``failsoft config check`` prints it: each target, and what it cannot take."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rich.table import Table

from failsoft.config.services import Endpoint, service_of
from failsoft.config.settings import Settings
from failsoft.policy.target import Target
from failsoft.providers.models import cost_usd, target_for

__all__ = ["chain_table", "keyless_targets"]

_LEFT_OUT = "missing: left out"
_CLOUD = {"bedrock": "as AWS tools find it", "vertex": "as Google's tools find it"}
_OF_ANTHROPIC = "server tools, MCP, containers, citations, prefill"


def keyless_targets(settings: Settings) -> dict[str, str]:
    """The targets of the chain that have no key, and what is to be done for each."""
    services = ((spec, service_of(spec.partition("/")[0], settings)) for spec in settings.chain)
    return {spec: service.no_key for spec, service in services if service.is_keyless}


def chain_table(settings: Settings, origins: Mapping[str, str]) -> Table:
    """One row a target: address, where its key is from, what is known of it."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for head in ("target", "address", "key from", "window", "price", "cannot take"):
        table.add_column(head, overflow="fold")
    for spec in settings.chain:
        target = target_for(spec, settings)
        service = service_of(target.provider, settings)
        table.add_row(spec, *_cells(target, service, settings, origins))
    return table


def _cells(
    target: Target, service: Endpoint, settings: Settings, origins: Mapping[str, str]
) -> Iterator[str]:
    yield service.base_url or target.host
    yield _key_from(service, origins)
    yield f"{target.context_window:,}" if target.context_window else "not known"
    priced = cost_usd(target.id, {"input_tokens": 1, "output_tokens": 1}, settings) is not None
    yield "known" if priced else "not known"
    yield ", ".join(_refused(target, service)) or "-"


def _key_from(service: Endpoint, origins: Mapping[str, str]) -> str:
    if not service.key:
        cloud = _CLOUD.get(service.preset.cloud or "")
        return cloud or (_LEFT_OUT if service.is_keyless else "none needed")
    names = (f"{service.section}.{field}" for field in ("api_key", "auth_token"))
    known = (origins.get(name, "default") for name in names)
    return next((origin for origin in known if origin != "default"), "settings")


def _refused(target: Target, service: Endpoint) -> Iterator[str]:
    preset = service.preset
    if preset.protocol == "anthropic":
        yield from () if target.accepts_prefill else ("prefill",)
        return
    yield _OF_ANTHROPIC
    yield from () if preset.takes_images else ("images",)
    yield from () if preset.takes_files else ("documents",)
    yield from () if preset.takes_json_schema else ("schemas of output",)
