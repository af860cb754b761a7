"""One file a wire protocol, all behind :class:`failsoft.providers.protocol.Provider`."""
