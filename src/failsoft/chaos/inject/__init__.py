"""Failures made on purpose, of requests that ask for them or of a whole deployment."""

from failsoft.chaos.inject.deployment import simulation_in
from failsoft.chaos.inject.provider import Injector
from failsoft.chaos.inject.token import TokenError, check_token, make_token
from failsoft.chaos.inject.words import Simulation, parse_simulation

__all__ = [
    "Injector",
    "Simulation",
    "TokenError",
    "check_token",
    "make_token",
    "parse_simulation",
    "simulation_in",
]
