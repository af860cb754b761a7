"""Failures made on purpose: of requests that ask for them, of a deployment, of simulated models."""

from failsoft.faults.deployment import simulation_in
from failsoft.faults.provider import Injector
from failsoft.faults.simulation import Simulation, parse_simulation
from failsoft.faults.token import TokenError, check_token, make_token

__all__ = [
    "Injector",
    "Simulation",
    "TokenError",
    "check_token",
    "make_token",
    "parse_simulation",
    "simulation_in",
]
