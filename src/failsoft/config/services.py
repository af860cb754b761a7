"""The provider behind a name of the chain: its protocol, address and key, as the settings say."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from failsoft.config.presets import COMPATIBLE, PRESETS, Preset
from failsoft.config.settings import NamedProviderSettings, Settings
from failsoft.errors import SettingError

__all__ = ["Endpoint", "service_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One provider as it is called.

    ``variables`` are where its key is looked for. ``base_url`` is empty where it is not known yet:
    that of a cloud service follows from its region, that of Azure has to be set.
    """

    name: str
    preset: Preset
    base_url: str
    key: str | None = field(default=None, repr=False)
    variables: tuple[str, ...] = ()
    follow_redirects_to: tuple[str, ...] = ()
    region: str | None = None
    project: str | None = None

    @property
    def is_keyless(self) -> bool:
        """Whether it wants a key and has none."""
        return self.preset.needs_key and not self.key

    @property
    def no_key(self) -> str:
        """How to give it a key."""
        if self.name == "anthropic":
            return "no API key is set: set ANTHROPIC_API_KEY, or give api_key to ProviderSettings"
        variables = " or ".join(self.variables) or f"{self.section}.api_key_env"
        return f"no API key of {self.name} is set: set {variables}"

    @property
    def address_name(self) -> str:
        """Where its address is set."""
        return next(iter(self.preset.addresses), f"{self.section}.base_url")

    @property
    def section(self) -> str:
        """The section of its settings."""
        return "anthropic" if self.name == "anthropic" else f"providers.{self.name}"


def service_of(name: str, settings: Settings) -> Endpoint:
    """The service that is called ``name``.

    Raises :class:`~failsoft.errors.SettingError` for a name that is neither a preset nor in the
    settings.
    """
    if name == "anthropic":
        own = settings.anthropic
        return Endpoint(
            name=name,
            preset=PRESETS[name],
            base_url=own.base_url,
            key=own.api_key or own.auth_token,
            variables=PRESETS[name].keys,
            follow_redirects_to=own.follow_redirects_to or (),
        )
    entry = settings.providers.get(name)
    if entry is None and name not in PRESETS:
        known = ", ".join(dict.fromkeys((*PRESETS, *settings.providers)))
        raise SettingError("chain", f"no provider is called {name!r}; there is {known}")
    return _named(name, entry or NamedProviderSettings())


def _cloud_address(preset: Preset, region: str | None) -> str:
    """Where a cloud serves a region; empty where that is not known."""
    if not region or preset.cloud is None:
        return ""
    if preset.cloud == "bedrock":
        return f"https://bedrock-runtime.{region}.amazonaws.com"
    if region == "global":
        return "https://aiplatform.googleapis.com/v1"
    host = f"aiplatform.{region}.rep" if region in ("us", "eu") else f"{region}-aiplatform"
    return f"https://{host}.googleapis.com/v1"


def _named(name: str, own: NamedProviderSettings) -> Endpoint:
    preset = PRESETS.get(own.preset or name)
    if preset is None:
        preset = replace(COMPATIBLE, name="", protocol=own.protocol or "openai")
    return Endpoint(
        name=name,
        preset=preset,
        base_url=own.base_url or preset.base_url or _cloud_address(preset, own.region),
        key=own.api_key,
        variables=(own.api_key_env,) if own.api_key_env else preset.keys,
        follow_redirects_to=own.follow_redirects_to or (),
        region=own.region,
        project=own.project,
    )
