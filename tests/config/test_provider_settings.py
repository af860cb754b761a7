"""Where the settings of providers come from, and what is wrong among them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from failsoft import Failsoft
from failsoft.config.loading import ConfigurationError, load_settings
from failsoft.config.settings import NamedProviderSettings, RouteSettings, Settings
from failsoft.errors import SettingError

KEYS = {"ANTHROPIC_API_KEY": "sk-a", "AZURE_OPENAI_API_KEY": "k", "GROQ_API_KEY": "k"}
KEYS |= {"GEMINI_API_KEY": "k", "OPENAI_API_KEY": "k"}


def problems(chain: str = "anthropic/m", **environ: str) -> list[str]:
    try:
        load_settings(environ=KEYS | environ, overrides={"chain": [chain]})
    except ConfigurationError as error:
        return [one.setting for one in error.problems]
    return []


@pytest.mark.parametrize(
    ("provider", "variable", "given", "address"),
    [
        ("ollama", "OLLAMA_HOST", "localhost", "http://localhost:11434/v1"),
        ("ollama", "OLLAMA_HOST", ":11435", "http://127.0.0.1:11435/v1"),
        ("ollama", "OLLAMA_HOST", "0.0.0.0", "http://0.0.0.0:11434/v1"),
        ("ollama", "OLLAMA_HOST", "[::1]", "http://[::1]:11434/v1"),
        ("ollama", "OLLAMA_HOST", "v1", "http://v1:11434/v1"),
        ("ollama", "OLLAMA_HOST", "http://box", "http://box/v1"),
        ("ollama", "OLLAMA_HOST", "https://box/v1/", "https://box/v1"),
        ("azure", "AZURE_OPENAI_ENDPOINT", "https://r.example", "https://r.example/openai/v1"),
        (
            "azure",
            "AZURE_OPENAI_ENDPOINT",
            "https://r.example/openai/",
            "https://r.example/openai/v1",
        ),
        ("azure", "AZURE_OPENAI_ENDPOINT", "https://openai", "https://openai/openai/v1"),
        ("gemini", "GOOGLE_GEMINI_BASE_URL", "https://g/v1beta", "https://g/v1beta/openai"),
        ("groq", "GROQ_BASE_URL", "https://g/openai/v1", "https://g/openai/v1"),
    ],
)
def test_an_address_may_have_its_path_or_a_part_of_it(
    provider: str, variable: str, given: str, address: str
) -> None:
    environ, chain = KEYS | {variable: given}, {"chain": [f"{provider}/m"]}
    loaded = load_settings(environ=environ, overrides=chain)

    assert loaded.settings.providers[provider].base_url == address


@pytest.mark.parametrize(
    ("provider", "variable", "given"),
    [
        # A key would be sent in the clear.
        ("azure", "AZURE_OPENAI_ENDPOINT", "r.openai.azure.com"),
        ("azure", "AZURE_OPENAI_ENDPOINT", "https://r/openai/v1/chat?api-version=1"),
        ("openai", "OPENAI_BASE_URL", "https://r/v1/chat/completions"),
        ("openai", "OPENAI_BASE_URL", "https://r/v1?key=1"),
        ("ollama", "OLLAMA_HOST", "box:99999"),
    ],
)
def test_a_wrong_address_is_a_mistake_only_where_it_is_used(
    provider: str, variable: str, given: str
) -> None:
    assert problems(f"{provider}/m", **{variable: given}) == [f"providers.{provider}.base_url"]
    assert problems(**{variable: given}) == []


@pytest.mark.parametrize("variable", ["AWS_REGION", "GOOGLE_CLOUD_PROJECT", "OLLAMA_HOST"])
def test_what_is_set_for_other_programs_is_no_mistake(variable: str) -> None:
    assert problems(**{variable: "a:b c"}) == []


@pytest.mark.parametrize("section", ['preset = "opneai"', ""])
def test_a_provider_that_is_wrong_is_one_line(toml: Callable[[str], Path], section: str) -> None:
    path = toml(f'chain = ["mine/m"]\n[providers.mine]\n{section}')

    with pytest.raises(ConfigurationError) as caught:
        load_settings(path, environ=KEYS)

    assert len(caught.value.problems) == 1


@pytest.mark.parametrize("field", ["region", "project"])
def test_a_place_is_only_of_clouds(toml: Callable[[str], Path], field: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"^providers\.openai\.{field}"):
        load_settings(toml(f'[providers.openai]\n{field} = "eu"'), environ=KEYS)


@pytest.mark.parametrize("cloud", ["bedrock", "vertex"])
def test_a_cloud_at_an_address_of_ones_own_needs_its_region(cloud: str) -> None:
    own = NamedProviderSettings(base_url="http://127.0.0.1:1")

    with pytest.raises(SettingError, match=rf"^providers\.{cloud}\.region"):
        Failsoft(Settings(chain=(f"{cloud}/m",), providers={cloud: own}))


def test_a_route_that_allows_a_provider_that_is_none_is_a_mistake() -> None:
    route = RouteSettings(allowed_providers=("anthropic", "opnai"))

    with pytest.raises(SettingError, match=r"^routes\.a\.allowed_providers.*'opnai'"):
        Failsoft(Settings(routes={"a": route}))
