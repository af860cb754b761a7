"""The address of a provider."""

from __future__ import annotations

from urllib.parse import urlsplit

from failsoft.errors import SettingError

__all__ = ["host_of"]

_PORTS = {"http": 80, "https": 443}


def host_of(base_url: str) -> str:
    """``host:port`` of a base URL, which all targets that share it stand and fall with.

    Raises :class:`~failsoft.errors.SettingError` for anything but an http or https URL.
    """
    try:
        url = urlsplit(base_url)
        port = url.port or _PORTS[url.scheme]
    except (ValueError, KeyError):
        port = 0
    if not port or not url.hostname:
        raise SettingError(
            "anthropic.base_url", f"must be as https://api.example.com; it is {base_url!r}"
        )
    return f"{url.hostname}:{port}"
