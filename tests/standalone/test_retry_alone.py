"""retry: what is tried again, how often, after how long; the same for plain and asynchronous."""

import asyncio
import functools
import inspect
import traceback
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standalone_kit import HIGH, LOW, coroutine, flaky, later, reply

from failsoft import SettingError, deadline, retry
from failsoft.classify import REASONS, verdict_for
from failsoft.classify.verdict import RetrySame
from failsoft.errors import CircuitOpenError
from failsoft.standalone.function_retry import Retry
from failsoft.testing import no_waits as without_waits

OVERLOADED = reply(529, "overloaded_error")

pytestmark = pytest.mark.usefixtures("no_waits")


def decorated(how, fn, plain):
    if plain:
        return how(fn)
    wrapped = how(later(fn))
    return lambda *args: asyncio.run(wrapped(*args))


def called(how, fn, plain):
    if plain:
        return lambda *args: how.call(fn, *args)
    return lambda *args: asyncio.run(how.call(later(fn), *args))


def returning_a_coroutine(how, fn, plain):
    if plain:
        return how(fn)
    wrapped = how(coroutine(fn))
    return lambda *args: asyncio.run(wrapped(*args))


def block(how, fn, plain):
    if plain:

        def run(*args):
            for attempt in how:
                with attempt:
                    result = fn(*args)
            return result

        return run

    async def run_later(*args):
        async for attempt in how:
            with attempt:
                result = await later(fn)(*args)
        return result

    return lambda *args: asyncio.run(run_later(*args))


@pytest.fixture(params=[True, False], ids=["plain", "asynchronous"])
def plain(request):
    return request.param


@pytest.fixture(params=[decorated, called, returning_a_coroutine, block], ids=lambda f: f.__name__)
def around(request, plain):
    """Every way of using it: given how and what, a function to call."""
    return lambda how, fn: request.param(how, fn, plain)


# What is tried again


def test_a_failure_that_may_pass_is_tried_until_it_passes(around, no_waits):
    fn = flaky(OVERLOADED, ConnectionResetError(), reply(503))
    assert around(retry(), fn)("a", 1) == "done"
    assert fn.calls == [("a", 1)] * 4
    assert len(no_waits) == 3


def test_after_the_last_attempt_the_last_error_is_raised_as_it_was(around, no_waits):
    errors = [reply(529, "overloaded_error") for _ in range(9)]
    fn = flaky(*errors)
    with pytest.raises(type(OVERLOADED)) as raised:
        around(retry(), fn)()
    assert raised.value is errors[3]
    assert raised.value.__cause__ is raised.value.__context__ is None
    assert traceback.extract_tb(raised.tb)[-1].name == "__call__"
    assert (len(fn.calls), len(no_waits)) == (4, 3)


@pytest.mark.parametrize(
    "error",
    [
        reply(400, "invalid_request_error"),
        reply(401, "authentication_error"),
        reply(402, "billing_error"),
        reply(413, "request_too_large"),
        reply(400, "content_policy_violation"),
        ValueError("amount"),
        TypeError("argument"),
        TimeoutError(),
        CircuitOpenError("db", 3.0, verdict_for("all_open")),
    ],
    ids=lambda error: type(error).__name__ + str(getattr(error, "status", "")),
)
def test_what_cannot_succeed_is_called_once(around, error, no_waits):
    fn = flaky(error)
    with pytest.raises(type(error)) as raised:
        around(retry(), fn)()
    assert raised.value is error
    assert (len(fn.calls), no_waits) == (1, [])


def test_what_is_not_known_is_tried_once_more(around):
    fn = flaky(RuntimeError("one"), RuntimeError("two"), RuntimeError("three"))
    with pytest.raises(RuntimeError, match="two"):
        around(retry(), fn)()


@pytest.mark.parametrize("row", REASONS)
def test_every_verdict_of_the_table_is_kept(row):
    error = CircuitOpenError("any", None, verdict_for(row))
    fn = flaky(*[error] * 9)
    with pytest.raises(CircuitOpenError):
        retry(fn)()
    allowed = {RetrySame.NEVER: 1, RetrySame.ONCE: 2}
    assert len(fn.calls) == allowed.get(verdict_for(row).retry_same, 4)


class Stop(BaseException):
    """What stops a program and is nobody's failure."""


def test_what_is_no_exception_passes_through_every_form(around):
    stop = Stop()
    fn = flaky(stop)
    with pytest.raises(Stop) as raised:
        around(retry(), fn)()
    assert raised.value is stop
    assert len(fn.calls) == 1


def cancelled_class():
    return type("ClientDisconnect", (Exception,), {})


@pytest.mark.parametrize(
    "leaving", [KeyboardInterrupt, SystemExit, GeneratorExit, cancelled_class()]
)
@pytest.mark.parametrize("how", [retry(), retry(retry_on=Exception)], ids=["classify", "own"])
def test_whoever_leaves_is_let_go(leaving, how):
    fn = flaky(leaving())
    with pytest.raises(leaving):
        how(fn)()
    assert len(fn.calls) == 1


async def test_a_cancellation_passes_through_the_call_and_through_the_wait():
    begun = asyncio.Event()
    calls = []

    @retry(retry_on=Exception)
    async def hang():
        calls.append(1)
        begun.set()
        await asyncio.sleep(3600)

    task = asyncio.create_task(hang())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert calls == [1]


# Own exceptions


class Busy(Exception):
    pass


class VeryBusy(Busy):
    pass


@pytest.mark.parametrize(
    "mine",
    [Busy, (KeyError, Busy), lambda error: isinstance(error, Busy)],
    ids=["class", "classes", "function"],
)
def test_own_exceptions_are_tried_to_the_end_and_no_others(around, mine):
    fn = flaky(*[VeryBusy()] * 9)
    with pytest.raises(VeryBusy):
        around(retry(retry_on=mine), fn)()
    assert len(fn.calls) == 4
    others = flaky(OVERLOADED)
    with pytest.raises(type(OVERLOADED)):
        around(retry(retry_on=mine), others)()
    assert len(others.calls) == 1


def test_a_function_that_fails_itself_hides_no_error(caplog):
    with pytest.raises(Busy):
        retry(retry_on=lambda error: error.no_such_thing)(flaky(Busy()))()  # type: ignore[attr-defined]
    assert "retry_on failed on Busy" in caplog.text


@pytest.mark.parametrize("wrong", [KeyboardInterrupt, (Busy, int), 5, "Busy"])
def test_what_is_no_exception_is_refused(wrong):
    with pytest.raises(TypeError, match="retry_on: must be a class of exceptions"):
        retry(retry_on=wrong)


# Waits


@pytest.mark.parametrize(("dice", "expected"), [(LOW, [0.0] * 6), (HIGH, [1, 2, 4, 8, 8, 8])])
def test_full_jitter_under_a_ceiling_that_doubles_up_to_the_cap(dice, expected, no_waits):
    fn = flaky(*[ConnectionResetError()] * 6)
    retry(max_attempts=7, max_delay_seconds=8, rng=dice)(fn)()
    assert no_waits == pytest.approx(expected)


@pytest.mark.parametrize(("dice", "share"), [(LOW, 0.75), (HIGH, 1.25)])
def test_a_quarter_more_or_less_by_name(dice, share, no_waits):
    retry(jitter="quarter", rng=dice)(flaky(*[ConnectionResetError()] * 3))()
    assert no_waits == pytest.approx([share, 2 * share, 4 * share])


@pytest.mark.parametrize(("dice", "expected"), [(LOW, [8.0, 100.0]), (HIGH, [10.0, 105.0])])
@pytest.mark.parametrize("status", [429, 529])
def test_a_wait_that_was_named_is_a_floor(dice, expected, status, no_waits):
    fn = flaky(reply(status, retry_after="8"), reply(status, retry_after="100"))
    retry(max_delay_seconds=2, rng=dice)(fn)()
    assert no_waits == pytest.approx(expected)


def test_an_overload_is_given_a_second(no_waits):
    retry(rng=LOW)(flaky(OVERLOADED))()
    assert no_waits == [1.0]


@pytest.mark.parametrize("headers", [{}, {"retry_after": "0"}, {"retry_after": "0.0"}])
def test_a_limit_that_names_no_wait_is_given_a_backoff_of_at_least_a_second(headers, no_waits):
    retry(rng=LOW)(flaky(*[reply(429, **headers)] * 3))()
    assert no_waits == [1.0] * 3
    no_waits.clear()
    retry(rng=HIGH)(flaky(*[reply(429, **headers)] * 3))()
    assert no_waits == pytest.approx([1.0, 2.0, 4.0])


def test_no_wait_of_our_own_is_longer_than_the_longest(no_waits):
    fn = flaky(OVERLOADED, ConnectionResetError(), OVERLOADED)
    retry(max_delay_seconds=0.25, rng=HIGH)(fn)()
    assert max(no_waits) <= 0.25


@given(
    attempts=st.integers(1, 60),
    base=st.floats(0, 1e4),
    cap=st.floats(0, 1e4),
    seed=st.integers(0, 9),
)
def test_any_numbers_make_waits_within_their_ceilings(attempts, base, cap, seed):
    with without_waits() as waits:
        fn = flaky(*[ConnectionResetError()] * (attempts - 1))
        retry(
            max_attempts=attempts, base_delay_seconds=base, max_delay_seconds=cap, rng=Random(seed)
        )(fn)()
    assert len(waits) == attempts - 1
    for number, wait in enumerate(waits):
        assert 0 <= wait <= min(cap, base * 2.0**number)


@pytest.mark.parametrize(
    "wrong", [{"max_attempts": 0}, {"base_delay_seconds": -1}, {"max_delay_seconds": float("nan")}]
)
def test_a_number_that_cannot_hold_is_refused_by_its_name(wrong):
    (name,) = wrong
    with pytest.raises(SettingError, match=f"retry.{name}: must be"):
        retry(**wrong)


# The deadline


def test_a_wait_that_does_not_fit_is_not_begun(around, no_waits):
    error = reply(429, retry_after="30")
    fn = flaky(error)
    with deadline(20), pytest.raises(type(error)) as raised:
        around(retry(), fn)()
    assert raised.value is error
    assert (len(fn.calls), no_waits) == (1, [])


def test_a_wait_that_fits_is_not_lost_to_jitter(around, no_waits):
    fn = flaky(reply(429, retry_after="18"))
    with deadline(20):
        assert around(retry(rng=HIGH), fn)() == "done"
    (waited,) = no_waits
    assert 18 <= waited <= 19


def test_past_the_deadline_nothing_is_tried_again(frozen_time):
    calls = []

    def fails():
        calls.append(1)
        frozen_time.advance(21)
        raise ConnectionResetError

    with deadline(20), pytest.raises(ConnectionResetError):
        asyncio.run(retry(later(fails))())
    assert len(calls) == 1


# What is told


def test_each_wait_is_told_before_it_begins(around, no_waits):
    told = []

    def on_retry(event):
        told.append((event, len(no_waits)))

    errors = [ConnectionResetError("a"), reply(503)]
    around(retry(on_retry=on_retry), flaky(*errors))()
    assert [(event.number, event.error, waits) for event, waits in told] == [
        (1, errors[0], 0),
        (2, errors[1], 1),
    ]
    assert [event.wait_seconds for event, _ in told] == no_waits
    assert [str(event.verdict) for event, _ in told] == [
        "transient · connection",
        "transient · unavailable",
    ]
    with pytest.raises(AttributeError):
        told[0][0].number = 5


def test_a_listener_that_fails_breaks_no_call(around, caplog):
    def broken(_event):
        raise LookupError("lost")

    assert around(retry(on_retry=broken), flaky(OVERLOADED))() == "done"
    assert "a listener failed" in caplog.text


# Forms


def generator():
    yield 1


async def asynchronous_generator():
    yield 1


class Streaming:
    def __call__(self):
        yield 1


@pytest.mark.parametrize(
    "fn",
    [generator, asynchronous_generator, functools.partial(generator), Streaming()],
    ids=["generator", "asynchronous", "partial", "object"],
)
@pytest.mark.parametrize("use", [retry, retry(), retry().call], ids=["bare", "made", "call"])
def test_a_generator_function_is_refused(fn, use):
    with pytest.raises(TypeError, match="half a stream cannot be tried again"):
        use(fn)


def test_what_is_no_function_is_refused():
    with pytest.raises(TypeError, match="retry: must be given a function; it is 5"):
        retry(5)  # type: ignore[call-overload]


def test_a_decorated_function_stays_what_it_was():
    @retry
    def fetch(question: str, *, limit: int = 3) -> str:
        """Fetch it."""
        return question * limit

    assert fetch("a", limit=2) == "aa"
    assert (fetch.__name__, fetch.__doc__) == ("fetch", "Fetch it.")
    assert str(inspect.signature(fetch)) == "(question: str, *, limit: int = 3) -> str"
    assert inspect.iscoroutinefunction(retry(later(fetch)))


def test_methods_are_tried_again_too():
    class Desk:
        def __init__(self):
            self.fn = flaky(OVERLOADED)

        @retry
        def ask(self, question):
            return self.fn(question)

    desk = Desk()
    assert desk.ask("why") == "done"
    assert desk.fn.calls == [("why",), ("why",)]


def test_one_retry_serves_many_calls_at_once():
    how = retry(max_attempts=2)
    assert isinstance(how, Retry)
    for _ in range(3):
        assert how.call(flaky(OVERLOADED)) == "done"
    with pytest.raises(type(OVERLOADED)):
        how.call(flaky(OVERLOADED, OVERLOADED))


def test_a_block_knows_its_number_and_ends_by_itself():
    seen = []
    for attempt in retry(max_attempts=3):
        with attempt:
            seen.append(attempt.number)
            if attempt.number < 3:
                raise OVERLOADED
    assert seen == [1, 2, 3]


def test_a_block_that_is_left_is_left():
    def leave():
        for attempt in retry():
            with attempt:
                return "left"
        return "not left"

    assert leave() == "left"
    for attempt in retry():
        with attempt:
            break


def test_a_block_without_its_attempt_runs_once():
    assert [attempt.number for attempt in retry()] == [1]
    with pytest.raises(type(OVERLOADED)):  # noqa: PT012 - the loop is what is tested
        for _attempt in retry():
            raise OVERLOADED
