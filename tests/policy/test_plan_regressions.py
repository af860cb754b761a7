"""Flaws that were found by reading the plan against its contract, and mended."""

from random import Random

import pytest
from policy_verdicts import CHAIN, OPUS, SONNET, VERDICTS
from policy_world import World, cut, fails, ok, scripted

from failsoft.config.settings import BreakerSettings, RetrySettings, Settings
from failsoft.policy.breaker import Breaker, CircuitState, Outcome, Ticket
from failsoft.policy.plan_events import BreakerOpened, Failed, GiveUp, Started, TimerFired, Wait

T0 = 1000.0


def fail(one: Breaker, now: float) -> None:
    ticket = one.allow(now, lease_seconds=5.0)
    assert isinstance(ticket, Ticket)
    one.done(ticket, Outcome.FAILURE, now)


def test_a_bench_does_not_hide_a_breaker_that_is_open():
    """The request waits out the bench and only then learns that it was in vain."""
    world = World()
    world.guards.bench(OPUS, 30.0, VERDICTS["requests"], world.now)
    world.guards.of(OPUS).breaker.isolate()
    run = world.run([OPUS], scripted({"opus": [ok()]}))
    assert run.waits == []
    assert run.gave_up.reason == "unavailable"


def test_a_breaker_that_opens_ends_the_wait_for_a_bench_of_the_same_target():
    world = World()
    world.later = [(1003.0, world.guards.of(OPUS).breaker.isolate)]
    run = world.run([OPUS], scripted({"opus": [fails("unavailable", wait_seconds=20.0)]}))
    assert run.ended_at == 1003.0


def test_a_first_call_is_not_started_after_the_deadline_either():
    """A request that waited for a place on its route until its time was over."""
    world = World()
    plan = world.plan(CHAIN, world.times())
    assert isinstance(plan.next(Started(), world.now + 61.0), GiveUp)


def test_the_breaker_of_somebody_else_does_not_make_retry_first_hop():
    world = World(Settings(retry=RetrySettings(strategy="retry_first")))
    plan = world.plan(CHAIN, world.times())
    plan.next(Started(), world.now)
    wait = plan.next(Failed(VERDICTS["overloaded"]), world.now)
    assert isinstance(wait, Wait)
    again = plan.next(BreakerOpened(), world.now + 0.01)
    assert again == wait
    command = plan.next(TimerFired(), wait.until)
    assert command.target is OPUS


def test_an_interrupted_answer_reports_what_interrupted_it():
    """Not what happened to another target before its content came."""
    replies = {"opus": [fails("overloaded")], "sonnet": [cut("deadline")]}
    run = World().run(CHAIN, scripted(replies), stream=True)
    assert run.gave_up.reason == "interrupted"
    assert run.gave_up.verdict == VERDICTS["deadline"]


def test_a_bench_that_is_over_meanwhile_is_not_waited_for():
    """A refusal noted before a long call is stale after it: nobody is told of a wait of nothing."""
    world = World()
    world.guards.bench(OPUS, 2.0, VERDICTS["requests"], world.now)
    replies = {"sonnet": [fails("server_error", 5.0)], "opus": [ok()]}
    run = world.run((OPUS, SONNET), scripted(replies))
    assert run.models == ["sonnet", "opus"]
    assert run.waits == []


def test_an_occasional_retry_after_does_not_take_the_target_from_everybody():
    """A fifth answered 529 with ``retry-after: 5`` is a brownout; benched, four fifths are lost."""
    world, dice, served = World(), Random(0), 0
    for _ in range(500):
        world.now += 0.1
        run = world.run(
            CHAIN,
            lambda one, _: (
                fails("overloaded", 0.0, wait_seconds=5.0)
                if one is OPUS and dice.random() < 0.2
                else ok(0.0)
            ),
        )
        served += run.models[-1] == "opus"
    assert served > 0.6 * 500


def test_a_breaker_that_opens_stays_open_as_long_as_the_provider_asked():
    one = Breaker(BreakerSettings())
    now = T0
    while one.state is CircuitState.CLOSED:
        now += 0.05
        ticket = one.allow(now, lease_seconds=5.0)
        assert isinstance(ticket, Ticket)
        one.done(ticket, Outcome.FAILURE, now, wait_seconds=60.0)
    assert one.status(now).recovery_in_seconds == pytest.approx(60.0)
