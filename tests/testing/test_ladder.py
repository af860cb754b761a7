"""What is said over several requests, by an application that plays each way of failing."""

import asyncio

import pytest

from failsoft.chaos.simulator import JournalRecord
from failsoft.telemetry.events import BreakerChanged, CacheLookedUp, RequestFinished
from failsoft.testing.cases import Seen
from failsoft.testing.check import BREAKER, SAVED, fallback, outage
from failsoft.testing.exchange import AppReply

CALL = JournalRecord(request_id="r", path="/v1/messages", arrived_s=0.0, model="one")
OPENED = BreakerChanged(
    at=0.0, target="t", from_state="closed", to_state="open", reason="", open_seconds=5.0
)
LOOKED_UP = CacheLookedUp(at=0.0, route="chat", result="miss")


def finished(level):
    outcome = "error" if level == "minimal" else "success"
    return RequestFinished(
        at=0.0,
        route="chat",
        level=level,
        outcome=outcome,
        category="",
        reason="",
        fault="",
        target="",
        position=None,
        attempts=0,
        hops=0,
        duration_seconds=0.0,
    )


class Played:
    """A trial whose requests are written down."""

    def __init__(self, level="minimal", *, opens=True, cached="cached", saves=True):
        self.level, self.opens, self.cached, self.saves = level, opens, cached, saves
        self.down = False
        self.asked = []

    async def ask(self, question):
        known = question in self.asked[:1]
        self.asked.append(question)
        if not self.down:
            return self._seen([CALL], finished("full"))
        if known:
            looked = [LOOKED_UP] if self.saves else []
            return self._seen([], *looked, finished(self.cached))
        still = [CALL] if not self.opens or len(self.asked) < 4 else []
        return self._seen(still, *([OPENED] if self.opens else []), finished(self.level))

    def break_all(self, _fault):
        self.down = True

    def break_one(self, _model, _fault):
        self.down = True

    @staticmethod
    def _seen(calls, *events):
        return Seen(reply=AppReply(shown="…"), calls=calls, events=events)


def looked_at(work):
    return asyncio.run(work)


@pytest.fixture(autouse=True)
def _no_time(frozen_time):
    assert frozen_time


def test_what_holds_has_no_findings():
    assert looked_at(outage(Played())) == {BREAKER: [], SAVED: []}
    assert looked_at(fallback(Played("full"))) == []


def test_models_that_are_called_on_and_on():
    found = looked_at(outage(Played(opens=False)))[BREAKER]
    assert "after 30 questions in a row that failed" in str(found[0])


def test_a_first_model_that_nobody_stands_in_for():
    (found,) = looked_at(fallback(Played("minimal")))
    assert "with one down the level was 'minimal'" in str(found)


def test_an_application_that_calls_no_model_while_all_are_up():
    class Silent(Played):
        async def ask(self, _question):
            return self._seen([], finished("minimal"))

    (found,) = looked_at(fallback(Silent()))
    assert "with every model up no model was called" in str(found)


def test_a_saved_answer_that_is_not_served():
    (found,) = looked_at(outage(Played(cached="minimal")))[SAVED]
    assert "was served at level 'minimal'" in str(found)


def test_where_nothing_is_saved_nothing_is_said_of_it():
    assert looked_at(outage(Played(cached="minimal", saves=False)))[SAVED] is None
