"""A route is served by the models it allows, and tells the state of those alone."""

import pytest
from engine_kit import Scripted, fails, failsoft, hangs, overloaded, says, virtually

from failsoft import SettingError, Settings
from failsoft.config.settings import BreakerSettings, RouteSettings

OPUS, SONNET, HAIKU = "claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5"


def routes(**allowed: tuple[str, ...] | None) -> Settings:
    made = {name: RouteSettings(allowed_models=models) for name, models in allowed.items()}
    return Settings(routes=made)


def asked(provider: Scripted, settings: Settings, **arguments):
    async def main():
        async with failsoft(provider, settings=settings) as ai:
            return await ai.ask("Hi", **arguments)

    return virtually(main())


def test_a_route_keeps_the_order_of_the_chain():
    provider = Scripted(overloaded(), says("Hi."))
    answer = asked(provider, routes(support=(HAIKU, f"anthropic/{SONNET}")), route="support")
    assert provider.models == [SONNET, HAIKU]
    assert answer.position == 1


@pytest.mark.parametrize("route", ["chat", "support", "of nobody"])
def test_a_route_without_allowed_models_has_the_whole_chain(route):
    provider = Scripted(overloaded(), overloaded(), says("Hi."))
    asked(provider, routes(support=None, other=(HAIKU,)), route=route)
    assert provider.models == [OPUS, SONNET, HAIKU]


def test_the_default_route_may_be_restricted_too():
    provider = Scripted(default=says("Hi."))
    asked(provider, routes(chat=(HAIKU,)))
    asked(provider, routes(chat=(HAIKU,)), route="other")
    assert provider.models == [HAIKU, OPUS]


@pytest.mark.parametrize("model", [SONNET, f"anthropic/{SONNET}"])
def test_a_model_asked_for_goes_first_where_the_route_allows_it(model):
    provider = Scripted(overloaded(), says("Hi."))
    asked(provider, routes(support=(OPUS, SONNET)), route="support", model=model)
    assert provider.models == [SONNET, OPUS]


def test_a_model_outside_the_chain_may_be_asked_for_where_the_route_allows_it():
    provider = Scripted(overloaded(), says("Hi."))
    asked(provider, routes(support=(HAIKU, "claude-x")), route="support", model="claude-x")
    assert provider.models == ["claude-x", HAIKU]


def test_a_model_that_the_route_does_not_allow_is_refused_before_any_call():
    provider, settings = Scripted(default=says("Hi.")), routes(support=(HAIKU, "claude-x"))
    said = (
        r"^model: anthropic/claude-opus-5-5 is not allowed on route support, which allows "
        r"claude-haiku-5-5, claude-x$"
    )

    async def main():
        async with failsoft(provider, settings=settings) as ai:
            with pytest.raises(SettingError, match=said):
                await ai.ask("Hi", route="support", model=OPUS)
            with pytest.raises(SettingError, match=said):
                await ai.complete(messages=[], route="support", model=OPUS)
            with pytest.raises(SettingError, match=said):
                _ = [event async for event in ai.stream("Hi", route="support", model=OPUS)]
            return await ai.ask("Hi", model=OPUS)

    assert virtually(main()).status == "success"
    assert provider.models == [OPUS]


def test_a_stream_keeps_to_its_route():
    provider = Scripted(default=says("Hi."))

    async def main():
        async with failsoft(provider, settings=routes(support=(HAIKU,))) as ai:
            return [event async for event in ai.stream("Hi", route="support")][-1].answer

    assert virtually(main()).model == HAIKU


def test_a_route_that_is_left_with_no_target_is_refused_at_the_start():
    with pytest.raises(SettingError) as caught:
        failsoft(Scripted(), settings=routes(support=("claude-haiku-4-5",)), models=[OPUS, HAIKU])
    assert str(caught.value) == (
        "routes.support.allowed_models: must name at least one model of the chain, which is "
        "anthropic/claude-opus-5-5, anthropic/claude-haiku-5-5"
    )


def test_an_answer_tells_the_state_of_its_own_route():
    breaker = BreakerSettings(failure_threshold=1, failure_span_seconds=0)
    route = RouteSettings(allowed_models=(HAIKU,))
    settings = Settings(routes={"support": route}, breaker=breaker)
    provider = Scripted(overloaded(), default=says("Hi."))

    async def main():
        async with failsoft(provider, settings=settings) as ai:
            await ai.ask("Hi", route="support", timeout=2)
            shut = await ai.ask("Hi", route="support", timeout=2)
            return shut, await ai.ask("Hi"), ai.circuit_state, ai.health()

    shut, whole, default, health = virtually(main())
    assert (shut.status, shut.circuit_state) == ("error", "open")
    assert (whole.status, whole.circuit_state, default) == ("success", "closed", "closed")
    assert (health["status"], health["circuit_breaker"]["state"]) == ("degraded", "closed")
    assert health["circuit_breaker"]["recovery_in_seconds"] is None
    ids = [f"anthropic/{model}" for model in (OPUS, SONNET, HAIKU)]
    assert health["routes"] == [
        {"route": "chat", "state": "closed", "targets": ids},
        {"route": "support", "state": "open", "targets": ids[-1:]},
    ]


def test_the_service_is_down_when_no_route_has_a_target_left():
    """A target that no route may use does not keep it up."""
    settings = routes(chat=(OPUS,), support=(OPUS, SONNET))
    provider = Scripted(default=fails(429, "rate_limit_error", retry_after="171"))

    async def main():
        async with failsoft(provider, settings=settings) as ai:
            await ai.ask("Hi")
            half = ai.health()
            await ai.ask("Hi", route="support")
            return half, ai.health()

    half, down = virtually(main())
    assert (half["status"], down["status"]) == ("degraded", "down")
    assert half["circuit_breaker"]["recovery_in_seconds"] > 170
    assert [target["available"] for target in down["targets"]] == [False, False, True]


def test_an_answer_after_closing_still_tells_its_state():
    provider = Scripted(hangs())

    async def main():
        ai = failsoft(provider, settings=routes(support=(HAIKU,)))
        async with ai:
            return await ai.ask("Hi", route="support", timeout=1)

    assert virtually(main()).circuit_state == "closed"
