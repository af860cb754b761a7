"""What hopping and trying again cost: tokens, dollars, and the prompt in another's cache."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from engine_kit import Exchange, Scripted, content, failsoft, overloaded, virtually

from failsoft import Settings
from failsoft.classify.wire_errors import StreamCut
from failsoft.config.settings import RetrySettings, TargetSettings
from failsoft.providers.protocol import WireEvent

OPUS, SONNET, HAIKU = "claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5"


def reports(*, cut: bool = False, **usage: Any) -> Any:
    """An answer, whole or cut, of which the provider told this usage."""

    async def events(exchange: Exchange) -> AsyncIterator[WireEvent]:
        exchange.message["usage"] = usage
        yield content("Some words")
        if cut:
            raise StreamCut("the stream ended before its terminal event", status=200)

    return events


def answered(*scripts: Any, settings: Settings | None = None, **more: Any):
    async def main():
        async with failsoft(Scripted(*scripts), settings=settings, **more) as ai:
            return await ai.ask("Hi")

    return virtually(main())


CUT = {"input_tokens": 100, "output_tokens": 1, "cache_read_input_tokens": 50_000}
OPUS_CUT_USD = (100 * 4 + 1 * 20 + 50_000 * 0.20) / 1_000_000
WHOLE = {"input_tokens": 100, "output_tokens": 20, "cache_creation_input_tokens": 50_000}


def test_an_answer_at_once_wastes_nothing():
    answer = answered(reports(**CUT))
    assert (answer.wasted_tokens, answer.wasted_cost_usd) == ({}, 0.0)
    assert answer.lost_cache_tokens == 0


def test_a_model_that_turns_the_request_away_charges_nothing():
    answer = answered(overloaded(), reports(**WHOLE))
    assert answer.hops == 1
    assert (answer.wasted_tokens, answer.wasted_cost_usd) == ({}, 0.0)
    assert answer.lost_cache_tokens == 0


def test_an_answer_cut_short_is_paid_for_and_its_cached_prompt_left_behind():
    answer = answered(reports(cut=True, **CUT), reports(**WHOLE))
    assert answer.model == SONNET
    assert answer.wasted_tokens == CUT
    assert answer.wasted_cost_usd == pytest.approx(OPUS_CUT_USD)
    assert answer.lost_cache_tokens == 50_000
    assert answer.usage == WHOLE


def test_a_prompt_cached_at_both_is_lost_only_as_far_as_the_second_had_less():
    first = {"cache_read_input_tokens": 40_000, "cache_creation_input_tokens": 2_000}
    answer = answered(reports(cut=True, **first), reports(cache_read_input_tokens=40_000))
    assert answer.lost_cache_tokens == 2_000
    answer = answered(reports(cut=True, **first), reports(cache_read_input_tokens=50_000))
    assert answer.lost_cache_tokens == 0


def test_the_same_prompt_in_two_caches_is_lost_once():
    answer = answered(reports(cut=True, **CUT), reports(cut=True, **WHOLE), reports())
    assert answer.model == HAIKU
    assert answer.wasted_tokens["input_tokens"] == 200
    assert answer.lost_cache_tokens == 50_000


def test_trying_the_same_model_again_is_waste_without_a_hop():
    settings = Settings(retry=RetrySettings(strategy="retry_first"))
    answer = answered(reports(cut=True, **CUT), reports(**CUT), settings=settings)
    assert (answer.model, answer.hops) == (OPUS, 0)
    assert answer.wasted_tokens == CUT
    assert answer.wasted_cost_usd == pytest.approx(OPUS_CUT_USD)
    assert answer.lost_cache_tokens == 0, "the same target has it still"


def test_where_a_price_is_not_known_no_cost_is_told():
    chain = {"models": ["claude-x", SONNET]}
    answer = answered(reports(cut=True, **CUT), reports(), **chain)
    assert answer.wasted_cost_usd is None
    assert answer.wasted_tokens == CUT
    own = TargetSettings(
        input_usd_per_million=10, output_usd_per_million=0, cache_read_usd_per_million=1
    )
    settings = Settings(targets={"anthropic/claude-x": own})
    answer = answered(reports(cut=True, **CUT), reports(), settings=settings, **chain)
    assert answer.wasted_cost_usd == pytest.approx(0.051)


def test_a_request_that_ends_without_an_answer_wasted_all_of_it():
    answer = answered(
        *(reports(cut=True, **CUT) for _ in range(3)),
        settings=Settings(retry=RetrySettings(max_attempts=3)),
    )
    assert answer.status == "error"
    assert answer.wasted_tokens["input_tokens"] == 300
    sonnet_usd = (100 * 2 + 1 * 10 + 50_000 * 0.10) / 1_000_000
    haiku_usd = (100 * 0.10 + 1 * 0.50 + 50_000 * 0.01) / 1_000_000
    assert answer.wasted_cost_usd == pytest.approx(OPUS_CUT_USD + sonnet_usd + haiku_usd)
    assert answer.lost_cache_tokens == 0


def test_what_was_shown_of_an_answer_cut_short_is_not_waste():
    async def main():
        scripts = reports(cut=True, **CUT)
        async with failsoft(Scripted(overloaded(), scripts)) as ai:
            return [event async for event in ai.stream("Hi")][-1]

    event = virtually(main())
    assert event.type == "stream_interrupted"
    assert (event.answer.wasted_tokens, event.answer.wasted_cost_usd) == ({}, 0.0)
