"""Whether a whole deployment is to fail on purpose."""

from __future__ import annotations

from collections.abc import Sequence

from failsoft.config.settings import Settings
from failsoft.errors import SettingError
from failsoft.faults.simulation import Simulation, parse_simulation
from failsoft.policy.target import Target

__all__ = ["simulation_in"]


def simulation_in(settings: Settings, targets: Sequence[Target]) -> Simulation | None:
    """What ``simulate_error`` says, ``None`` where it is not set.

    Raises :class:`~failsoft.errors.SettingError` for words that cannot be read, and in production
    unless a ``simulate_token_key`` shows that it is meant: people would be failed for nothing
    by a variable that was left behind.
    """
    said = settings.simulate_error
    if said is None:
        return None
    if settings.env == "production" and settings.simulate_token_key is None:
        raise SettingError(
            "simulate_error",
            "would fail real people's requests here, as FAILSOFT_ENV is production: unset "
            "FAILSOFT_SIMULATE_ERROR, or, to mean it, set FAILSOFT_SIMULATE_TOKEN_KEY too",
        )
    try:
        return parse_simulation(said, targets)
    except ValueError as error:
        raise SettingError("simulate_error", str(error)) from error
