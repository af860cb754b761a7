"""The wire to each provider of the settings, by the protocol that it speaks."""

from __future__ import annotations

from failsoft.config.services import service_of
from failsoft.config.settings import Settings
from failsoft.errors import SettingError
from failsoft.providers.anthropic import AnthropicWire
from failsoft.providers.openai import OpenAIWire
from failsoft.providers.protocol import Provider

__all__ = ["wire_for"]


def wire_for(name: str, settings: Settings) -> Provider:
    """The wire to the provider that the settings call ``name``.

    Raises :class:`~failsoft.errors.SettingError` for a name that is neither a preset nor in the
    settings, and for a service whose address is not known.
    """
    service = service_of(name, settings)
    if not service.base_url:
        variables = ", ".join(service.preset.addresses)
        raise SettingError(
            f"providers.{name}.base_url",
            f"must be set, here or as {variables}: each customer of {service.preset.name} has "
            "an address of their own",
        )
    if service.preset.protocol == "anthropic":
        return AnthropicWire(service)
    return OpenAIWire(service)
