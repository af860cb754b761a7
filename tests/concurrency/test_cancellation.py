"""What a cancelled call returns, what is counted of it, and what the provider is told."""

import asyncio
import signal
import threading
from types import SimpleNamespace

import anyio
import pytest
from concurrency_kit import settings

from failsoft import AIMisconfigured, BlockingFailsoft, Failsoft, Settings, StreamText
from failsoft.chaos.simulator import Simulator
from failsoft.engine.shared_state import Shared
from failsoft.telemetry.events import AttemptFinished, BreakerChanged, RequestFinished
from failsoft.testing import RunningSimulator

SLOW = ["*=latency;between_events_ms=200"]


@pytest.fixture
async def slow():
    async with Simulator(faults=SLOW) as running:
        yield running


async def true(look):
    """Return once it is; what is looked at is on the other side of a socket."""
    async with asyncio.timeout(30):
        while not look():  # noqa: ASYNC110 - nobody there to set an event
            await asyncio.sleep(0.01)


async def cancelled_by_its_task(ai, begun):
    task = asyncio.create_task(ai.ask("Hello?"))
    await begun()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def cancelled_by_a_timeout(ai, begun):
    with pytest.raises(TimeoutError):
        await _ask_until(ai, begun)


async def _ask_until(ai, begun):
    async with asyncio.timeout(None) as limit, asyncio.TaskGroup() as tasks:
        tasks.create_task(ai.ask("Hello?"))
        await begun()
        limit.reschedule(asyncio.get_running_loop().time())
        await asyncio.Event().wait()


async def cancelled_by_a_sibling(ai, begun):
    with pytest.raises(ExceptionGroup) as caught:
        await _ask_beside_a_failure(ai, begun)
    assert [type(error) for error in caught.value.exceptions] == [LookupError]


async def _ask_beside_a_failure(ai, begun):
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(ai.ask("Hello?"))
        await begun()
        raise LookupError


async def cancelled_by_anyio(ai, begun):
    async def ask():
        with scope:
            await ai.ask("Hello?")
            pytest.fail("it was answered")

    scope = anyio.CancelScope()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask)
        await begun()
        scope.cancel()
    assert scope.cancelled_caught


async def left_early(ai, begun):
    async with ai.stream("Hello?") as events:
        async for _ in events:
            await begun()
            break


async def left_in_an_anyio_scope(ai, _begun):
    with anyio.CancelScope() as scope:
        async with ai.stream("Hello?") as events:
            async for event in events:
                if isinstance(event, StreamText):
                    scope.cancel()
    assert scope.cancelled_caught


WAYS = [
    cancelled_by_its_task,
    cancelled_by_a_timeout,
    cancelled_by_a_sibling,
    cancelled_by_anyio,
    left_early,
    left_in_an_anyio_scope,
]


@pytest.mark.parametrize("leave", WAYS)
async def test_leaving_hangs_up_counts_as_nobodys_failure_and_gives_all_back(slow, leave):
    heard = []

    async def begun():
        await true(lambda: slow.requests and slow.requests[0].contents)

    async with Failsoft(settings(slow), on_event=heard.append) as ai:
        await leave(ai, begun)
        await true(lambda: [event for event in heard if isinstance(event, RequestFinished)])
        await true(lambda: slow.requests[0].outcome != "open")
        assert [target["in_flight"] for target in ai.health()["targets"]] == [0, 0, 0]
        assert {target["state"] for target in ai.health()["targets"]} == {"closed"}
    (attempt,) = [event for event in heard if isinstance(event, AttemptFinished)]
    (request,) = [event for event in heard if isinstance(event, RequestFinished)]
    assert (attempt.outcome, request.outcome, request.attempts) == ("cancelled", "cancelled", 1)
    assert not [event for event in heard if isinstance(event, BreakerChanged)]
    assert [record.outcome for record in slow.requests] == ["client_gone"]


async def test_a_strict_failure_ends_its_task_group():
    async with Simulator(faults=["*=bad_key"]) as simulator, Failsoft(settings(simulator)) as ai:
        with pytest.raises(ExceptionGroup) as caught:
            await _complete(ai)
    assert [type(error) for error in caught.value.exceptions] == [AIMisconfigured]


async def _complete(ai):
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(ai.complete(messages=[{"role": "user", "content": "Hello?"}]))


async def test_a_task_group_of_asks_ends_with_an_answer_each():
    async with (
        Simulator(seed=3, faults=["*=529@0.2"]) as simulator,
        Failsoft(settings(simulator)) as ai,
        asyncio.TaskGroup() as tasks,
    ):
        asked = [tasks.create_task(ai.ask(f"{n}?")) for n in range(20)]
        answers = await asyncio.gather(*asked)
    assert {answer.status for answer in answers} == {"success"}


@pytest.fixture
def _interrupts():
    """Have them raise, also where the tests are run in the background, which ignores them."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_interrupts")
def test_an_interrupt_cancels_the_call_that_a_thread_waits_for():
    with RunningSimulator(faults=SLOW) as upstream, BlockingFailsoft(settings(upstream)) as ai:

        def interrupt():
            while not (upstream.requests and upstream.requests[0].contents):
                done.wait(0.01)
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

        done = threading.Event()
        thread = threading.Thread(target=interrupt)
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            ai.ask("Hello?")
        thread.join()
        while upstream.requests[0].outcome == "open":
            done.wait(0.01)
        assert upstream.requests[0].outcome == "client_gone"
        assert [target["in_flight"] for target in ai.health()["targets"]] == [0, 0, 0]


def test_a_lease_that_nobody_waits_for_any_more_is_given_back():
    """Else all processes would wait for its end: this one may have no other request."""
    given_back = threading.Event()

    class Guard:
        def needs_grants(self, _now, _caller):
            return [self]

        def give_back_grants(self):
            given_back.set()

    class Asks:
        async def grant(self, _parts, _seconds):
            asked.set()
            await asyncio.to_thread(answers.wait)

    asked, answers = threading.Event(), threading.Event()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    shared = Shared("redis://127.0.0.1:1", Settings(), on_status=lambda _: None)
    shared._thread = SimpleNamespace(sharing=Asks(), loop=loop)

    async def leave():
        request = asyncio.create_task(shared.grant(Guard(), 0.0, 20.0, None))
        await asyncio.to_thread(asked.wait)
        request.cancel()
        await asyncio.gather(request, return_exceptions=True)

    asyncio.run(leave())
    assert not given_back.is_set()
    answers.set()
    assert given_back.wait(10.0)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()
