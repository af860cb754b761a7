"""What is in force can be shown, and the documentation says what the code does."""

from pathlib import Path

import pytest

from failsoft.config.loading import load_settings
from failsoft.config.names import known_settings
from failsoft.config.show import reference, rows

SECRET = "sk-ant-planted-0123456789"
DOCS = Path(__file__).parents[2] / "docs" / "configuration.md"
BEGIN, END = "<!-- settings: begin -->\n", "<!-- settings: end -->\n"


@pytest.fixture
def shown(toml) -> dict[str, tuple[str, str]]:
    toml(
        'links.help = "http://a"\n[targets."anthropic/a"]\naccount = "b"\n'
        "[routes.support]\nallowed_models = ['a', 'b']\n[routes.plain]\n"
    )
    loaded = load_settings(
        environ={"ANTHROPIC_API_KEY": SECRET, "FAILSOFT_API_KEYS": SECRET},
        overrides={"server.insecure": True},
    )
    return {row.name: (row.value, row.origin) for row in rows(loaded)}


def test_every_setting_has_a_row_with_value_and_origin(shown):
    assert set(shown) >= {known.name for known in known_settings()}
    assert shown["deadline_seconds"] == ("60", "default")
    assert shown["chain"][0].startswith("anthropic/claude-opus-5-5, anthropic/")
    assert shown["links.help"] == ("http://a", "failsoft.toml")
    assert shown["links.support"] == ("not set", "default")
    assert shown["server.insecure"] == ("true", "argument")
    assert shown['targets."anthropic/a".account'] == ("b", "failsoft.toml")
    assert shown['targets."anthropic/a".context_window'] == ("not set", "default")
    assert shown["routes.support.allowed_models"] == ("a, b", "failsoft.toml")
    assert shown["routes.plain.allowed_models"] == ("not set", "default")


def test_a_secret_is_shown_only_as_set(shown):
    assert shown["anthropic.api_key"] == ("set, not shown", "ANTHROPIC_API_KEY")
    assert shown["anthropic.auth_token"] == ("not set", "default")
    assert shown["api_keys"] == ("set, not shown", "FAILSOFT_API_KEYS")
    assert SECRET not in repr(shown)


def test_the_documentation_holds_the_reference_that_the_code_writes():
    documented = DOCS.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    assert documented.strip() == reference().strip(), "run scripts/generated_docs.py"


def test_the_reference_names_every_variable_and_every_default():
    tables = reference()
    for known in known_settings():
        assert f"`{known.variable}`" in tables
    assert "| `port` | 8787 | a whole number from 0 to 65535 |" in tables
    assert "a number from 0 to 86400, at most `max_delay_seconds`" in tables
    assert "| `limit_group` | not set | text on one line |" in tables
    assert "### [routes.support]" in tables
    assert "all | only in the file |" in tables
