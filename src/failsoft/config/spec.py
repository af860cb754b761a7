"""How a setting is declared, and how a section of settings checks itself."""

from __future__ import annotations

from dataclasses import field, fields
from typing import Any, NamedTuple

from failsoft.config.kinds import Kind, told
from failsoft.errors import SettingError

__all__ = ["Section", "Spec", "setting"]


class Spec(NamedTuple):
    """What is known of a setting besides its name and default.

    ``at_most`` names the setting of the same section that this one may not exceed. An
    ``optional`` setting may be ``None``: not set.
    """

    kind: Kind
    doc: str
    secret: bool
    at_most: str
    optional: bool

    def check(self, name: str, value: object) -> Any:
        """Give the value as it is kept, or raise a ``SettingError`` that tells no secret."""
        if value is None and self.optional:
            return None
        try:
            return self.kind.check(value)
        except ValueError as error:
            it_is = "it is not shown" if self.secret else f"it is {told(value)}"
            problem = f"must be {self.kind.allowed}; {str(error) or it_is}"
        raise SettingError(name, problem)  # outside the except: a cause could show the secret


def setting(default: Any, doc: str, kind: Kind, *, secret: bool = False, at_most: str = "") -> Any:
    """Declare a setting. A secret stays out of ``repr`` and of every message."""
    spec = Spec(kind, doc, secret, at_most, optional=default is None)
    return field(default=default, repr=not secret, metadata={"spec": spec})


class Section:
    """Checks every setting at construction, then those that bound each other."""

    _section = ""

    def __post_init__(self) -> None:
        specs = {
            one.name: one.metadata["spec"]
            for one in fields(self)  # type: ignore[arg-type]  # every subclass is a dataclass
            if "spec" in one.metadata
        }
        for name, spec in specs.items():
            value = spec.check(self._section + name, getattr(self, name))
            object.__setattr__(self, name, value)  # frozen for everybody else
        for name, spec in specs.items():
            if spec.at_most:
                self._check_order(name, spec.at_most)

    def _check_order(self, name: str, upper: str) -> None:
        value, limit = getattr(self, name), getattr(self, upper)
        if value > limit:
            problem = f"must be at most {self._section}{upper}, {limit:.10g}; it is {value:.10g}"
            raise SettingError(self._section + name, problem)
