"""CircuitBreaker: what counts, how it is used, what it says; the same plain and asynchronous."""

import asyncio
import contextlib
import functools
import os
import pickle
import signal
import threading
from typing import get_type_hints

import pytest
from manual_clock import ManualClock
from standalone_kit import Flaky, coroutine, flaky, later, reply

from failsoft import (
    CircuitBreaker,
    CircuitOpenError,
    CircuitState,
    ErrorCategory,
    SettingError,
    classify,
    retry,
)
from failsoft.classify import REASONS, verdict_for
from failsoft.classify.verdict import BreakerEffect
from failsoft.config.settings import BreakerSettings
from failsoft.standalone.function_breaker import BreakerArguments, breaker_settings

CLOSED, OPEN, HALF_OPEN = CircuitState.CLOSED, CircuitState.OPEN, CircuitState.HALF_OPEN
DOWN = ConnectionRefusedError("down")


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def make(clock):
    return functools.partial(CircuitBreaker, "db", clock=clock, recovery_timeout_seconds=5)


def decorated(breaker, fn, plain):
    return breaker(fn) if plain else run(breaker(later(fn)))


def called(breaker, fn, plain):
    if plain:
        return lambda *args: breaker.call(fn, *args)
    return run(lambda *args: breaker.call(later(fn), *args))


def returning_a_coroutine(breaker, fn, plain):
    return breaker(fn) if plain else run(breaker(coroutine(fn)))


def block(breaker, fn, plain):
    if plain:

        def inside(*args):
            with breaker:
                return fn(*args)

        return inside

    async def inside_later(*args):
        async with breaker:
            return await later(fn)(*args)

    return run(inside_later)


def run(fn):
    async def awaited(*args):
        return await fn(*args)

    return lambda *args: asyncio.run(awaited(*args))


@pytest.fixture(params=[True, False], ids=["plain", "asynchronous"])
def plain(request):
    return request.param


@pytest.fixture(params=[decorated, called, returning_a_coroutine, block], ids=lambda f: f.__name__)
def around(request, plain):
    return lambda breaker, fn: request.param(breaker, fn, plain)


def fail(breaker, error=DOWN, times=1, around=lambda breaker, fn: breaker(fn)):
    for _ in range(times):
        with pytest.raises(type(error)) as raised:
            around(breaker, flaky(error))()
        assert raised.value is error


# Opening and closing


def test_it_opens_at_the_failures_it_is_told_and_calls_nothing(make, around):
    breaker = make(failure_threshold=3)
    fail(breaker, times=2, around=around)
    assert breaker.state is CLOSED
    fail(breaker, around=around)
    assert breaker.state is OPEN
    fn = flaky()
    with pytest.raises(CircuitOpenError) as rejected:
        around(breaker, fn)("a")
    assert fn.calls == []
    assert rejected.value.retry_in_seconds == pytest.approx(5.0)


def test_a_success_between_ends_the_row(make, around):
    breaker = make(failure_threshold=3)
    for _ in range(5):
        fail(breaker, times=2, around=around)
        assert around(breaker, flaky())("a", 1) == "done"
    assert breaker.state is CLOSED


@pytest.mark.parametrize("needed", [1, 2, 3])
def test_its_first_success_closes_it_on_trial(make, around, clock, needed):
    breaker = make(failure_threshold=2, success_threshold=needed)
    for well in range(1, needed + 1):
        fail(breaker, times=2)
        clock.now += 5
        for _ in range(well):
            assert around(breaker, flaky())() == "done"
            assert breaker.state is CLOSED
        fail(breaker, around=around)
        assert breaker.state is (CLOSED if well == needed else OPEN)
        breaker.restore()


def test_a_probe_that_fails_opens_it_for_as_long_again(make, around, clock):
    breaker = make(failure_threshold=1)
    fail(breaker)
    clock.now += 5
    fail(breaker, around=around)
    assert breaker.status.retry_in_seconds == pytest.approx(5.0)
    assert breaker.status.open_for_seconds == pytest.approx(5.0)


def test_only_one_probe_at_a_time_and_a_hung_one_makes_room(make, clock):
    breaker = make(failure_threshold=1, lease_seconds=8)
    fail(breaker)
    clock.now += 5
    with breaker:
        with pytest.raises(CircuitOpenError) as rejected:
            breaker.call(flaky())
        assert rejected.value.retry_in_seconds == pytest.approx(5.0)  # most probes end sooner
        clock.now += 5
        assert breaker.status.retry_in_seconds == pytest.approx(3.0)  # what is left of the lease
        clock.now += 3
        assert breaker.call(flaky()) == "done"
        assert breaker.call(flaky()) == "done"
        assert breaker.state is CLOSED


def test_a_longer_wait_that_was_named_is_kept(make):
    breaker = make(failure_threshold=2)
    fail(breaker, reply(503, retry_after="40"), times=2)
    assert breaker.status.retry_in_seconds == pytest.approx(40.0)


# What counts


@pytest.mark.parametrize(
    "error",
    [
        Exception("boom"),
        ValueError("amount"),
        TypeError("argument"),
        KeyError("key"),
        RuntimeError("down"),
        TimeoutError(),
        DOWN,
        reply(500),
        reply(529, "overloaded_error"),
        reply(429, retry_after="3"),
        reply(401, "authentication_error"),
        reply(404, "model_not_found"),
    ],
    ids=lambda error: type(error).__name__ + str(getattr(error, "status", "")),
)
def test_what_speaks_against_what_was_called_counts(make, around, error):
    breaker = make(failure_threshold=2)
    fail(breaker, error, times=2, around=around)
    assert breaker.state is OPEN


@pytest.mark.parametrize(
    "error",
    [
        reply(400, "invalid_request_error"),
        reply(413, "request_too_large"),
        reply(403, "permission_error"),
        reply(400, "content_policy_violation"),
        CircuitOpenError("inner", 3.0, verdict_for("all_open")),
        asyncio.CancelledError(),
        KeyboardInterrupt(),
        GeneratorExit(),
        SystemExit(),
        type("ClientDisconnect", (Exception,), {})(),
    ],
    ids=lambda error: type(error).__name__ + str(getattr(error, "status", "")),
)
def test_what_does_not_is_neutral(make, error):
    breaker = make(failure_threshold=1)
    fail(breaker, error, times=3)
    assert breaker.state is CLOSED
    assert (breaker.status.calls, breaker.status.failures) == (0, 0)


def test_every_verdict_of_the_table_has_one_outcome(make):
    for row in REASONS:
        verdict = verdict_for(row)
        breaker = make(failure_threshold=1)
        fail(breaker, CircuitOpenError("any", None, verdict))
        assert (breaker.state is OPEN) is (verdict.breaker is not BreakerEffect.NO), row


class Mine(Exception):
    pass


@pytest.mark.parametrize(
    "mine",
    [Mine, (Mine, KeyError), lambda error: isinstance(error, Mine)],
    ids=["class", "classes", "function"],
)
def test_one_may_say_oneself_what_counts(make, around, mine):
    breaker = make(failure_threshold=1, counts=mine)
    fail(breaker, DOWN, around=around)
    fail(breaker, ValueError(), around=around)
    assert breaker.state is CLOSED
    fail(breaker, Mine(), around=around)
    assert breaker.state is OPEN


def test_a_function_that_fails_itself_hides_no_error(make, caplog):
    breaker = make(failure_threshold=1, counts=lambda error: error.missing or True)
    fail(breaker, Mine())
    assert breaker.state is CLOSED
    assert "counts failed on Mine" in caplog.text


def test_a_timeout_counts_as_many_as_it_is_said_to(make):
    breaker = make(failure_threshold=3, timeout_weight=3)
    fail(breaker, TimeoutError())
    assert breaker.state is OPEN


async def test_a_timeout_around_it_is_the_callers_own(make):
    breaker = make(failure_threshold=1)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.001):
            await breaker.call(asyncio.sleep, 60)
    assert breaker.state is CLOSED


async def test_a_cancelled_probe_makes_room_at_once(make, clock):
    breaker = make(failure_threshold=1)
    fail(breaker)
    clock.now += 5
    hanging = asyncio.ensure_future(breaker.call(asyncio.sleep, 60))
    await asyncio.sleep(0)
    with pytest.raises(CircuitOpenError):
        breaker.call(flaky())
    hanging.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await hanging
    assert breaker.call(flaky()) == "done"


def test_an_interrupted_probe_makes_room_at_once(make, around, clock):
    breaker = make(failure_threshold=1)
    fail(breaker)
    clock.now += 5
    with pytest.raises(Stop):
        around(breaker, flaky(Stop()))()
    assert breaker.call(flaky()) == "done"


class Stop(BaseException):
    """What stops a program and is nobody's failure."""


async def test_arguments_that_do_not_fit_lose_no_probe(make, clock):
    breaker = make(failure_threshold=1)
    fail(breaker)
    clock.now += 5
    with pytest.raises(TypeError, match="positional argument"):
        await breaker.call(asyncio.sleep)
    assert breaker.state is OPEN
    clock.now += 7.5
    assert breaker.call(flaky()) == "done"


# What is said


def test_a_rejection_says_in_words_who_and_when(make):
    breaker = make(failure_threshold=1)
    fail(breaker, reply(529, "overloaded_error"))
    with pytest.raises(CircuitOpenError) as rejected:
        breaker.call(flaky())
    error = rejected.value
    assert str(error) == "db is left alone, since it failed too often; it is tried again in 5.0 s"
    assert (error.name, str(error.verdict)) == ("db", "transient · overloaded")
    copied = pickle.loads(pickle.dumps(error))
    assert (str(copied), copied.verdict) == (str(error), error.verdict)
    assert classify(error, provider="http", now=0).category is ErrorCategory.TRANSIENT


def test_a_rejection_is_neither_tried_again_nor_counted_by_another(make, no_waits):
    inner, outer = make(failure_threshold=1), make(failure_threshold=1)
    fail(inner, ValueError())
    fn = Flaky()
    with pytest.raises(CircuitOpenError):
        retry(outer(inner(fn)))()
    assert (fn.calls, no_waits, outer.state) == ([], [], CLOSED)


def test_its_status_is_a_snapshot(make, clock):
    breaker = make(failure_threshold=3)
    fail(breaker, times=2)
    status = breaker.status
    assert (status.name, status.state, status.calls) == ("db", CLOSED, 2)
    assert (status.failures, status.failures_in_row) == (2, 2)
    assert status.open_for_seconds is status.retry_in_seconds is None
    fail(breaker)
    clock.now += 2
    assert breaker.status.open_for_seconds == pytest.approx(2.0)
    assert breaker.status.retry_in_seconds == pytest.approx(3.0)
    assert status.state is CLOSED
    with pytest.raises(AttributeError):
        status.calls = 5


def test_every_change_is_told(make, clock):
    told = []
    breaker = make(failure_threshold=1, success_threshold=1, on_change=told.append)
    fail(breaker)
    clock.now += 5
    breaker.call(flaky())
    assert [(change.before, change.after, change.reason) for change in told] == [
        (CLOSED, OPEN, "failures in a row"),
        (OPEN, HALF_OPEN, "probed"),
        (HALF_OPEN, CLOSED, "probe succeeded: on trial"),
    ]


def test_a_listener_that_fails_loses_neither_call_nor_probe(make, clock, caplog):
    def broken(_change):
        raise LookupError("lost")

    breaker = make(failure_threshold=1, on_change=broken)
    fail(breaker)
    clock.now += 5
    assert breaker.call(flaky()) == "done"
    assert breaker.call(flaky()) == "done"
    assert breaker.state is CLOSED
    assert caplog.text.count("a listener failed") == 3


# By hand


def test_isolated_it_lets_nothing_through_until_it_is_restored(make, clock):
    breaker = make()
    breaker.isolate()
    clock.now += 1e6
    with pytest.raises(CircuitOpenError, match=r"db is switched off by hand, until restore\(\)"):
        breaker.call(flaky())
    assert breaker.status.isolated
    assert breaker.status.retry_in_seconds is None
    breaker.restore()
    assert breaker.call(flaky()) == "done"


def test_restoring_forgets_what_was_counted(make):
    breaker = make(failure_threshold=2)
    fail(breaker)
    breaker.restore()
    assert breaker.status.calls == 0
    fail(breaker)
    assert breaker.state is CLOSED


def test_it_may_only_watch(make):
    breaker = make(failure_threshold=1, metrics_only=True)
    fail(breaker, times=3)
    assert breaker.state is OPEN
    assert breaker.call(flaky()) == "done"
    assert breaker.status.retry_in_seconds is None


# Settings


def test_its_arguments_are_the_settings_there_are():
    hints = get_type_hints(BreakerArguments)
    assert hints == {
        name: kind
        for name, kind in get_type_hints(BreakerSettings).items()
        if name not in {"_section", "recovery", "ramp_seconds"}  # of a route, of a bench
    }


def test_its_own_defaults_are_the_classic_ones():
    alone, engine = breaker_settings(), BreakerSettings()
    differ = {
        name
        for name in get_type_hints(BreakerArguments)
        if getattr(alone, name) != getattr(engine, name)
    }
    classic = {"failure_threshold": 5, "recovery_timeout_seconds": 60}
    at_once = {"failure_span_seconds": 0, "timeout_weight": 1}
    assert {name: getattr(alone, name) for name in differ} == classic | at_once
    assert alone.recovery == "fixed"


def test_it_is_closed_for_five_failures_and_open_for_a_minute(clock):
    breaker = CircuitBreaker("db", clock=clock)
    fail(breaker, times=4)
    assert breaker.state is CLOSED
    fail(breaker)
    for _ in range(3):
        assert breaker.status.retry_in_seconds == pytest.approx(60.0)
        clock.now += 59.9
        with pytest.raises(CircuitOpenError):
            breaker.call(flaky())
        clock.now += 0.1
        fail(breaker)  # each of its probes


@pytest.mark.parametrize(
    "wrong",
    [
        {"failure_threshold": 0},
        {"recovery_timeout_seconds": -1},
        {"recovery_timeout_seconds": "5"},
        {"success_threshold": 0},
    ],
    ids=str,
)
def test_a_number_that_cannot_hold_is_refused_by_its_name(wrong):
    (name,) = wrong
    with pytest.raises(SettingError, match=f"breaker.{name}: must be"):
        CircuitBreaker("db", **wrong)


def test_an_argument_that_is_none_is_refused():
    with pytest.raises(TypeError, match="failure_treshold"):
        CircuitBreaker("db", failure_treshold=3)  # type: ignore[call-arg]


def test_generator_functions_are_refused(make):
    def generator():
        yield 1

    for use in (make(), make().call):
        with pytest.raises(TypeError, match="nothing has happened when its call returns"):
            use(generator)


# Blocks within blocks, threads, loops, forks


def test_blocks_within_blocks_settle_their_own(make):
    one, other = make(failure_threshold=1), make(failure_threshold=1)
    with one, one, contextlib.suppress(LookupError), other:
        raise LookupError
    assert (one.state, other.state) == (CLOSED, OPEN)
    assert (one.status.calls, one.status.failures) == (2, 0)


def test_blocks_that_end_in_the_order_they_began_settle_their_own(make):
    one, other = make(failure_threshold=1), make(failure_threshold=1)
    other.restore()  # its tickets are now of another generation than the one's
    first, second = contextlib.ExitStack(), contextlib.ExitStack()
    first.enter_context(one)
    second.enter_context(other)
    first.close()
    with contextlib.suppress(LookupError), second:
        raise LookupError
    assert (one.state, other.state) == (CLOSED, OPEN)


async def test_blocks_of_many_tasks_do_not_mix(make):
    breaker = make()

    async def one(number):
        async with breaker:
            await asyncio.sleep(0.001 * (number % 3))
            if number % 4 == 0:
                raise DOWN

    await asyncio.gather(*map(one, range(40)), return_exceptions=True)
    assert (breaker.status.calls, breaker.status.failures) == (40, 10)


def test_many_threads_lose_no_count_and_one_probes(clock):
    breaker = CircuitBreaker("db", clock=clock, failure_threshold=1_000_000, min_calls=1_000_000)
    together = threading.Barrier(8)

    def hammer(number):
        together.wait()
        for turn in range(500):
            fn = flaky(DOWN) if (turn + number) % 2 else flaky()
            with contextlib.suppress(ConnectionRefusedError):
                breaker.call(fn)

    in_threads(hammer)
    assert (breaker.status.calls, breaker.status.failures) == (4000, 2000)


def test_of_many_threads_one_probes(make, clock):
    breaker = make(failure_threshold=1)
    fail(breaker)
    clock.now += 5
    together, let_go = threading.Barrier(8), threading.Event()
    calls, rejected = [], []

    def probe():
        calls.append(1)
        let_go.wait(10)

    def hammer(_number):
        together.wait()
        try:
            breaker.call(probe)
        except CircuitOpenError:
            rejected.append(1)
        if len(rejected) == 7:
            let_go.set()

    in_threads(hammer)
    assert (len(calls), len(rejected)) == (1, 7)


def in_threads(hammer):
    threads = [threading.Thread(target=hammer, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)


def test_it_is_one_in_several_event_loops():
    breaker = CircuitBreaker("db", failure_threshold=8)

    def loop(_number):
        with contextlib.suppress(ConnectionRefusedError):
            asyncio.run(breaker.call(later(flaky(DOWN))))

    in_threads(loop)
    assert breaker.state is OPEN


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_it_goes_on_in_a_forked_process_whoever_held_its_lock(make):
    breaker = make(failure_threshold=2)
    fail(breaker)
    breaker._breaker._lock.acquire()  # a thread that the child does not have is counting
    child = os.fork()
    if not child:
        signal.alarm(20)  # rather than to hang in what is tested
        with contextlib.suppress(BaseException):
            fail(breaker)
            os._exit(0 if breaker.state is OPEN else 1)
        os._exit(2)
    breaker._breaker._lock.release()
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert breaker.state is CLOSED
