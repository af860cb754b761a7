"""Reads the settings: defaults, the file, the environment, arguments; the later wins.

    loaded = load_settings()
    loaded.settings.deadline_seconds     60.0
    loaded.origins["deadline_seconds"]   "default"

Every wrong value of every source is reported in one error, a line each, without showing a secret.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final

from failsoft.config import names
from failsoft.config.fields import told
from failsoft.config.named_sections import NAMED, provider_problem
from failsoft.config.names import SECTIONS, KnownNames, Place, full_name, known_settings, lookup
from failsoft.config.presets import PRESETS, Preset
from failsoft.config.settings import CLASSIC, Settings
from failsoft.errors import SettingError

__all__ = ["OWN_PROVIDERS", "ConfigurationError", "Gathered", "Loaded", "load_settings"]


@dataclass
class Gathered:
    """What was found so far, and ``origins``: where each value and each empty section is from.

    ``refused`` are the places of wrong values.
    """

    values: dict[Place, Any] = field(default_factory=dict)
    origins: dict[Place, str] = field(default_factory=dict)
    empty: dict[Place, str] = field(default_factory=dict)
    refused: list[Place] = field(default_factory=list)
    problems: list[SettingError] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def put(self, place: Place, value: object, origin: str, *, used: bool = True) -> None:
        """Check a value and keep it, or note what is wrong with it.

        What a program that never calls a provider has for it in its environment is no mistake:
        where it is not ``used``, a wrong value is left out.
        """
        known = lookup(place)
        if known is None:
            if _is_section(place) and value == {}:
                self.empty[place] = origin
            else:
                self.wrong(full_name(place), _unknown(place), origin)
            return
        try:
            self.values[place] = known.spec.check(known.name, value)
            self.origins[place] = origin
        except SettingError as error:
            if used:
                self.refused.append(place)
                self.wrong(error.setting, error.problem, origin)

    def wrong(self, setting: str, problem: str, origin: str) -> None:
        """Note a problem and where it came from."""
        self.problems.append(SettingError(setting, f"{problem} ({origin})"))

    def take_policy(self) -> None:
        """Take what a policy sets and no source does."""
        if self.values.get(("policy",)) == "classic":
            origin = f"policy, {self.origins[('policy',)]}"
            for section, values in CLASSIC.items():
                for name, value in values.items():
                    if (section, name) not in self.values:
                        self.put((section, name), value, origin)

    def check_together(self) -> None:
        """Note what is wrong only between settings that are right by themselves."""
        refused = {problem.setting for problem in self.problems}
        known = {one.place: one for one in known_settings()}
        for lower in known.values():
            if lower.spec.at_most:
                upper = known[*lower.place[:-1], lower.spec.at_most]
                if refused.isdisjoint((lower.name, upper.name)):
                    self._check_order(lower, upper)
        for section, named in NAMED.items():
            example = full_name((section, named.example))
            for name, origin in self._names(section).items():
                if not named.valid(name):
                    problem = f"must be named {named.form}, as in [{example}]"
                    self.wrong(full_name((section, name)), problem, origin)
        for name, origin in self._names("providers").items():
            prefix = full_name(("providers", name)) + "."
            if any(setting.startswith(prefix) for setting in refused):
                continue
            if wrong := provider_problem(name, self._below("providers", name)):
                place = ("providers", name, *filter(None, wrong[:1]))
                self.wrong(full_name(place), wrong[1], self.origins.get(place, origin))

    def settings(self) -> Settings:
        """Put the tree together; for when there are no problems."""
        sections = {name: kind(**self._below(name)) for name, kind in SECTIONS.items()}
        named: dict[str, Any] = {
            section: {name: of.kind(**self._below(section, name)) for name in self._names(section)}
            for section, of in NAMED.items()
        }
        return Settings(**self._below(), **sections, **named)

    def _below(self, *section: str) -> dict[str, Any]:
        return {place[-1]: value for place, value in self.values.items() if place[:-1] == section}

    def _names(self, section: str) -> dict[str, str]:
        """The names under ``section``, and where each is from."""
        found = self.empty | self.origins
        return {place[1]: found[place] for place in found if place[0] == section and place[1:]}

    def _check_order(self, lower: KnownNames, upper: KnownNames) -> None:
        value, limit = (self.values.get(one.place, one.default) for one in (lower, upper))
        if value > limit:
            places = [one.place for one in (lower, upper) if one.place in self.origins]
            set_in = dict.fromkeys(self.origins[place] for place in places)
            problem = f"must be at most {upper.name}, {limit:.10g}; it is {value:.10g}"
            self.wrong(lower.name, problem, ", ".join(set_in))


def _is_section(place: Place) -> bool:
    match place:
        case (section,):
            return section in SECTIONS or section in NAMED
        case (section, _):
            return section in NAMED
        case _:
            return False


def _unknown(place: Place) -> str:
    if _is_section(place):
        return f"is a section: write [{full_name(place)}] and its settings below it"
    meant = _alike(place, (*_settings_like(place), *((name,) for name in (*SECTIONS, *NAMED))))
    return f"is not a setting{f'; did you mean {full_name(meant)}?' if meant else ''}"


def _unknown_variable(variable: str) -> str:
    name = variable.removeprefix("FAILSOFT_").lower()
    section, _, rest = name.partition("_")
    place = (section, rest) if section in SECTIONS and rest else (name,)
    meant = lookup(_alike(place, _settings_like(place)) or ())
    return f"is not a setting{f'; did you mean {meant.variable}?' if meant else ''}"


def _settings_like(place: Place) -> tuple[Place, ...]:
    if place[0] in NAMED:
        own = fields(NAMED[place[0]].kind)
        return tuple((*place[:2], one.name) for one in own)
    return tuple(known.place for known in known_settings())


def _alike(place: Place, options: tuple[Place, ...]) -> Place | None:
    """The option that was meant: one of this name elsewhere, or one that is spelt much alike."""
    names = {full_name(one): one for one in options if one[-1] == place[-1]}
    word, cutoff = full_name(place), 0.0 if names else 0.6
    if not names and len(place) > 1:  # without their section, in which they are all alike
        names = {one[-1]: one for one in options if one[:-1] == place[:-1]}
        word = place[-1] if names else word
    names = names or {full_name(one): one for one in options}
    close = difflib.get_close_matches(word, names, n=1, cutoff=cutoff)
    return names[close[0]] if close else None


FILE = "failsoft.toml"
CONFIG = "FAILSOFT_CONFIG"

OWN_PROVIDERS: Final = tuple(PRESETS)
"""The providers that failsoft brings."""

# The variables of a provider's own SDK; FAILSOFT_ANTHROPIC_… goes before them.
SDK_VARIABLES: dict[str, names.Place] = {
    "ANTHROPIC_API_KEY": ("anthropic", "api_key"),
    "ANTHROPIC_AUTH_TOKEN": ("anthropic", "auth_token"),
    "ANTHROPIC_BASE_URL": ("anthropic", "base_url"),
}
_KEYS = {
    place: name for name, place in SDK_VARIABLES.items() if place[-1] in ("api_key", "auth_token")
}


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """The settings, where each came from by its full name, and what deserves a look."""

    settings: Settings
    origins: dict[str, str]
    warnings: tuple[str, ...] = ()


class ConfigurationError(SettingError):
    """All that is wrong with the settings: ``problems``, and as text one line each.

    ``warnings`` are what deserves a look besides.
    """

    def __init__(self, *problems: SettingError, warnings: tuple[str, ...] = ()) -> None:
        super().__init__(problems[0].setting, problems[0].problem)
        self.args = problems
        self.problems = problems
        self.warnings = warnings

    def __str__(self) -> str:
        return "\n".join(map(str, self.problems))


def load_settings(
    config: Path | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    overrides: Mapping[str, Any] | None = None,
    providers: Collection[str] = OWN_PROVIDERS,
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
    _read_providers(environ, gathered)
    gathered.take_policy()
    _check_providers(gathered, providers)
    gathered.check_together()
    if gathered.problems:
        raise ConfigurationError(*gathered.problems, warnings=tuple(gathered.warnings))
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
    variable = _KEYS.get(place)
    if variable is None and place[0] == "providers" and place[-1] == "api_key":
        variable = "its variable, or one that api_key_env names,"
    if variable:
        problem = f"must not be in a file: set {variable} in the environment"
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
            gathered.warnings.append(f"{_printable(variable)}: {_unknown_variable(variable)}")
        elif variable.startswith("ANTHROPIC") and variable not in SDK_VARIABLES:
            # The SDKs and other programs have more of these: only a likeness is a mistake.
            for meant in difflib.get_close_matches(variable, SDK_VARIABLES, n=1, cutoff=0.9):
                problem = f"is not read; did you mean {meant}?"
                gathered.warnings.append(f"{_printable(variable)}: {problem}")


def _read_providers(environ: Mapping[str, str], gathered: Gathered) -> None:
    """Take keys and addresses of providers from where their own SDKs take them."""
    named = {place[1] for place in gathered.values if place[0] == "providers"}
    for name in sorted({*PRESETS, *named} - {"anthropic"}):
        below = ("providers", name)
        preset = PRESETS.get(gathered.values.get((*below, "preset"), name))
        own_variable = gathered.values.get((*below, "api_key_env"))
        variables = (own_variable,) if own_variable else preset.keys if preset else ()
        used = name in named or any(
            target.startswith(f"{name}/") for target in gathered.values.get(("chain",), ())
        )
        _put_key(environ, (*below, "api_key"), variables, gathered, used=used)
        if own_variable and (*below, "api_key") not in gathered.values and _may_lack_key(preset):
            gathered.warnings.append(
                f"providers.{name}.api_key_env: {own_variable} is not set, so no key is sent"
            )
        if preset is not None and preset.name == name:
            for variable in preset.addresses:
                _put_address(environ, (*below, "base_url"), variable, gathered, used=used)
        if preset is not None:
            for field, names in (("region", preset.regions), ("project", preset.projects)):
                _put_first(environ, (*below, field), names, gathered, used=used)


def _may_lack_key(preset: Preset | None) -> bool:
    return preset is None or not preset.needs_key


def _put_first(
    environ: Mapping[str, str],
    place: names.Place,
    variables: Sequence[str],
    gathered: Gathered,
    *,
    used: bool,
) -> None:
    """Take the first of these variables that is set, where nothing else says it."""
    variable = next((name for name in variables if environ.get(name, "").strip()), None)
    if variable is not None and place not in gathered.values:
        gathered.put(place, environ[variable].strip(), variable, used=used)


def _put_key(
    environ: Mapping[str, str],
    place: names.Place,
    variables: Collection[str],
    gathered: Gathered,
    *,
    used: bool,
) -> None:
    found = {name: key for name in variables if (key := environ.get(name, "").strip())}
    if len(set(found.values())) > 1 and used:
        problem = f"has several keys: set one of {', '.join(found)}, or name one in api_key_env"
        gathered.wrong(names.full_name(place), problem, ", ".join(found))
    if found:
        variable, key = next(iter(found.items()))
        gathered.put(place, key, variable, used=used)


def _put_address(
    environ: Mapping[str, str],
    place: names.Place,
    variable: str,
    gathered: Gathered,
    *,
    used: bool,
) -> None:
    address = environ.get(variable, "").strip().rstrip("/")
    if not address:
        return
    preset = PRESETS[place[1]]
    if preset.address_port:
        address = _with_port(address, preset.address_port)
    full = _with_path(address, preset.address_path)
    if used or not provider_problem(preset.name, {"base_url": full}):
        gathered.put(place, full, variable, used=used)


def _with_port(address: str, port: int) -> str:
    """An address that may have no scheme, no host or no port, as those of Ollama's server."""
    found = re.fullmatch(r"(\[[^\]]*\]|[^:/]*)(?::(\d+))?(/.*)?", address)
    if found is None:
        return address
    return f"http://{found[1] or '127.0.0.1'}:{found[2] or port}{found[3] or ''}"


def _with_path(address: str, path: str) -> str:
    """``address`` with ``path`` behind it, of which it may have all or the beginning already.

    One that is wrong stays as it is, to be shown: without a scheme, or with a query.
    """
    _, there, rest = address.partition("://")
    if not there or set(rest) & {"?", "#"}:
        return address
    own = rest[len(rest.partition("/")[0]) :]
    ends = [at for at in range(len(path) + 1) if path[at:].startswith("/") or at == len(path)]
    known = max(at for at in ends if own.endswith(path[:at]))
    return address + path[known:]


def _put_variable(known: names.KnownNames, text: str, gathered: Gathered) -> None:
    if text:
        gathered.put(known.place, known.spec.kind.parse(text), known.variable)
    else:
        gathered.wrong(
            known.name, "is empty: give it a value or unset the variable", known.variable
        )


def _check_providers(gathered: Gathered, providers: Collection[str]) -> None:
    place = ("chain",)
    found = (*gathered.values, *gathered.empty, *gathered.refused)
    providers = {*providers, *(one[1] for one in found if one[0] == "providers" and one[1:])}
    for position, target in enumerate(gathered.values.get(place, ()), start=1):
        if target.partition("/")[0] not in providers:
            have = ", ".join(sorted(providers))
            problem = f"entry {position} must name a known provider ({have}); it is {told(target)}"
            gathered.wrong("chain", problem, gathered.origins[place])


def _printable(text: str) -> str:
    return text if text.isprintable() else ascii(text)
