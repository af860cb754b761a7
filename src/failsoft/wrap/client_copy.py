"""What a wrapped client needs to stay one: its methods as the SDK made them, and its copies."""

from __future__ import annotations

from collections.abc import Iterator

from failsoft.errors import SettingError

__all__ = ["refuse_replaced"]


def refuse_replaced(client: object, *resources: type) -> None:
    """Raise :class:`SettingError` for a client with a method in whose place something else was set.

    ``resources`` are the SDK's classes of what a client's methods are kept by.
    """
    if replaced := next(_replaced_methods(client, resources), None):
        raise SettingError(
            "client",
            f"has a method that was replaced ({replaced}), by a tracer perhaps, which its copy "
            "would not have: wrap the client first, and trace what wrap returns",
        )


def _replaced_methods(thing: object, resources: tuple[type, ...], name: str = "") -> Iterator[str]:
    for key, value in list(vars(thing).items()):
        if callable(getattr(type(thing), key, None)):
            yield name + key
        elif isinstance(value, resources):
            yield from _replaced_methods(value, resources, f"{name}{key}.")
