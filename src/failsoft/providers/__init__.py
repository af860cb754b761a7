"""One file a wire protocol, all behind :class:`failsoft.providers.protocol.Provider`."""

from __future__ import annotations

__all__: list[str] = []
