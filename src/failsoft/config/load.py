"""Reads the settings: defaults, the file, the environment, arguments; the later wins.

    loaded = load_settings()
    loaded.settings.deadline_seconds     60.0
    loaded.origins["deadline_seconds"]   "default"

Everything that is wrong is told at once, one line each, and none of it shows a secret.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from failsoft.config import names
from failsoft.config.gather import Gathered, did_you_mean
from failsoft.config.kinds import told
from failsoft.config.settings import Settings
from failsoft.errors import SettingError

__all__ = ["ConfigurationError", "Loaded", "load_settings"]

FILE = "failsoft.toml"
CONFIG = "FAILSOFT_CONFIG"

# The variables of the provider's own SDK; FAILSOFT_ANTHROPIC_… goes before them.
SDK_VARIABLES: dict[str, names.Place] = {
    "ANTHROPIC_API_KEY": ("anthropic", "api_key"),
    "ANTHROPIC_AUTH_TOKEN": ("anthropic", "auth_token"),
    "ANTHROPIC_BASE_URL": ("anthropic", "base_url"),
}


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """The settings, where each came from by its full name, and what deserves a look."""

    settings: Settings
    origins: dict[str, str]
    warnings: tuple[str, ...] = ()


class ConfigurationError(SettingError):
    """All that is wrong with the settings: ``problems``, and as text one line each."""

    def __init__(self, *problems: SettingError) -> None:
        super().__init__(problems[0].setting, problems[0].problem)
        self.args = problems
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join(map(str, self.problems))


def load_settings(
    config: Path | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    overrides: Mapping[str, Any] | None = None,
    providers: Collection[str] = ("anthropic",),
) -> Loaded:
    """Read the settings, or raise ``ConfigurationError`` with one line for each problem.

    ``config`` is a file that must exist; without it ``FAILSOFT_CONFIG`` names one, and without
    that ``failsoft.toml`` in the working directory is read if it is there. ``environ`` is
    ``os.environ`` unless given. ``overrides`` are arguments by full name, ``{"server.port": 80}``;
    ``None`` is an argument that was not given. ``providers`` are those that a chain may name.
    """
    environ = os.environ if environ is None else environ
    gathered = Gathered()
    _read_file(config, environ.get(CONFIG), gathered)
    _read_environ(environ, gathered)
    for name, value in (overrides or {}).items():
        if value is not None:
            gathered.put(tuple(name.split(".")), value, "argument")
    _check_providers(gathered, providers)
    gathered.check_together()
    if gathered.problems:
        raise ConfigurationError(*gathered.problems)
    origins = {known.name: "default" for known in names.known_settings()}
    origins |= {names.full_name(place): origin for place, origin in gathered.origins.items()}
    return Loaded(settings=gathered.settings(), origins=origins, warnings=tuple(gathered.warnings))


def _read_file(config: Path | None, from_variable: str | None, gathered: Gathered) -> None:
    path = config or Path(from_variable or FILE)
    origin = _printable(str(path))
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        if config or from_variable:
            by = "argument" if config else CONFIG
            gathered.wrong("config", f"must name a file that exists; {origin} does not", by)
    except (OSError, ValueError, RecursionError) as error:
        gathered.wrong("config", _unreadable(error), origin)
    else:
        for place, value in _leaves(table):
            _put_from_file(place, value, origin, gathered)


def _unreadable(error: OSError | ValueError | RecursionError) -> str:
    match error:
        case OSError():
            return f"must be a file that can be read: {error.strerror}"
        case UnicodeDecodeError():
            return f"must be UTF-8; the byte at {error.start} is not"
        case RecursionError():
            return "must be TOML that is not nested so deeply"
        case _:
            return f"must be TOML: {_printable(str(error))}"


def _put_from_file(place: names.Place, value: object, origin: str, gathered: Gathered) -> None:
    if place in (("anthropic", "api_key"), ("anthropic", "auth_token")):
        problem = f"must not be in a file: set ANTHROPIC_{place[1].upper()} in the environment"
        gathered.wrong(names.full_name(place), problem, origin)
    else:
        gathered.put(place, value, origin)


def _leaves(table: Mapping[str, Any], above: names.Place = ()) -> Iterator[tuple[names.Place, Any]]:
    for key, value in table.items():
        place = (*above, key)
        if isinstance(value, dict) and value and len(place) < 3:  # noqa: PLR2004 - deepest: targets
            yield from _leaves(value, place)
        else:
            yield place, value


def _read_environ(environ: Mapping[str, str], gathered: Gathered) -> None:
    for variable, place in SDK_VARIABLES.items():
        if environ.get(variable, "").strip():  # set to nothing is how people unset these
            gathered.put(place, environ[variable].strip(), variable)
    ours = {known.variable: known for known in names.known_settings()}
    for variable in sorted(environ):
        if variable in ours:
            _put_variable(ours[variable], environ[variable].strip(), gathered)
        elif variable.startswith("FAILSOFT_") and variable != CONFIG:
            hint = did_you_mean(variable, ours, cutoff=0.78)  # the prefix alone is a likeness
            gathered.warnings.append(f"{_printable(variable)}: is not a setting{hint}")


def _put_variable(known: names.Known, text: str, gathered: Gathered) -> None:
    if text:
        gathered.put(known.place, known.spec.kind.parse(text), known.variable)
    else:
        gathered.wrong(
            known.name, "is empty: give it a value or unset the variable", known.variable
        )


def _check_providers(gathered: Gathered, providers: Collection[str]) -> None:
    place = ("chain",)
    for position, target in enumerate(gathered.values.get(place, ()), start=1):
        if target.partition("/")[0] not in providers:
            have = ", ".join(sorted(providers))
            problem = f"entry {position} must name a known provider ({have}); it is {told(target)}"
            gathered.wrong("chain", problem, gathered.origins[place])


def _printable(text: str) -> str:
    return text if text.isprintable() else ascii(text)
