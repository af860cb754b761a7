"""The targets that may serve a route."""

from __future__ import annotations

from collections.abc import Sequence

from failsoft.errors import SettingError
from failsoft.policy.breaker import Breaker
from failsoft.policy.circuit import CircuitState
from failsoft.policy.gates import Gates
from failsoft.policy.target import Target

__all__ = ["RouteChain"]


class RouteChain:
    """The targets of one route, best first, and the models its requests may name.

    ``allowed`` are models, by name or as ``provider/model``; ``None`` allows all. Raises
    :class:`~failsoft.errors.SettingError` where it leaves none of the ``targets``.
    """

    def __init__(
        self, route: str, targets: Sequence[Target], allowed: Sequence[str] | None, gates: Gates
    ) -> None:
        self.route = route
        self._allowed = None if allowed is None else tuple(allowed)
        self.targets = tuple(target for target in targets if self._allows(target))
        if not self.targets:
            chain = ", ".join(target.id for target in targets)
            problem = f"must name at least one model of the chain, which is {chain}"
            raise SettingError(f"routes.{route}.allowed_models", problem)
        self._breakers: list[Breaker] = [gates.of(target).breaker for target in self.targets]

    def led_by(self, first: Target) -> tuple[Target, ...]:
        """The targets with ``first`` before all others, also where it is not one of them.

        Raises :class:`~failsoft.errors.SettingError` where the route does not allow it.
        """
        self.check(first)
        return (first, *(target for target in self.targets if target != first))

    def check(self, target: Target) -> None:
        """Raise :class:`~failsoft.errors.SettingError` where the route does not allow it."""
        if not self._allows(target):
            allowed = ", ".join(self._allowed or ())
            problem = f"{target.id} is not allowed on route {self.route}, which allows {allowed}"
            raise SettingError("model", problem)

    def circuit_state(self) -> CircuitState:
        """Open only when all targets are."""
        worst = CircuitState.OPEN
        for breaker in self._breakers:
            state = breaker.state
            if state is CircuitState.CLOSED:
                return state
            if state is CircuitState.HALF_OPEN:
                worst = state
        return worst

    def _allows(self, target: Target) -> bool:
        allowed = self._allowed
        return allowed is None or target.id in allowed or target.model in allowed
