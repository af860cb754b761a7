"""Arguments that cannot hold are refused by name, before anything is called."""

import asyncio

import pytest
from engine_kit import Scripted, failsoft, says, virtually

from failsoft import Failsoft, SettingError, Settings

OPUS, SONNET = "claude-opus-5-5", "claude-sonnet-5-5"


@pytest.mark.parametrize(
    "chain", [[OPUS, f"anthropic/{SONNET}"], (f"anthropic/{OPUS}", SONNET)], ids=["list", "tuple"]
)
@pytest.mark.parametrize("where", ["argument", "settings"])
def test_a_chain_names_models_with_and_without_a_provider(chain, where):
    provider = Scripted(default=says("ok"))

    async def main():
        here = where == "argument"
        settings = Settings() if here else Settings(chain=tuple(chain))
        async with Failsoft(
            settings, chain=chain if here else None, providers={"anthropic": provider}
        ) as ai:
            return [target["target"] for target in ai.health()["targets"]]

    assert asyncio.run(main()) == [f"anthropic/{OPUS}", f"anthropic/{SONNET}"]


@pytest.mark.parametrize("chain", [OPUS, f"anthropic/{OPUS}", "", b"x", 7, [7], [None], {OPUS}])
def test_a_chain_that_is_no_list_of_names_is_refused(chain):
    with pytest.raises(SettingError, match="chain: "):
        Failsoft(Settings(), chain=chain)


@pytest.mark.parametrize("settings", [{}, {"chain": [OPUS]}, "failsoft.toml", 0])
def test_settings_that_are_none_are_refused(settings):
    with pytest.raises(SettingError, match=r"must be a failsoft\.Settings; it is "):
        Failsoft(settings)


@pytest.mark.parametrize("message", [None, 7, b"Hi", {"role": "user"}, [None], ["Hi"]])
@pytest.mark.parametrize("way", ["ask", "stream"])
def test_a_message_that_is_none_is_refused(message, way):
    provider = Scripted(default=says("ok"))

    async def main():
        async with failsoft(provider) as ai:
            with pytest.raises(SettingError, match="message: "):
                await getattr(ai, way)(message)

    virtually(main())
    assert provider.calls == []
