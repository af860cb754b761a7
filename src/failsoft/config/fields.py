"""The kinds of value a setting can have, and how a section declares and checks its settings."""

from __future__ import annotations

import re
import reprlib
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from failsoft.errors import SettingError

__all__ = [
    "DAY",
    "MANY",
    "FieldKind",
    "SettingSection",
    "Spec",
    "address",
    "api_address",
    "choice",
    "host_list",
    "key_list",
    "model_list",
    "number",
    "origin_list",
    "provider_list",
    "setting",
    "switch",
    "target_list",
    "text",
    "told",
    "valid_provider",
    "valid_target",
    "whole",
]

# Upper ends that no sensible value reaches: they keep out infinity, overflow and slips of the pen.
DAY = 86_400.0
MANY = 1_000_000


def _as_it_is(value: str) -> str:
    return value


@dataclass(frozen=True)
class FieldKind:
    """The allowed values, how a value is checked, and how a variable's text is read.

    ``allowed`` follows "must be". ``check`` gives the value as it is kept or raises ``ValueError``,
    with a text where more can be said than showing the value. ``parse`` never fails: text that is
    no such value stays text, and ``check`` refuses it.
    """

    allowed: str
    check: Callable[[object], Any]
    parse: Callable[[str], object] = _as_it_is


def number(low: float, high: float) -> FieldKind:
    """Make a number in a range, both ends included; NaN and infinity are never in it."""

    def check(value: object) -> float:
        if (
            not isinstance(value, int | float)
            or isinstance(value, bool)
            or not low <= value <= high
        ):
            raise ValueError
        return float(value)

    return FieldKind(f"a number from {low:.10g} to {high:.10g}", check, _reader(float))


def whole(low: int, high: int) -> FieldKind:
    """Make a whole number in a range, both ends included."""

    def check(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise ValueError
        return value

    return FieldKind(f"a whole number from {low} to {high}", check, _reader(int))


def switch() -> FieldKind:
    """Make an on or off; a variable may also say yes, no, on, off, 1 or 0."""
    words = dict.fromkeys(("true", "yes", "on", "1"), True)
    words |= dict.fromkeys(("false", "no", "off", "0"), False)

    def check(value: object) -> bool:
        if value is not True and value is not False:
            raise ValueError
        return value

    return FieldKind("true or false", check, lambda said: words.get(said.lower(), said))


def choice(*options: str) -> FieldKind:
    """Make one of a few words."""

    def check(value: object) -> str:
        if not isinstance(value, str) or value not in options:
            raise ValueError
        return value

    return FieldKind(" or ".join(options), check)


def text(allowed: str, pattern: str) -> FieldKind:
    """Make text of a form that ``allowed`` says and the regular expression checks."""

    def check(value: object) -> str:
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise ValueError
        return value

    return FieldKind(allowed, check)


def address(*, mail: bool = False) -> FieldKind:
    """Make an address on the web, or of a mailbox where ``mail``; never with a password in it."""
    allowed = "an http:// or https:// address without a user name or password"

    def check(value: object) -> str:
        if not isinstance(value, str) or not (_is_web(value) or (mail and _is_mail(value))):
            hidden = isinstance(value, str) and "@" in value
            raise ValueError("it is not shown: it may hold a password" if hidden else "")
        return value

    return FieldKind(allowed + ", or mailto:" * mail, check)


def api_address() -> FieldKind:
    """Make the address of an API, to which the path of each call is added."""
    web = address()

    def check(value: object) -> Any:
        found = web.check(value)
        if found.rstrip("/").endswith(("/v1", "/v1/messages")):
            raise ValueError(
                f"it must end before /v1, since /v1/messages is added; it is {told(value)}"
            )
        return found

    return FieldKind(web.allowed, check)


def target_list() -> FieldKind:
    """Make a chain: targets in order, best first; a model alone is one of Anthropic's."""
    return _list_of("models, as name or provider/model", valid_target, _full_target)


def model_list() -> FieldKind:
    """Make a list of models: a name alone is that model of any provider."""
    return _list_of("models, as name or provider/model", _valid_model)


def provider_list() -> FieldKind:
    """Make a list of providers by their names."""
    return _list_of("names of providers", valid_provider)


def host_list() -> FieldKind:
    """Make a list of host names, as a browser's address has them, without a port."""
    return _list_of("host names without a port", _valid_host)


def origin_list() -> FieldKind:
    """Make a list of places on the web: scheme, host and port, with nothing behind them."""
    return _list_of("origins, such as https://gateway.example", _is_origin)


def key_list() -> FieldKind:
    """Make keys that callers show. The message about a wrong one never shows it."""
    form = re.compile(r"(?:(?P<tenant>[A-Za-z0-9_.-]+):)?(?P<key>[!-9;-~]+)")

    def check(value: object) -> tuple[str, ...]:
        entries = _texts(value)
        seen: set[str] = set()
        for place, entry in enumerate(entries, start=1):
            match = form.fullmatch(entry)
            if not match:
                raise ValueError(f"entry {place} is {'malformed' if entry else 'empty'}")
            if match["key"] in seen:
                raise ValueError(f"entry {place} has the key of an earlier one")
            seen.add(match["key"])
        return entries

    return FieldKind("a list of tenant:key or key in printable ASCII, each key once", check, _split)


def told(value: object) -> str:
    """Show a value on one short line, whatever it is."""
    try:
        return reprlib.repr(value)
    except ValueError:  # an integer too long for Python to print
        return "a number too long to show"


def valid_provider(name: str) -> bool:
    """Whether a provider may be called so.

    >>> valid_provider("anthropic-eu"), valid_provider("an/other")
    (True, False)
    """
    return re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", name) is not None


def valid_target(name: str) -> bool:
    """Whether this is ``provider/model``; the model may hold further slashes."""
    return name.isprintable() and re.fullmatch(r"[\w.-]+/[^\s,]+", name) is not None


def _full_target(name: str) -> str:
    return f"anthropic/{name}" if name and "/" not in name else name


def _valid_model(name: str) -> bool:
    return name.isprintable() and re.fullmatch(r"[^\s,]+", name) is not None


def _valid_host(name: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]", name) is not None


def _list_of(
    entries: str, valid: Callable[[str], bool], full: Callable[[str], str] = _as_it_is
) -> FieldKind:
    def check(value: object) -> tuple[str, ...]:
        found = tuple(map(full, _texts(value)))
        if not found:
            raise ValueError("it is empty")
        for place, entry in enumerate(found, start=1):
            if not valid(entry):
                raise ValueError(f"entry {place} is {told(entry)}")
            if entry in found[: place - 1]:
                raise ValueError(f"entry {place} is {told(entry)} again")
        return found

    return FieldKind(f"a list of {entries}, at least one and each once", check, _split)


def _reader(kind: Callable[[str], object]) -> Callable[[str], object]:
    def parse(said: str) -> object:
        try:
            return kind(said)
        except ValueError:
            return said

    return parse


def _split(said: str) -> list[str]:
    return [part.strip() for part in said.split(",")]


def _texts(value: object) -> tuple[str, ...]:
    if isinstance(value, list | tuple) and all(isinstance(part, str) for part in value):
        return tuple(value)
    raise ValueError


def _is_web(value: str) -> bool:
    if " " in value or not value.isprintable():  # urlsplit would quietly drop some of these
        return False
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        return False
    named = bool(parts.hostname) and "@" not in parts.netloc
    return parts.scheme in ("http", "https") and named and port != 0


def _is_origin(value: str) -> bool:
    return _is_web(value) and not urlsplit(value).path.strip("/") and not set(value) & {"?", "#"}


def _is_mail(value: str) -> bool:
    return value.isprintable() and re.fullmatch(r"mailto:[^\s@]+@[^\s@]+", value) is not None


class Spec(NamedTuple):
    """The facts of a setting other than its name and default.

    ``at_most`` names the setting of the same section that this one may not exceed. An
    ``optional`` setting may be ``None``: not set.
    """

    kind: FieldKind
    doc: str
    secret: bool
    at_most: str
    optional: bool

    def check(self, name: str, value: object) -> Any:
        """Give the value as it is kept, or raise a ``SettingError`` that shows no secret."""
        if value is None and self.optional:
            return None
        try:
            return self.kind.check(value)
        except ValueError as error:
            it_is = "it is not shown" if self.secret else f"it is {told(value)}"
            problem = f"must be {self.kind.allowed}; {str(error) or it_is}"
        raise SettingError(name, problem)  # outside the except: a cause could show the secret


def setting(
    default: Any, doc: str, kind: FieldKind, *, secret: bool = False, at_most: str = ""
) -> Any:
    """Declare a setting. A secret stays out of ``repr`` and of every message."""
    spec = Spec(kind, doc, secret, at_most, optional=default is None)
    return field(default=default, repr=not secret, metadata={"spec": spec})


class SettingSection:
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
