"""``[providers.…]``, and the variables that each service's own SDK reads."""

import pytest

from failsoft.config.loading import ConfigurationError, load_settings
from failsoft.config.presets import PRESETS
from failsoft.config.services import Endpoint, service_of
from failsoft.config.settings import NamedProviderSettings, Settings
from failsoft.errors import SettingError
from failsoft.providers.models import target_for
from failsoft.providers.wires import wire_for

pytestmark = pytest.mark.usefixtures("workdir")

OWN = '[providers.mine]\nprotocol = "openai"\nbase_url = "http://127.0.0.1:9/v1"\n'


def service(name: str, **environ: str) -> Endpoint:
    return service_of(
        name, load_settings(environ={"FAILSOFT_CHAIN": f"{name}/m", **environ}).settings
    )


def problems(**environ: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(environ=environ)
    return str(caught.value).splitlines()


# What each service's own SDK reads, and the address that it calls with nothing set.
SDKS = {
    "anthropic": ("ANTHROPIC_API_KEY", "https://api.anthropic.com"),
    "openai": ("OPENAI_API_KEY", "https://api.openai.com/v1"),
    "gemini": ("GEMINI_API_KEY", "https://generativelanguage.googleapis.com/v1beta/openai"),
    "groq": ("GROQ_API_KEY", "https://api.groq.com/openai/v1"),
    "mistral": ("MISTRAL_API_KEY", "https://api.mistral.ai/v1"),
    "deepseek": ("DEEPSEEK_API_KEY", "https://api.deepseek.com/v1"),
    "xai": ("XAI_API_KEY", "https://api.x.ai/v1"),
    "openrouter": ("OPENROUTER_API_KEY", "https://openrouter.ai/api/v1"),
    "together": ("TOGETHER_API_KEY", "https://api-inference.together.ai/v1"),
    "fireworks": ("FIREWORKS_API_KEY", "https://api.fireworks.ai/inference/v1"),
    "ollama": ("OLLAMA_API_KEY", "http://127.0.0.1:11434/v1"),
    "vllm": ("VLLM_API_KEY", "http://127.0.0.1:8000/v1"),
}


@pytest.mark.parametrize("name", SDKS)
def test_a_preset_needs_its_key_and_nothing_else(name):
    variable, address = SDKS[name]
    found = service(name, **{variable: "k-planted"})
    assert (found.key, found.base_url, found.is_keyless) == ("k-planted", address, False)


def test_every_preset_is_in_these_tests():
    assert {*SDKS, "azure", "bedrock", "vertex"} == set(PRESETS)


@pytest.mark.parametrize(
    ("name", "variable", "value", "address"),
    [
        ("anthropic", "ANTHROPIC_BASE_URL", "https://gateway/x", "https://gateway/x"),
        ("openai", "OPENAI_BASE_URL", "https://gateway/v1", "https://gateway/v1"),
        ("azure", "AZURE_OPENAI_ENDPOINT", "https://a.azure.com/", "https://a.azure.com/openai/v1"),
        ("gemini", "GOOGLE_GEMINI_BASE_URL", "https://gw", "https://gw/v1beta/openai"),
        ("groq", "GROQ_BASE_URL", "https://gw", "https://gw/openai/v1"),
        ("groq", "GROQ_BASE_URL", "https://gw/openai/v1/", "https://gw/openai/v1"),
        ("together", "TOGETHER_BASE_URL", "https://gw", "https://gw/v1"),
        ("together", "TOGETHER_BASE_URL", "https://gw/v1", "https://gw/v1"),
        ("fireworks", "FIREWORKS_BASE_URL", "https://gw/inference", "https://gw/inference/v1"),
        ("bedrock", "ANTHROPIC_BEDROCK_BASE_URL", "https://gw", "https://gw"),
        ("vertex", "ANTHROPIC_VERTEX_BASE_URL", "https://gw/v1", "https://gw/v1"),
        # As the ollama SDK takes it apart.
        ("ollama", "OLLAMA_HOST", "1.2.3.4", "http://1.2.3.4:11434/v1"),
        ("ollama", "OLLAMA_HOST", ":56789", "http://127.0.0.1:56789/v1"),
        ("ollama", "OLLAMA_HOST", "example.com:56789/path/", "http://example.com:56789/path/v1"),
        ("ollama", "OLLAMA_HOST", "example.com/path", "http://example.com:11434/path/v1"),
        ("ollama", "OLLAMA_HOST", "[::1]", "http://[::1]:11434/v1"),
        ("ollama", "OLLAMA_HOST", "[::1]:5", "http://[::1]:5/v1"),
        ("ollama", "OLLAMA_HOST", "https://example.com", "https://example.com/v1"),
        ("ollama", "OLLAMA_HOST", "http://1.2.3.4", "http://1.2.3.4/v1"),
    ],
)
def test_an_address_is_read_as_the_sdk_reads_it(name, variable, value, address):
    assert service(name, **{variable: value}).base_url == address


@pytest.mark.parametrize(
    ("name", "environ", "address"),
    [
        ("bedrock", {"AWS_REGION": "eu-west-1"}, "https://bedrock-runtime.eu-west-1.amazonaws.com"),
        (
            "bedrock",
            {"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "us-east-1"},
            "https://bedrock-runtime.eu-west-1.amazonaws.com",
        ),
        (
            "vertex",
            {"CLOUD_ML_REGION": "us-east5"},
            "https://us-east5-aiplatform.googleapis.com/v1",
        ),
        ("vertex", {"CLOUD_ML_REGION": "global"}, "https://aiplatform.googleapis.com/v1"),
        ("vertex", {"CLOUD_ML_REGION": "eu"}, "https://aiplatform.eu.rep.googleapis.com/v1"),
    ],
)
def test_the_address_of_a_cloud_follows_from_its_region(name, environ, address):
    found = service(name, **environ)
    assert (found.base_url, found.is_keyless) == (address, False)


def test_a_project_of_vertex_is_that_of_its_sdk_first():
    found = service("vertex", ANTHROPIC_VERTEX_PROJECT_ID="a", GOOGLE_CLOUD_PROJECT="b")
    assert found.project == "a"
    assert service("vertex", GOOGLE_CLOUD_PROJECT="b").project == "b"


@pytest.mark.parametrize(
    ("name", "setting"),
    [
        ("bedrock", r"providers\.bedrock\.region: must be set, here or as AWS_REGION"),
        ("vertex", r"providers\.vertex\.region: must be set, here or as CLOUD_ML_REGION"),
        ("azure", r"providers\.azure\.base_url: must be set, here or as AZURE_OPENAI_ENDPOINT"),
    ],
)
def test_a_service_of_many_addresses_says_what_is_missing(name, setting):
    loaded = load_settings(environ={"FAILSOFT_CHAIN": f"{name}/m", "AZURE_OPENAI_API_KEY": "k"})
    with pytest.raises(SettingError, match=setting):
        wire_for(name, loaded.settings)


# Keys


def test_two_keys_of_one_preset_are_one_line_that_names_both():
    (said,) = problems(FAILSOFT_CHAIN="gemini/m", GOOGLE_API_KEY="a", GEMINI_API_KEY="b")
    assert said == (
        "providers.gemini.api_key: has several keys: set one of GOOGLE_API_KEY, GEMINI_API_KEY, "
        "or name one in api_key_env (GOOGLE_API_KEY, GEMINI_API_KEY)"
    )


def test_the_same_key_twice_is_one_key():
    assert service("gemini", GOOGLE_API_KEY="a", GEMINI_API_KEY="a").key == "a"


def test_one_of_two_keys_can_be_named(toml):
    toml('[providers.gemini]\napi_key_env = "GEMINI_API_KEY"')
    assert service("gemini", GOOGLE_API_KEY="a", GEMINI_API_KEY="b").key == "b"


def test_what_a_provider_outside_the_chain_has_in_the_environment_is_no_mistake():
    environ = {
        "GOOGLE_API_KEY": "a",
        "GEMINI_API_KEY": "b",
        "OPENAI_API_KEY": "two words",
        "OPENAI_BASE_URL": "ftp://x",
        "AWS_REGION": "no region",
    }
    loaded = load_settings(environ=environ)
    assert loaded.warnings == ()
    assert loaded.settings.providers["gemini"].api_key == "a"


def test_and_within_it_each_is_a_line_that_shows_no_key():
    said = problems(
        FAILSOFT_CHAIN="openai/m,bedrock/m",
        OPENAI_API_KEY="two words",
        OPENAI_BASE_URL="api.openai.com",
        AWS_REGION="no region",
    )
    assert [line.partition(":")[0] for line in said] == [
        "providers.bedrock.region",
        "providers.openai.api_key",
        "providers.openai.base_url",
    ]
    assert said[2].endswith("(OPENAI_BASE_URL)")
    assert not any("two words" in line for line in said)


@pytest.mark.parametrize("name", ["openai", "mine"])
def test_a_key_is_never_in_a_file(toml, name):
    toml((OWN if name == "mine" else "[providers.openai]\n") + 'api_key = "sk-planted"\n')
    (line,) = problems()
    assert line.startswith(f"providers.{name}.api_key: must not be in a file: set ")
    assert "planted" not in line


def test_a_key_that_was_named_and_is_not_there_is_told(toml):
    toml(OWN + 'api_key_env = "MY_KEY"\n')
    loaded = load_settings(environ={})
    assert loaded.warnings == ("providers.mine.api_key_env: MY_KEY is not set, so no key is sent",)
    assert load_settings(environ={"MY_KEY": "k"}).warnings == ()


# Names of one's own


def test_a_name_of_ones_own_has_a_protocol_and_an_address(toml):
    toml(f'chain = ["mine/llama"]\n{OWN}')
    settings = load_settings(environ={}).settings
    found = service_of("mine", settings)
    assert (found.base_url, found.preset.protocol) == ("http://127.0.0.1:9/v1", "openai")
    assert (found.key, found.is_keyless) == (None, False)
    assert target_for("mine/llama", settings).host == "127.0.0.1:9"


def test_a_second_account_is_a_preset_with_a_key_of_its_own(toml):
    toml(
        'chain = ["anthropic-eu/m", "anthropic/m"]\n'
        '[providers.anthropic-eu]\npreset = "anthropic"\napi_key_env = "EU_KEY"\n'
        'base_url = "https://eu.example"\n'
    )
    settings = load_settings(environ={"EU_KEY": "eu", "ANTHROPIC_API_KEY": "us"}).settings
    eu, us = (service_of(name, settings) for name in ("anthropic-eu", "anthropic"))
    assert (eu.key, eu.base_url) == ("eu", "https://eu.example")
    assert (us.key, us.base_url) == ("us", "https://api.anthropic.com")
    accounts = {target_for(f"{name}/m", settings).account for name in ("anthropic-eu", "anthropic")}
    assert len(accounts) == 2


def test_an_address_of_the_preset_is_not_that_of_a_second_account(toml):
    toml('chain = ["second/m"]\n[providers.second]\npreset = "openai"\napi_key_env = "SECOND"\n')
    environ = {"SECOND": "k", "OPENAI_BASE_URL": "https://gateway/v1"}
    found = service_of("second", load_settings(environ=environ).settings)
    assert found.base_url == "https://api.openai.com/v1"


def section(**fields: str) -> str:
    return "".join(f'{name} = "{value}"\n' for name, value in fields.items())


LOCAL = "http://127.0.0.1:9/v1"
NO_PRESET = (
    "must have a preset, or a protocol (anthropic or openai) and a base_url; there is no preset "
    f"of that name: {', '.join(PRESETS)}"
)


@pytest.mark.parametrize(
    ("name", "fields", "line"),
    [
        (
            "mine",
            {"protocol": "openai"},
            f"providers.mine: {NO_PRESET}",
        ),
        (
            "opnai",
            {"base_url": LOCAL},
            f"providers.opnai: {NO_PRESET}",
        ),
        ("mine", {"preset": "opnai"}, "providers.mine.preset: must be "),
        ("mine", {"protocol": "grpc", "base_url": LOCAL}, "providers.mine.protocol: must be "),
        (
            "mine",
            {"preset": "openai", "protocol": "openai"},
            "providers.mine.protocol: is that of preset openai already: set one of the two",
        ),
        (
            "openai",
            {"preset": "groq"},
            "providers.openai: is what the preset openai is called: give a service of your own",
        ),
        ("anthropic", {"preset": "anthropic"}, "providers.anthropic: is written as [anthropic]"),
        (
            "mine",
            {"protocol": "anthropic", "base_url": LOCAL},
            "providers.mine.base_url: has /v1/messages added to it: leave that out",
        ),
        ("mine", {"protocol": "openai", "base_url": "x"}, "providers.mine.base_url: must be "),
        (
            "mine",
            {"protocol": "openai", "base_url": LOCAL, "api_key_env": "A B"},
            "providers.mine.api_key_env: must be the name of an environment variable",
        ),
        ("openai", {"base_ulr": LOCAL}, "providers.openai.base_ulr: is not a setting; did you "),
        # What is right by itself and would do nothing.
        ("openai", {"region": "eu"}, "providers.openai.region: is for bedrock and vertex only"),
        ("bedrock", {"project": "p"}, "providers.bedrock.project: is for vertex only"),
        ("vertex", {"api_key_env": "K"}, "providers.vertex.api_key_env: is not for vertex"),
        ("Mine!", {"preset": "openai"}, 'providers."Mine!": must be named '),
    ],
)
def test_what_is_wrong_is_one_line_that_names_the_setting_and_what_is_allowed(
    toml, name, fields, line
):
    toml(f'[providers."{name}"]\n{section(**fields)}')
    (said,) = problems()
    assert said.startswith(line)
    assert said.endswith("(failsoft.toml)")


def test_a_chain_names_what_is_there(toml):
    toml(OWN)
    (line,) = problems(FAILSOFT_CHAIN="mien/m")
    assert line.startswith("chain: entry 1 must name a known provider (anthropic, ")
    assert "mine" in line
    assert line.endswith("it is 'mien/m' (FAILSOFT_CHAIN)")


def test_settings_made_in_python_are_held_to_the_same():
    with pytest.raises(SettingError, match=r"providers\.mine"):
        Settings(providers={"mine": NamedProviderSettings(protocol="openai")})
