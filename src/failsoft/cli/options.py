"""Options that several commands have, and the settings that they lead to."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from failsoft.cli.chain_table import keyless_targets
from failsoft.cli.terminal import tell
from failsoft.config.loading import ConfigurationError, Loaded, load_settings
from failsoft.config.services import service_of
from failsoft.config.settings import Settings
from failsoft.storage.sqlite import folder_problem

__all__ = [
    "ConfigFile",
    "has_key",
    "key_variables",
    "load",
    "tell_what_is_wanting",
    "tell_what_will_fail",
]

ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config", metavar="FILE", help="Settings file, failsoft.toml where there is one."
    ),
]


def load(config: Path | None, **arguments: Any) -> Loaded:
    """Load the settings under these arguments (``server__port=80``), and tell the warnings.

    Raises :class:`~failsoft.errors.SettingError`. An argument that is ``None`` was not given.
    """
    overrides = {name.replace("__", "."): value for name, value in arguments.items()}
    try:
        loaded = load_settings(config, overrides=overrides)
    except ConfigurationError as error:
        tell("\n".join(error.warnings))
        raise
    tell("\n".join(loaded.warnings))
    return loaded


def tell_what_will_fail(settings: Settings) -> bool:
    """Tell what will fail although the settings hold; whether there is any."""
    problem = folder_problem(Path(settings.data_dir))
    if problem:
        tell(f"data_dir: {problem}")
    if without := not has_key(settings):
        names = " or ".join(key_variables(settings))
        tell(f"no API key: every question will fail until {names} is set")
    return bool(problem) or without


def tell_what_is_wanting(settings: Settings) -> bool:
    """Tell what people will miss although requests are answered; whether there is any."""
    if settings.links.support is None:
        tell("links.support: is not set: notices say to contact support, and nothing shows where")
    return settings.links.support is None


def has_key(settings: Settings) -> bool:
    """Whether a target of the chain has a key, or needs none."""
    return len(keyless_targets(settings)) < len(settings.chain)


def key_variables(settings: Settings) -> tuple[str, ...]:
    """The variable that the key of each provider of the chain is in, by its usual name."""
    services = (service_of(spec.partition("/")[0], settings) for spec in settings.chain)
    return tuple(dict.fromkeys(one.variables[0] for one in services if one.variables))
