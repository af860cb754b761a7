"""FallbackChain: who is called next, who is passed over, what is reported."""

import asyncio
import contextlib
import os
import pickle
import signal
import threading

import pytest
from standalone_kit import coroutine, flaky, later, reply

from failsoft import (
    AIBadRequest,
    AIError,
    AIMisconfigured,
    AIRefused,
    AIUnavailable,
    CircuitBreaker,
    CircuitState,
    FallbackChain,
    SettingError,
    deadline,
    retry,
)
from failsoft.config.settings import BreakerSettings

OVERLOADED = reply(529, "overloaded_error")
QUICK = BreakerSettings(failure_threshold=1, failure_span_seconds=0, recovery_timeout_seconds=5)


@pytest.fixture(params=["plain", "asynchronous", "coroutine"])
def complete(request):
    """Make a chain of functions of one kind, and complete."""

    def of(functions, **options):
        if request.param == "plain":
            return FallbackChain(functions, **options).complete
        if request.param == "asynchronous":
            chain = FallbackChain({name: later(fn) for name, fn in functions.items()}, **options)
        else:
            kinds = {name: coroutine(fn) for name, fn in functions.items()}
            chain = FallbackChain(kinds, **options)

        async def awaited(*args, **kwargs):
            return await chain.complete(*args, **kwargs)

        return lambda *args, **kwargs: asyncio.run(awaited(*args, **kwargs))

    return of


def tried(result):
    return [(one.number, one.target, str(one.verdict or one.outcome)) for one in result.attempts]


def test_the_first_that_answers_is_enough(complete):
    best, next_one = flaky(then=42), flaky()
    result = complete({"a/one": best, "b/two": next_one})("question", 7)
    assert (result.value, result.target, result.position) == (42, "a/one", 0)
    assert tried(result) == [(1, "a/one", "success")]
    assert (best.calls, next_one.calls) == ([("question", 7)], [])


def test_where_one_fails_the_next_is_called_with_the_same(complete):
    targets = {"a/one": flaky(OVERLOADED), "b/two": flaky(ConnectionResetError()), "c": flaky()}
    result = complete(targets)("question", 7)
    assert (result.value, result.target, result.position) == ("done", "c", 2)
    assert tried(result) == [
        (1, "a/one", "transient · overloaded"),
        (2, "b/two", "transient · connection"),
        (3, "c", "success"),
    ]
    assert all(fn.calls == [("question", 7)] for fn in targets.values())


@pytest.mark.parametrize(
    ("error", "called"),
    [
        (OVERLOADED, ["a/2", "b/1"]),
        (reply(429, retry_after="9"), ["a/2", "b/1"]),
        (TimeoutError(), ["a/2", "b/1"]),
        (LookupError(), ["a/2", "b/1"]),
        (reply(404, "model_not_found"), ["a/2", "b/1"]),
        (ConnectionRefusedError(), ["b/1"]),
        (reply(401, "authentication_error"), ["b/1"]),
        (reply(402, "billing_error"), ["b/1"]),
        (reply(400, "content_policy_violation"), []),
        (reply(400, "invalid_request_error"), []),
        (reply(413, "request_too_large"), []),
        (ValueError("amount"), []),
    ],
    ids=lambda value: type(value).__name__ + str(getattr(value, "status", "")),
)
def test_the_verdict_says_whether_a_model_of_the_same_or_another_is_next(complete, error, called):
    again = [flaky(reply(503)), flaky(reply(503))]
    targets = {"a/1": flaky(error), "a/2": again[0], "b/1": again[1]}
    with pytest.raises(AIError) as raised:
        complete(targets)()
    assert [one.target for one in raised.value.attempts] == ["a/1", *called]


def test_a_name_without_a_slash_is_a_provider_of_its_own(complete):
    result = complete({"one": flaky(ConnectionRefusedError()), "two": flaky()})()
    assert result.target == "two"


class Mine(Exception):
    pass


@pytest.mark.parametrize(
    "mine",
    [Mine, (Mine, KeyError), lambda error: isinstance(error, Mine)],
    ids=["class", "classes", "function"],
)
def test_one_may_say_oneself_what_goes_further(complete, mine):
    result = complete({"a": flaky(Mine()), "b": flaky()}, fall_back_on=mine)()
    assert result.target == "b"
    stopped = flaky()
    with pytest.raises(AIUnavailable):
        complete({"a": flaky(OVERLOADED), "b": stopped}, fall_back_on=mine)()
    assert stopped.calls == []


# Where nothing worked


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (OVERLOADED, AIUnavailable),
        (reply(400, "content_policy_violation"), AIRefused),
        (reply(401, "authentication_error"), AIMisconfigured),
        (reply(400, "invalid_request_error"), AIBadRequest),
    ],
    ids=str,
)
def test_the_error_tells_what_it_was_and_all_that_was_tried(complete, error, kind):
    with pytest.raises(kind) as raised:
        complete({"a/one": flaky(error)})()
    said = raised.value
    assert said.__cause__ is error
    assert tried(said) == [(1, "a/one", str(said.verdict))]
    assert said.notice.title
    assert pickle.loads(pickle.dumps(said)).verdict == said.verdict


def test_the_first_verdict_speaks_where_a_later_one_is_only_not_set_up(complete):
    first = OVERLOADED
    with pytest.raises(AIUnavailable) as raised:
        complete({"a": flaky(first), "b": flaky(reply(401, "authentication_error"))})()
    assert (str(raised.value.verdict), raised.value.__cause__) == ("transient · overloaded", first)


def test_the_last_verdict_speaks_otherwise(complete):
    last = reply(503)
    with pytest.raises(AIUnavailable) as raised:
        complete({"a": flaky(OVERLOADED), "b": flaky(last)})()
    assert (str(raised.value.verdict), raised.value.__cause__) == ("transient · unavailable", last)


def test_a_bad_request_of_the_second_is_its_own(complete):
    third = flaky()
    targets = {"a": flaky(OVERLOADED), "b": flaky(reply(400, "invalid_request_error")), "c": third}
    assert complete(targets)().target == "c"


@pytest.mark.parametrize(
    "leaving", [KeyboardInterrupt(), SystemExit(), type("ClientDisconnect", (Exception,), {})()]
)
def test_whoever_leaves_is_let_go(leaving):
    other = flaky()
    chain = FallbackChain({"a": flaky(leaving), "b": other}, breaker=QUICK)
    with pytest.raises(type(leaving)):
        chain.complete()
    assert other.calls == []
    assert set(chain.states.values()) == {CircuitState.CLOSED}


async def test_a_cancellation_passes_through_and_gives_the_place_back():
    other = flaky()
    chain = FallbackChain({"a": lambda: asyncio.sleep(60), "b": later(other)}, breaker=QUICK)
    task = asyncio.create_task(chain.complete())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert other.calls == []
    held = [guard.bulkhead.held for guard in chain._guards]
    assert sum(held) == 0


# Passed over


def test_one_that_is_open_is_passed_over():
    told = []
    best, other = flaky(OVERLOADED), flaky()
    chain = FallbackChain(
        {"a": best, "b": other},
        breaker=QUICK,
        on_change=lambda name, change: told.append((name, str(change.after))),
    )
    assert chain.complete().target == "b"
    assert chain.states == {"a": CircuitState.OPEN, "b": CircuitState.CLOSED}
    result = chain.complete()
    assert (result.target, result.position, len(result.attempts)) == ("b", 1, 1)
    assert len(best.calls) == 1
    chain.reset()
    assert chain.complete().target == "a"
    assert told == [("a", "open"), ("a", "closed")]


async def test_one_that_is_open_comes_back(frozen_time):
    chain = FallbackChain({"a": later(flaky(OVERLOADED)), "b": later(flaky())}, breaker=QUICK)
    assert (await chain.complete()).target == "b"
    frozen_time.advance(5)
    assert (await chain.complete()).target == "a"


@pytest.mark.parametrize("given", [None, BreakerSettings(failure_threshold=5)], ids=["own", "set"])
async def test_five_failures_open_it_for_a_fixed_time(frozen_time, given):
    fn = flaky(*[OVERLOADED] * 9)
    chain = FallbackChain({"a": later(fn), "b": later(flaky())}, breaker=given)
    for _ in range(8):
        frozen_time.advance(0.1)
        assert (await chain.complete()).target == "b"
    assert len(fn.calls) == 5
    # Of a whole `BreakerSettings` all is taken, but for a recovery by a route's demand.
    seconds = 60 if given is None else given.recovery_timeout_seconds
    frozen_time.advance(seconds - 1)
    await chain.complete()
    assert len(fn.calls) == 5
    frozen_time.advance(1)
    await chain.complete()
    assert len(fn.calls) == 6


async def test_a_wait_that_was_named_keeps_it_out_as_long(frozen_time):
    chain = FallbackChain({"a/x": later(flaky(reply(429, retry_after="30"))), "b": later(flaky())})
    assert (await chain.complete()).target == "b"
    frozen_time.advance(29)
    assert (await chain.complete()).target == "b"
    frozen_time.advance(31)
    assert (await chain.complete()).target == "a/x"


@pytest.mark.usefixtures("frozen_time")
async def test_a_dead_account_keeps_all_its_models_out():
    dead = later(flaky(reply(401, "authentication_error")))
    second = flaky()
    chain = FallbackChain({"a/1": dead, "a/2": later(second), "b": later(flaky())})
    for _ in range(3):
        assert (await chain.complete()).target == "b"
    assert second.calls == []


async def test_where_all_are_out_it_says_until_when_and_calls_nothing(frozen_time):
    fns = [flaky(*[OVERLOADED] * 9) for _ in range(2)]
    chain = FallbackChain({"a": later(fns[0]), "b": later(fns[1])}, breaker=QUICK)
    with pytest.raises(AIUnavailable):
        await chain.complete()
    frozen_time.advance(2)
    with pytest.raises(AIUnavailable) as raised:
        await chain.complete()
    assert raised.value.attempts == ()
    assert raised.value.retry_after == pytest.approx(3.0)
    assert str(raised.value.verdict) == "transient · overloaded"
    assert [len(fn.calls) for fn in fns] == [1, 1]


def test_no_time_is_named_while_one_may_be_called():
    targets = {"a": flaky(OVERLOADED), "b": flaky(reply(400, "invalid_request_error"))}
    with pytest.raises(AIError) as raised:
        FallbackChain(targets, breaker=QUICK).complete()
    assert raised.value.retry_after is None


def test_a_breaker_of_ones_own_within_it_is_passed_over_too():
    breaker = CircuitBreaker("mine")
    breaker.isolate()
    chain = FallbackChain({"a/1": breaker(flaky()), "a/2": flaky()})
    for _ in range(20):
        assert chain.complete().target == "a/2"
    assert chain.states["a/1"] is CircuitState.CLOSED


@pytest.mark.usefixtures("frozen_time")
async def test_after_the_deadline_nobody_else_is_called():
    async def slow():
        await asyncio.sleep(21)
        raise OVERLOADED

    other = flaky()
    with deadline(20), pytest.raises(AIUnavailable) as raised:
        await FallbackChain({"a": slow, "b": later(other)}).complete()
    assert str(raised.value.verdict) == "transient · overloaded"
    assert other.calls == []


async def test_a_retry_around_it_goes_round_again(no_waits):
    fns = [later(flaky(OVERLOADED, OVERLOADED)), later(flaky(OVERLOADED, OVERLOADED))]
    chain = FallbackChain({"a": fns[0], "b": fns[1]})
    result = await retry().call(chain.complete)
    assert (result.target, len(no_waits)) == ("a", 2)


# Forms


def test_nobody_to_call_is_refused():
    with pytest.raises(SettingError, match="targets: must name at least one function"):
        FallbackChain({})


def test_generator_functions_are_refused_by_name():
    def stream():
        yield 1

    with pytest.raises(TypeError, match=r"FallbackChain, a/one: .*stream is a generator function"):
        FallbackChain({"a/one": stream})


async def test_plain_and_asynchronous_ones_may_be_mixed():
    chain = FallbackChain({"a": flaky(OVERLOADED), "b": later(flaky())})  # type: ignore[dict-item]
    assert (await chain.complete()).target == "b"
    chain = FallbackChain({"a": flaky(OVERLOADED), "b": coroutine(flaky())})
    assert (await chain.complete()).target == "b"


def test_threads_share_it():
    chain = FallbackChain({"a": flaky(*[OVERLOADED] * 400), "b": flaky()}, breaker=QUICK)
    results = []

    def ask():
        for _ in range(50):
            results.append(chain.complete().target)  # noqa: PERF401 - one after the other

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(results) == 400
    assert set(results) <= {"a", "b"}
    assert sum(guard.bulkhead.held for guard in chain._guards) == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_it_goes_on_in_a_forked_process_whoever_held_a_lock():
    chain = FallbackChain({"a": flaky(OVERLOADED), "b": flaky()}, breaker=QUICK)
    chain.complete()
    (guard, _) = chain._guards
    guard.breaker._lock.acquire()  # a thread that the child does not have is counting
    child = os.fork()
    if not child:
        signal.alarm(20)  # rather than to hang in what is tested
        with contextlib.suppress(BaseException):
            os._exit(0 if chain.complete().target == "b" else 1)
        os._exit(2)
    guard.breaker._lock.release()
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
