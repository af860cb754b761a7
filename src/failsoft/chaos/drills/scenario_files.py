"""Reads a scenario from TOML, by file or by the name of one that comes with the package.

Every error names the file, the key and what is allowed.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from failsoft.chaos.drills.figures import FIGURES
from failsoft.chaos.drills.scenario import Load, Scenario, Step, Threshold
from failsoft.chaos.tcp_proxy import parse_act
from failsoft.config.fields import FieldKind, choice, number, text, told, whole
from failsoft.errors import FailsoftError, SettingError
from failsoft.faults.fault_grammar import check_model, parse_fault

__all__ = [
    "KEYS",
    "NAMES",
    "NEEDED",
    "DrillError",
    "Key",
    "find_scenario",
    "parse_scenario",
    "read_scenario",
    "shipped_scenarios",
]

NEEDED: Final = object()
_HOUR = 3600.0
_LINE = text("text on one line of at most 400 characters", r"[^\x00-\x1f\x7f]{1,400}")
_MOST_STEPS = 100


@dataclass(frozen=True, slots=True)
class Key:
    """A key: its meaning, what is allowed, and its default (:data:`NEEDED`: it has none)."""

    doc: str
    kind: FieldKind
    default: Any = None


def _strings(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise ValueError
    return tuple(value)


def _variables(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        raise ValueError  # noqa: TRY004 - as above
    for name, said in value.items():
        if not re.fullmatch(r"FAILSOFT_[A-Z0-9_]+", name) or not isinstance(said, str):
            raise ValueError(f"{told(name)} is not one")
    return dict(value)


KEYS: Final[Mapping[str, Mapping[str, Key]]] = {
    "": {
        "name": Key(
            "names it, and its report",
            text("1 to 60 small letters, digits, - and _", r"[a-z0-9_-]{1,60}"),
            NEEDED,
        ),
        "about": Key("what goes wrong, in a sentence", _LINE, NEEDED),
        "means": Key("what it is when it happens, for the person on call", _LINE, ""),
        "recovers_at": Key("second at which the last trouble ends", number(0, _HOUR)),
        "environment": Key(
            "settings of the service that is started",
            FieldKind("a table of FAILSOFT_… variables, each a string", _variables),
            {},
        ),
    },
    "load": {
        "rate": Key("questions a second", number(0.1, 1000), NEEDED),
        "seconds": Key("for so long", number(1, _HOUR), NEEDED),
        "requests": Key("never more questions than this", whole(1, 100_000), 20_000),
        "at_once": Key("never more in flight than this", whole(1, 5000), 500),
        "streams": Key("share that is streamed", number(0, 1), 0.5),
        "doubled": Key("share that is sent twice at once, a double click", number(0, 1), 0.05),
        "known": Key("share that was asked and answered before the trouble", number(0, 1), 0.2),
        "patience_seconds": Key(
            "a client whose connection breaks sends the same again for so long",
            number(0, 600),
            30.0,
        ),
    },
    "step": {
        "at": Key("second of the load; 0 is before it", number(0, _HOUR), NEEDED),
        "label": Key("what the report calls it", _LINE, ""),
        "model": Key("a model's name, `gpt-*` or `*`: whose faults are set", _LINE),
        "faults": Key(
            "its faults from now on, as in the simulator", FieldKind("a list of faults", _strings)
        ),
        "proxy": Key("what the network between service and provider does", _LINE),
        "service": Key("what is done to the service's process", choice("kill", "start")),
    },
}


def read_scenario(path: Path) -> Scenario:
    """Read a scenario's file. Raises :class:`~failsoft.errors.SettingError`."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingError(str(path), f"cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingError(str(path), f"is no valid TOML: {error}") from error
    return parse_scenario(data, where=str(path))


def parse_scenario(data: Mapping[str, Any], *, where: str) -> Scenario:
    """Read a scenario's table; ``where`` opens the message of a SettingError."""
    tables = ("load", "step", "thresholds")
    _only(data, (*KEYS[""], *tables), where)
    top = _values({k: v for k, v in data.items() if k not in tables}, "", where)
    load = Load(**_values(_table(data.get("load"), f"{where}: load"), "load", f"{where}: load"))
    thresholds = _thresholds(data.get("thresholds", {}), f"{where}: thresholds")
    return Scenario(load=load, steps=_steps(data, where), thresholds=thresholds, **top)


def _values(table: Mapping[str, Any], section: str, where: str) -> dict[str, Any]:
    """Every key of the section with its value, checked, or its default."""
    keys = KEYS[section]
    _only(table, tuple(keys), where)
    return {name: _value(table, name, key, where) for name, key in keys.items()}


def _value(table: Mapping[str, Any], name: str, key: Key, where: str) -> Any:
    if name not in table:
        if key.default is NEEDED:
            raise SettingError(f"{where}: {name}", f"is missing; it must be {key.kind.allowed}")
        return key.default
    try:
        return key.kind.check(table[name])
    except ValueError as error:
        it_is = str(error) or f"it is {told(table[name])}"
        raise SettingError(f"{where}: {name}", f"must be {key.kind.allowed}; {it_is}") from None


def _steps(data: Mapping[str, Any], where: str) -> tuple[Step, ...]:
    steps = data.get("step", [])
    if not isinstance(steps, list) or len(steps) > _MOST_STEPS:
        problem = f"must be at most {_MOST_STEPS} tables, each headed [[step]]"
        raise SettingError(f"{where}: step", problem)
    read = [_step(step, f"{where}: step {n}") for n, step in enumerate(steps, 1)]
    return tuple(sorted(read, key=lambda step: step.at))


def _step(data: Any, where: str) -> Step:
    values = _values(_table(data, where), "step", where)
    acts = [name for name in ("model", "proxy", "service") if values[name] is not None]
    if len(acts) != 1:
        raise SettingError(where, "must have exactly one of model (with faults), proxy, service")
    if (values["model"] is None) != (values["faults"] is None):
        raise SettingError(where, "model and faults go together")
    check_model(values["model"] or "*", where=f"{where}: model")
    faults = values["faults"] or ()
    for fault in faults:
        parse_fault(fault, where=f"{where}: faults")
    proxy = values["proxy"]
    act = None if proxy is None else parse_act(proxy, where=f"{where}: proxy")
    step = Step(**{**values, "faults": faults, "proxy": act})
    return step if step.label else replace(step, label=str(step))


def _thresholds(data: Any, where: str) -> tuple[Threshold, ...]:
    table = _table(data, where)
    _only(table, tuple(FIGURES), where)
    return tuple(_threshold(name, bound, f"{where}: {name}") for name, bound in table.items())


def _threshold(name: str, data: Any, where: str) -> Threshold:
    form = "must be { at_least = NUMBER } or { at_most = NUMBER }"
    if not isinstance(data, Mapping) or list(data) not in (["at_least"], ["at_most"]):
        raise SettingError(where, f"{form}; it is {told(data)}")
    ((side, bound),) = data.items()
    try:
        value = number(0, 1e9).check(bound)
    except ValueError:
        raise SettingError(where, f"{form}; {side} is {told(bound)}") from None
    return Threshold(figure=name, least=side == "at_least", bound=value)


def _table(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise SettingError(where, f"must be a table; it is {told(value)}")
    return value


def _only(table: Mapping[str, Any], allowed: Sequence[str], where: str) -> None:
    for key in table:
        if key not in allowed:
            raise SettingError(where, f"unknown key {told(key)}; allowed are {', '.join(allowed)}")


NAMES: Final = (
    "brownout",
    "total_outage",
    "hang",
    "stream_cuts",
    "key_revoked",
    "process_killed",
    "network_cut",
    "content_policy",
)


def find_scenario(name: str) -> Scenario:
    """The shipped scenario of that name, else the one in that file. Raises SettingError."""
    if name in NAMES:
        return _shipped(name)
    path = Path(name)
    if not path.exists():
        known = ", ".join(NAMES)
        raise SettingError(name, f"there is no such file and no such drill: give a file or {known}")
    return read_scenario(path)


def shipped_scenarios() -> tuple[Scenario, ...]:
    """All that come with the package."""
    return tuple(_shipped(name) for name in NAMES)


def _shipped(name: str) -> Scenario:
    text = files(__package__).joinpath("scenarios", f"{name}.toml").read_text(encoding="utf-8")
    return parse_scenario(tomllib.loads(text), where=f"{name}.toml")


class DrillError(FailsoftError):
    """A drill cannot be run or went on no longer; the line says what to do."""
