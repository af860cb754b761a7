"""Defaults, the file, the environment, arguments: the later wins, and all wrong is told at once."""

import pickle
from pathlib import Path

import pytest

from failsoft.config.loading import ConfigurationError, load_settings
from failsoft.config.presets import PRESETS
from failsoft.config.settings import RouteSettings, Settings, TargetSettings
from failsoft.errors import SettingError

SECRET = "sk-ant-planted-0123456789"
ALLOWED = "must be a number from 0.05 to 86400"

pytestmark = pytest.mark.usefixtures("workdir")


def lines(**call) -> list[str]:
    with pytest.raises(SettingError) as caught:
        load_settings(**{"environ": {}, **call})
    return str(caught.value).splitlines()


def test_nothing_set_gives_the_defaults():
    loaded = load_settings(environ={})
    assert loaded.settings == Settings()
    assert set(loaded.origins.values()) == {"default"}
    assert loaded.warnings == ()


def test_the_later_place_wins_and_each_value_says_where_it_is_from(toml):
    toml("deadline_seconds = 1\nlocale = 'de'\n[server]\nport = 1\nworkers = 1\nhost = '::1'\n")
    loaded = load_settings(
        environ={"FAILSOFT_SERVER_PORT": "2", "FAILSOFT_SERVER_WORKERS": "2"},
        overrides={"server.workers": 3, "server.host": None},
    )
    server = loaded.settings.server
    assert (loaded.settings.deadline_seconds, loaded.settings.locale) == (1.0, "de")
    assert (server.host, server.port, server.workers) == ("::1", 2, 3)
    assert {name: origin for name, origin in loaded.origins.items() if origin != "default"} == {
        "deadline_seconds": "failsoft.toml",
        "locale": "failsoft.toml",
        "server.host": "failsoft.toml",
        "server.port": "FAILSOFT_SERVER_PORT",
        "server.workers": "argument",
    }


def test_a_named_file_takes_the_place_of_the_one_in_the_working_directory(toml, tmp_path):
    toml("locale = 'de'")
    by_variable, by_argument = tmp_path / "v.toml", tmp_path / "a.toml"
    by_variable.write_text("locale = 'fr'")
    by_argument.write_text("locale = 'it'")
    environ = {"FAILSOFT_CONFIG": str(by_variable)}
    assert load_settings(environ=environ).settings.locale == "fr"
    loaded = load_settings(by_argument, environ=environ)
    assert loaded.settings.locale == "it"
    assert loaded.origins["locale"] == str(by_argument)
    assert loaded.warnings == ()


def test_the_process_environment_is_read_unless_another_is_given(monkeypatch):
    monkeypatch.setenv("FAILSOFT_ENV", "dev")
    assert load_settings().settings.env == "dev"
    assert load_settings(environ={}).settings.env == "production"


def test_every_kind_is_read_from_a_variable():
    settings = load_settings(
        environ={
            "FAILSOFT_ENV": "dev",
            "FAILSOFT_DEADLINE_SECONDS": " 12.5 ",
            "FAILSOFT_CHAIN": "anthropic/a, anthropic/b",
            "FAILSOFT_API_KEYS": f"acme:{SECRET},other",
            "FAILSOFT_NOTICES_DIR": "copy",
            "FAILSOFT_BREAKER_FAILURE_THRESHOLD": "5",
            "FAILSOFT_BREAKER_METRICS_ONLY": "Yes",
            "FAILSOFT_SERVER_INSECURE": "0",
            "FAILSOFT_LINKS_SUPPORT": "mailto:help@example.com",
        }
    ).settings
    assert (settings.env, settings.deadline_seconds, settings.notices_dir) == ("dev", 12.5, "copy")
    assert settings.chain == ("anthropic/a", "anthropic/b")
    assert settings.api_keys == (f"acme:{SECRET}", "other")
    assert settings.breaker.failure_threshold == 5
    assert (settings.breaker.metrics_only, settings.server.insecure) == (True, False)
    assert settings.links.support == "mailto:help@example.com"


def test_targets_are_set_in_the_file(toml):
    toml(
        '[targets."anthropic/claude-3.5"]\nlimit_group = "x"\ncontext_window = 200000\n'
        '[targets."anthropic/plain"]\n'
    )
    loaded = load_settings(environ={})
    own = TargetSettings(limit_group="x", context_window=200_000)
    assert loaded.settings.targets == {
        "anthropic/claude-3.5": own,
        "anthropic/plain": TargetSettings(),
    }
    assert loaded.origins['targets."anthropic/claude-3.5".limit_group'] == "failsoft.toml"


def test_routes_are_set_in_the_file_and_one_without_settings_is_there(toml):
    toml('[routes.support]\nallowed_models = ["claude-haiku-5-5", "mine/a"]\n[routes.plain]\n')
    loaded = load_settings(environ={})
    assert loaded.settings.routes == {
        "support": RouteSettings(allowed_models=("claude-haiku-5-5", "mine/a")),
        "plain": RouteSettings(),
    }
    assert loaded.origins["routes.support.allowed_models"] == "failsoft.toml"


def test_what_is_wrong_with_routes_is_told_with_what_is_allowed(toml):
    toml(
        "routes.all = 5\n[routes.support]\nallowed_models = []\nmodels = ['a']\n"
        "[routes.'a b']\n[routes.twice]\nallowed_models = ['a', 'a']\n"
    )
    allowed = "must be a list of models, as name or provider/model, at least one and each once"
    assert lines() == [
        "routes.all: is a section: write [routes.all] and its settings below it (failsoft.toml)",
        f"routes.support.allowed_models: {allowed}; it is empty (failsoft.toml)",
        (
            "routes.support.models: is not a setting; did you mean "
            "routes.support.allowed_models? (failsoft.toml)"
        ),
        f"routes.twice.allowed_models: {allowed}; entry 2 is 'a' again (failsoft.toml)",
        (
            'routes."a b": must be named with 1 to 64 letters, digits, - and _, as in '
            "[routes.support] (failsoft.toml)"
        ),
    ]


def test_prices_of_a_target_are_numbers_from_zero(toml):
    toml('[targets."mine/a"]\ninput_usd_per_million = 0\noutput_usd_per_million = -1\n')
    assert lines() == [
        (
            'targets."mine/a".output_usd_per_million: must be a number from 0 to 1000000; '
            "it is -1 (failsoft.toml)"
        )
    ]


def test_the_variables_of_the_sdk_are_heard_and_ours_go_before_them(toml):
    toml("[anthropic]\nbase_url = 'http://file'")
    environ = {
        "ANTHROPIC_API_KEY": SECRET,
        "ANTHROPIC_AUTH_TOKEN": "token",
        "ANTHROPIC_BASE_URL": "http://sdk",
    }
    loaded = load_settings(environ=environ)
    anthropic = loaded.settings.anthropic
    assert (anthropic.api_key, anthropic.auth_token) == (SECRET, "token")
    assert anthropic.base_url == "http://sdk"
    assert loaded.origins["anthropic.base_url"] == "ANTHROPIC_BASE_URL"
    ours = load_settings(environ=environ | {"FAILSOFT_ANTHROPIC_API_KEY": "ours"})
    assert ours.settings.anthropic.api_key == "ours"
    assert ours.origins["anthropic.api_key"] == "FAILSOFT_ANTHROPIC_API_KEY"


def test_an_empty_variable_of_the_sdk_is_as_good_as_unset():
    assert load_settings(environ={"ANTHROPIC_API_KEY": ""}).settings.anthropic.api_key is None


@pytest.mark.parametrize("name", ["api_key", "auth_token"])
def test_a_key_of_the_provider_in_the_file_is_refused_and_not_shown(toml, name):
    toml(f"[anthropic]\n{name} = '{SECRET}'")
    assert lines() == [
        (
            f"anthropic.{name}: must not be in a file: set ANTHROPIC_{name.upper()} in the "
            "environment (failsoft.toml)"
        )
    ]


def test_everything_wrong_is_told_at_once_one_line_each(toml):
    known = ", ".join(sorted(PRESETS))
    toml(
        "deadline_secs = 5\nbreaker = 5\n[server]\nport = 'http'\ndeadline_seconds = 5\n"
        "[braker]\n[timers]\nidle_seconds = true\n[retry]\nmax_delay_seconds = 0.5\n"
        '[targets.opus]\naccount = "a"\n[targets."anthropic/a"]\nlimit_grp = "x"\n'
    )
    assert lines(
        environ={
            "FAILSOFT_DEADLINE_SECONDS": "abc",
            "FAILSOFT_STREAM_DEADLINE_SECONDS": "nan",
            "FAILSOFT_API_KEYS": f"{SECRET},,x",
            "FAILSOFT_CHAIN": "opnai/gpt-5,anthropic/a",
            "FAILSOFT_LOCALE": "",
            "ANTHROPIC_API_KEY": f"{SECRET} x",
        },
        overrides={"server.workers": 0, "sever.port": 5},
    ) == [
        "deadline_secs: is not a setting; did you mean deadline_seconds? (failsoft.toml)",
        "breaker: is a section: write [breaker] and its settings below it (failsoft.toml)",
        "server.port: must be a whole number from 0 to 65535; it is 'http' (failsoft.toml)",
        "server.deadline_seconds: is not a setting; did you mean deadline_seconds? (failsoft.toml)",
        "braker: is not a setting; did you mean breaker? (failsoft.toml)",
        f"timers.idle_seconds: {ALLOWED}; it is True (failsoft.toml)",
        (
            'targets."anthropic/a".limit_grp: is not a setting; did you mean '
            'targets."anthropic/a".limit_group? (failsoft.toml)'
        ),
        (
            "anthropic.api_key: must be printable ASCII without spaces; it is not shown "
            "(ANTHROPIC_API_KEY)"
        ),
        (
            "api_keys: must be a list of tenant:key or key in printable ASCII, each key once; "
            "entry 2 is empty (FAILSOFT_API_KEYS)"
        ),
        f"deadline_seconds: {ALLOWED}; it is 'abc' (FAILSOFT_DEADLINE_SECONDS)",
        "locale: is empty: give it a value or unset the variable (FAILSOFT_LOCALE)",
        f"stream_deadline_seconds: {ALLOWED}; it is nan (FAILSOFT_STREAM_DEADLINE_SECONDS)",
        "server.workers: must be a whole number from 1 to 256; it is 0 (argument)",
        "sever.port: is not a setting; did you mean server.port? (argument)",
        (
            f"chain: entry 1 must name a known provider ({known}); it is 'opnai/gpt-5' "
            "(FAILSOFT_CHAIN)"
        ),
        (
            "retry.base_delay_seconds: must be at most retry.max_delay_seconds, 0.5; it is 1 "
            "(failsoft.toml)"
        ),
        (
            'targets.opus: must be named provider/model, as in [targets."provider/model"] '
            "(failsoft.toml)"
        ),
    ]


def test_a_misspelt_section_is_told_with_its_settings(toml):
    toml("[braker]\nprobes = 2")
    assert lines() == [
        "braker.probes: is not a setting; did you mean breaker.probes? (failsoft.toml)"
    ]


def test_a_value_that_is_wrong_in_one_place_is_told_though_a_later_place_wins(toml):
    toml("deadline_seconds = -1")
    assert lines(environ={"FAILSOFT_DEADLINE_SECONDS": "5"}) == [
        f"deadline_seconds: {ALLOWED}; it is -1 (failsoft.toml)"
    ]


def test_a_refused_value_brings_no_second_line_about_its_bound():
    environ = {
        "FAILSOFT_RETRY_BASE_DELAY_SECONDS": "100",
        "FAILSOFT_RETRY_MAX_DELAY_SECONDS": "long",
    }
    (line,) = lines(environ=environ)
    assert line.startswith("retry.max_delay_seconds: ")


def test_values_that_bound_each_other_may_come_from_two_places(toml):
    toml("[retry]\nbase_delay_seconds = 90")
    variable = "FAILSOFT_RETRY_MAX_DELAY_SECONDS"
    assert load_settings(environ={variable: "90"}).settings.retry.base_delay_seconds == 90
    assert lines(environ={variable: "50"}) == [
        (
            "retry.base_delay_seconds: must be at most retry.max_delay_seconds, 50; it is 90 "
            f"(failsoft.toml, {variable})"
        )
    ]


def test_a_chain_may_name_the_providers_that_a_program_brings():
    environ = {"FAILSOFT_CHAIN": "mine/a,anthropic/b"}
    loaded = load_settings(environ=environ, providers=("anthropic", "mine"))
    assert loaded.settings.chain == ("mine/a", "anthropic/b")


def test_a_table_where_a_value_belongs_is_refused(toml):
    toml("[deadline_seconds]\n[chain]\nfirst = 'anthropic/a'")
    assert lines() == [
        f"deadline_seconds: {ALLOWED}; it is {{}} (failsoft.toml)",
        "chain.first: is not a setting; did you mean chain? (failsoft.toml)",
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            b"deadline_seconds = 5\nlocale = = 3",
            "must be TOML: Invalid value (at line 2, column 10)",
        ),
        (b"locale = '\xff'", "must be UTF-8; the byte at 10 is not"),
        (b"a = " + b"[" * 5000 + b"]" * 5000, "must be TOML that is not nested so deeply"),
        (b"a = 1\na = 2", "must be TOML: Cannot overwrite a value (at end of document)"),
    ],
)
def test_a_file_that_is_no_toml_is_told_with_its_place(workdir, content, said):
    (workdir / "failsoft.toml").write_bytes(content)
    assert lines() == [f"config: {said} (failsoft.toml)"]


def test_keys_nested_out_of_all_reason_are_one_line(toml):
    toml(".".join(["a"] * 900) + " = 1\n")
    assert lines() == ["a.a.a: is not a setting (failsoft.toml)"]


def test_a_number_too_long_to_print_is_one_line(toml):
    toml(f"deadline_seconds = 0x{'f' * 5000}")
    assert lines() == [
        f"deadline_seconds: {ALLOWED}; it is a number too long to show (failsoft.toml)"
    ]


def test_a_byte_order_mark_is_no_problem(workdir):
    (workdir / "failsoft.toml").write_bytes(b"\xef\xbb\xbflocale = 'de'")
    assert load_settings(environ={}).settings.locale == "de"


def test_a_named_file_must_exist_and_be_a_file(workdir):
    assert lines(config=Path("none.toml")) == [
        "config: must name a file that exists; none.toml does not (argument)"
    ]
    assert lines(environ={"FAILSOFT_CONFIG": "none.toml"}) == [
        "config: must name a file that exists; none.toml does not (FAILSOFT_CONFIG)"
    ]
    (workdir / "folder").mkdir()
    assert lines(config=Path("folder")) == [
        "config: must be a file that can be read: Is a directory (folder)"
    ]


def test_an_unknown_variable_is_a_warning():
    environ = {
        "FAILSOFT_DEADLINE": "5",
        "FAILSOFT_QQQ": "5",
        "OTHER": "x",
    }
    assert load_settings(environ=environ).warnings == (
        "FAILSOFT_DEADLINE: is not a setting; did you mean FAILSOFT_DEADLINE_SECONDS?",
        "FAILSOFT_QQQ: is not a setting",
    )


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("FAILSOFT_DEDLINE", "FAILSOFT_DEADLINE_SECONDS"),
        ("FAILSOFT_BREAKR_PROBES", "FAILSOFT_BREAKER_PROBES"),
        ("FAILSOFT_BREAKER_PROBS", "FAILSOFT_BREAKER_PROBES"),
        ("FAILSOFT_RETRY_PROBES", "FAILSOFT_BREAKER_PROBES"),
        ("FAILSOFT_CHIAN", "FAILSOFT_CHAIN"),
        ("FAILSOFT_REDIS", "FAILSOFT_REDIS_URL"),
        ("FAILSOFT_BREAKER_TRIP", ""),
    ],
)
def test_the_variable_that_was_meant_is_named_as_the_setting_would_be(variable, meant):
    hint = f"; did you mean {meant}?" if meant else ""
    warnings = load_settings(environ={variable: "5"}).warnings
    assert warnings == (f"{variable}: is not a setting{hint}",)


def test_the_section_that_a_setting_is_in_is_no_likeness(toml):
    toml("[breaker]\ntrip = 3\nprobs = 3\n")
    assert lines() == [
        "breaker.trip: is not a setting (failsoft.toml)",
        "breaker.probs: is not a setting; did you mean breaker.probes? (failsoft.toml)",
    ]


def test_a_warning_stands_with_what_is_wrong():
    with pytest.raises(ConfigurationError) as caught:
        load_settings(environ={"FAILSOFT_ENV": "prod", "FAILSOFT_QQQ": "1"})
    error = pickle.loads(pickle.dumps(caught.value))
    assert error.warnings == ("FAILSOFT_QQQ: is not a setting",)


def test_what_is_loaded_shows_no_secret():
    loaded = load_settings(environ={"ANTHROPIC_API_KEY": SECRET, "FAILSOFT_API_KEYS": SECRET})
    assert SECRET not in repr(loaded)


def test_the_error_keeps_its_parts_and_can_be_pickled():
    with pytest.raises(ConfigurationError) as caught:
        load_settings(environ={"FAILSOFT_ENV": "prod", "FAILSOFT_LOCALE": "?"})
    error = pickle.loads(pickle.dumps(caught.value))
    assert [problem.setting for problem in error.problems] == ["env", "locale"]
    assert (error.setting, str(error)) == ("env", str(caught.value))


@pytest.mark.parametrize("url", ["localhost:6379", "http://localhost", "redis:// cache", ""])
def test_what_is_no_address_of_a_redis_is_refused_without_showing_it(url):
    with pytest.raises(SettingError) as refused:
        Settings(redis_url=url)
    assert str(refused.value) == (
        "redis_url: must be a redis://, rediss:// or unix:// address; it is not shown"
    )
