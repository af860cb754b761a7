"""An engine that calls a simulator beside it."""

from typing import Any

from failsoft import Settings
from failsoft.config.settings import CacheSettings, ProviderSettings
from failsoft.testing import RunningSimulator


def settings(simulator: RunningSimulator, **more: Any) -> Settings:
    """No cache unless it is asked for: it is a file and a thread more."""
    more.setdefault("cache", CacheSettings(enabled=False))
    return Settings(anthropic=ProviderSettings(api_key="k", base_url=simulator.url), **more)
