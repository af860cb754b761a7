"""A host that hangs is found out by one of its targets, where another host can serve."""

import pytest
from policy_verdicts import CHAIN, HAIKU, OPUS, OTHER, SONNET, VERDICTS
from policy_world import HANGS, World, ok
from test_gate import Yard

from failsoft.classify.verdict import BreakerEffect
from failsoft.policy.breaker import CircuitState

OPEN, CLOSED = CircuitState.OPEN, CircuitState.CLOSED
PERIOD = 3.0


def hang(yard: Yard, *, answers: object = None) -> None:
    """Opus is silent until it opens; ``answers`` begins to answer meanwhile."""
    permits = [yard.permit(OPUS) for _ in range(6)]
    if answers is not None:
        yard.now += 1.0
        yard.permit(answers).first_content(yard.now)
    yard.now += PERIOD
    for permit in permits:
        yard.now += 0.1
        yard.guards.finish(permit, VERDICTS["no_answer"], yard.now)
    assert state(yard, OPUS) is OPEN


def state(yard: Yard, one) -> CircuitState:
    return yard.guards.of(one).breaker.state


def test_its_other_targets_are_not_waited_for():
    yard = Yard()
    hang(yard)

    assert [state(yard, one) for one in (SONNET, HAIKU, OTHER)] == [OPEN, OPEN, CLOSED]
    reasons = [change.reason for target, change in yard.changes if target in (SONNET, HAIKU)]
    assert reasons == ["host silent"] * 2


def test_one_that_answered_meanwhile_shows_that_the_host_does():
    yard = Yard()
    hang(yard, answers=SONNET)

    assert [state(yard, one) for one in (SONNET, HAIKU)] == [CLOSED, OPEN]


@pytest.mark.parametrize("there_is", [False, True])
def test_where_no_other_host_serves_they_are_called_as_ever(there_is):
    yard = Yard((*CHAIN, OTHER) if there_is else CHAIN)
    if there_is:
        yard.opened(OTHER)
    hang(yard)

    assert [state(yard, one) for one in (SONNET, HAIKU)] == [CLOSED, CLOSED]


def test_failures_that_are_no_silence_say_nothing_of_other_targets():
    yard = Yard()
    yard.opened(OPUS)

    assert VERDICTS["overloaded"].breaker is BreakerEffect.COUNTS
    assert [state(yard, one) for one in (SONNET, HAIKU)] == [CLOSED, CLOSED]


def test_a_request_that_met_silence_goes_to_another_host_first():
    run = World().run((*CHAIN, OTHER), lambda one, _: ok() if one is OTHER else HANGS)

    assert [sent.call.target for sent in run.sent] == [OPUS, OTHER]
    assert [sent.call.position for sent in run.sent] == [0, 3]


def test_on_one_host_the_next_target_is_the_next():
    run = World().run(CHAIN, lambda one, _: HANGS if one is OPUS else ok())

    assert [sent.call.target for sent in run.sent] == [OPUS, SONNET]


def test_what_never_answered_is_given_no_longer_than_the_one_that_was_silent():
    yard = Yard()
    assert yard.guards.known(SONNET, yard.now, thinks=False).learned is None
    hang(yard)
    silent = yard.guards.known(SONNET, yard.now, thinks=False).learned
    assert silent == pytest.approx(PERIOD, abs=0.5)
    assert yard.guards.known(OTHER, yard.now, thinks=False).learned is None

    yard.guards.of(OPUS).host.alive()
    assert yard.guards.known(SONNET, yard.now, thinks=False).learned is None
