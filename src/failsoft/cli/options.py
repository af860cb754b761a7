"""Options that several commands have, and the settings that they lead to."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from failsoft.cli.terminal import tell
from failsoft.config.loading import ConfigurationError, Loaded, load_settings
from failsoft.config.settings import Settings
from failsoft.storage.sqlite import folder_problem

__all__ = ["ConfigFile", "has_key", "load", "tell_what_is_wanting", "tell_what_will_fail"]

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
    if keyless := not has_key(settings):
        tell("no API key: every question will fail until ANTHROPIC_API_KEY is set")
    return bool(problem) or keyless


def tell_what_is_wanting(settings: Settings) -> bool:
    """Tell what people will miss although requests are answered; whether there is any."""
    if settings.links.support is None:
        tell("links.support: is not set: notices say to contact support, and nothing shows where")
    return settings.links.support is None


def has_key(settings: Settings) -> bool:
    """Whether there is anything to show to the provider."""
    return bool(settings.anthropic.api_key or settings.anthropic.auth_token)
