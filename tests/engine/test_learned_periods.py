"""What the engine learns of first contents, what it makes of that, and where it says so."""

import asyncio
from random import Random

from engine_kit import Scripted, failsoft, hangs, says, virtually

from failsoft import Settings
from failsoft.classify.verdict import BreakerEffect, Fault
from failsoft.config.settings import TargetSettings
from failsoft.engine.answer import Answer
from failsoft.telemetry.events import AttemptStarted, BreakerChanged, Event, PeriodGaveWay

BEST = "anthropic/claude-opus-5-5"


class Paced(Scripted):
    """Every model begins after ``seconds()``; the best one hangs while ``hanging``."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self.rng = Random(seed)
        self.hanging = False
        self.slow_every = 0

    def exchange(self, call):
        if self.hanging and call.target.model == "claude-opus-5-5":
            self.default = hangs(pings=True)
        else:
            slow = self.slow_every and len(self.calls) % self.slow_every == 0
            self.default = says("ok", pause=14.0 if slow else self.rng.lognormvariate(-0.2, 0.3))
        return super().exchange(call)


async def ask_many(ai, count: int, *, apart: float = 0.05) -> list[Answer]:
    """Questions that come one after the other, ``apart`` seconds, and are all answered at last."""
    asking = []
    for _ in range(count):
        asking.append(asyncio.create_task(ai.ask("Hi")))
        await asyncio.sleep(apart)
    return await asyncio.gather(*asking)


def test_a_model_whose_pace_is_known_is_not_waited_for_in_vain():
    provider, events = Paced(), list[Event]()

    async def main():
        async with failsoft(provider, on_event=events.append) as ai:
            await ask_many(ai, 400)
            await asyncio.sleep(5)
            provider.hanging = True
            answer = await ai.ask("Hi")
            return answer, ai.health()["targets"][0]["first_content"]

    answer, said = virtually(main())
    first, second = answer.attempts
    assert 3.0 <= first.duration_seconds < 4.0
    assert (second.outcome, answer.text) == ("success", "ok")
    assert said["plain"]["why"] == "learned"
    assert 300 < said["plain"]["samples"] <= 400
    assert said["plain"]["period_seconds"] == round(first.duration_seconds, 3)
    assert 0.7 < said["plain"]["median_seconds"] < 0.95
    assert said["thinking"] == {
        "period_seconds": 120.0,
        "why": "few samples",
        "samples": 0,
        "median_seconds": None,
        "fixed_for_seconds": None,
    }
    started = [event for event in events if isinstance(event, AttemptStarted)]
    assert (started[0].period_seconds, started[0].samples) == (15.0, 0)
    assert 300 < started[-2].samples <= 400


def test_an_opening_by_timeouts_takes_the_silent_calls_along():
    provider, events = Paced(), list[Event]()
    provider.hanging = True

    async def main():
        async with failsoft(provider, on_event=events.append) as ai:
            early = asyncio.create_task(ask_many(ai, 10, apart=0.1))
            await asyncio.sleep(10)
            late = await ask_many(ai, 10, apart=0.1)
            await early
            return late, ai.health()["targets"][0]

    late, best = virtually(main())
    for answer in late:
        first, second = answer.attempts
        assert 4.0 < first.duration_seconds < 5.5
        assert (second.target, second.outcome) == ("anthropic/claude-sonnet-5-5", "success")
        verdict = first.verdict
        assert verdict is not None
        assert (str(verdict), verdict.fault) == ("timeout · no_answer", Fault.PROVIDER)
        assert verdict.breaker is BreakerEffect.NO
        assert "opened" in verdict.internal_detail
    opened = [e for e in events if isinstance(e, BreakerChanged) and e.to_state == "open"]
    assert [event.target for event in opened] == [BEST]
    assert best["in_flight"] == 0


def test_an_opening_leaves_calls_alone_that_have_nowhere_to_go():
    provider = Paced()
    provider.hanging = True

    async def main():
        async with failsoft(provider, models=["claude-opus-5-5"]) as ai:
            return await ask_many(ai, 8, apart=0.5)

    for answer in virtually(main()):
        assert [round(a.duration_seconds) for a in answer.attempts] == [60]


def test_a_request_that_streams_and_has_begun_is_left_alone():
    class Begun(Paced):
        def exchange(self, call):
            self.default = hangs(pings=True)
            if len(self.calls) == 4:
                self.default = says("one ", "two", pause=9.0)
            elif call.target.model != "claude-opus-5-5":
                self.default = says("ok")
            return Scripted.exchange(self, call)

    async def main():
        async with failsoft(Begun()) as ai:
            return await ask_many(ai, 6, apart=0.1)

    answers = virtually(main())
    assert [answer.text for answer in answers] == ["ok"] * 4 + ["one two", "ok"]


def test_a_period_that_gives_way_is_an_event_and_is_seen_in_health():
    provider, events = Paced(), list[Event]()

    async def main():
        async with failsoft(provider, on_event=events.append) as ai:
            await ask_many(ai, 1300)
            provider.slow_every = 25
            while not any(isinstance(event, PeriodGaveWay) for event in events):
                await ask_many(ai, 50)
            return ai.health()["targets"][0]["first_content"]["plain"]

    said = virtually(main())
    (gave_way,) = [event for event in events if isinstance(event, PeriodGaveWay)]
    assert (gave_way.target, gave_way.thinks, gave_way.fixed_seconds) == (BEST, False, 60.0)
    assert gave_way.cuts >= 5
    assert said["why"] == "gave way"
    assert said["period_seconds"] == 15.0
    assert 0 < said["fixed_for_seconds"] <= 60


def test_a_period_that_is_named_for_a_target_holds_for_it_alone():
    provider = Paced()
    provider.hanging = True
    settings = Settings(targets={BEST: TargetSettings(first_content_seconds=70.0)})

    async def main():
        async with failsoft(provider, settings=settings) as ai:
            answer = await ai.ask("Hi")
            return answer, [target["first_content"]["plain"] for target in ai.health()["targets"]]

    answer, said = virtually(main())
    assert round(answer.attempts[0].duration_seconds) == 70
    assert [(one["why"], one["period_seconds"]) for one in said] == [
        ("named", 70.0),
        ("few samples", 15.0),
        ("few samples", 15.0),
    ]
