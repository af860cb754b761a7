"""The settings: what there is, where each value comes from, and what is wrong with one."""

__all__: list[str] = []
