"""Breaking it on purpose: every failure path is walked before users find it."""

__all__: list[str] = []
