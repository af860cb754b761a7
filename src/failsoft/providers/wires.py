"""The wire to each provider of the settings, by the protocol that it speaks."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from failsoft.config.services import Endpoint, service_of
from failsoft.config.settings import Settings
from failsoft.errors import SettingError
from failsoft.providers.anthropic import AnthropicWire
from failsoft.providers.bedrock import BedrockWire
from failsoft.providers.openai import OpenAIWire
from failsoft.providers.protocol import Provider
from failsoft.providers.vertex import VertexWire

__all__ = ["wire_for"]


_KINDS: Mapping[str, Callable[[Endpoint], Provider]] = {
    "anthropic": AnthropicWire,
    "bedrock": BedrockWire,
    "openai": OpenAIWire,
    "vertex": VertexWire,
}


def wire_for(name: str, settings: Settings) -> Provider:
    """The wire to the provider that the settings call ``name``.

    Raises :class:`~failsoft.errors.SettingError` for a name that is neither a preset nor in the
    settings, and for a service whose address is not known.
    """
    service = service_of(name, settings)
    if not service.base_url:
        field = "region" if service.preset.cloud else "base_url"
        variables = " or ".join(service.preset.regions or service.preset.addresses)
        problem = f"must be set, here or as {variables}: {service.preset.name} has many addresses"
        raise SettingError(f"providers.{name}.{field}", problem)
    # It is signed, or in a path.
    if service.preset.cloud and not service.region and not service.key:
        variables = " or ".join(service.preset.regions)
        raise SettingError(f"providers.{name}.region", f"must be set, here or as {variables}")
    return _KINDS[service.preset.cloud or service.preset.protocol](service)
