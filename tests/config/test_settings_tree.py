"""The tree refuses what is not allowed at construction, and names it."""

import pickle
from dataclasses import FrozenInstanceError, fields, replace
from math import inf, nan

import pytest

from failsoft.config.names import known_settings, lookup
from failsoft.config.settings import (
    BreakerSettings,
    LinkSettings,
    ProviderSettings,
    RetrySettings,
    RouteSettings,
    ServerSettings,
    Settings,
    TargetSettings,
    TimerSettings,
)
from failsoft.errors import SettingError

SECRET = "sk-ant-planted-0123456789"


@pytest.mark.parametrize("value", ["60", None, True, nan, inf, -inf, -1, 0, 86_401, 10**400, [60]])
def test_a_number_is_a_finite_number_in_range(value):
    with pytest.raises(SettingError) as caught:
        Settings(deadline_seconds=value)
    assert caught.value.setting == "deadline_seconds"
    assert "must be a number from 0.05 to 86400; it is " in caught.value.problem
    assert str(caught.value).count("\n") == 0


@pytest.mark.parametrize("value", ["5", 5.0, True, None, 0, -1, 10**400])
def test_a_whole_number_is_a_whole_number_in_range(value):
    with pytest.raises(SettingError, match=r"a whole number from 1 to 1000000"):
        BreakerSettings(failure_threshold=value)


def test_a_whole_number_is_kept_as_the_number_it_is_declared():
    kept = Settings(deadline_seconds=5).deadline_seconds
    assert (type(kept), kept) == (float, 5.0)


@pytest.mark.parametrize("value", ["true", 1, 0, None])
def test_a_switch_is_true_or_false(value):
    with pytest.raises(SettingError, match=r"server\.insecure: must be true or false; it is "):
        ServerSettings(insecure=value)


@pytest.mark.parametrize("value", ["", "FULL", "half", None, 3, ["full"]])
def test_a_choice_lists_what_is_allowed(value):
    with pytest.raises(SettingError, match=r"retry\.jitter: must be full or quarter; it is "):
        RetrySettings(jitter=value)


@pytest.mark.parametrize(
    ("chain", "said"),
    [
        ((), "it is empty"),
        (("claude opus",), "entry 1 is 'anthropic/claude opus'"),
        (("a", "anthropic/a"), "entry 2 is 'anthropic/a' again"),
        (("anthropic/a", ""), "entry 2 is ''"),
        (("anthropic/a", "/a"), "entry 2 is '/a'"),
        (("anthropic/",), "entry 1 is 'anthropic/'"),
        (("anthropic/a b",), "entry 1 is 'anthropic/a b'"),
        (("anthropic/a\n",), r"entry 1 is 'anthropic/a\n'"),
        (("anthropic/a", "anthropic/b", "anthropic/a"), "entry 3 is 'anthropic/a' again"),
        ("anthropic/a", "it is 'anthropic/a'"),
        ((5,), "it is (5,)"),
    ],
)
def test_a_chain_says_which_entry_is_wrong(chain, said):
    with pytest.raises(SettingError) as caught:
        Settings(chain=chain)
    assert str(caught.value) == (
        f"chain: must be a list of models, as name or provider/model, "
        f"at least one and each once; {said}"
    )


def test_a_model_may_hold_slashes_and_a_list_is_kept_as_a_tuple():
    assert Settings(chain=["gateway/anthropic/claude"]).chain == ("gateway/anthropic/claude",)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ((SECRET, ""), "entry 2 is empty"),
        ((f":{SECRET}",), "entry 1 is malformed"),
        ((f"{SECRET}:",), "entry 1 is malformed"),
        ((f"acme:{SECRET} ",), "entry 1 is malformed"),
        ((f"ac me:{SECRET}",), "entry 1 is malformed"),
        ((f"{SECRET}ä",), "entry 1 is malformed"),
        ((SECRET, f"acme:{SECRET}"), "entry 2 has the key of an earlier one"),
        (SECRET, "it is not shown"),
        ((SECRET, 5), "it is not shown"),
    ],
)
def test_a_wrong_key_of_the_service_is_never_shown(keys, said):
    with pytest.raises(SettingError) as caught:
        Settings(api_keys=keys)
    assert said in str(caught.value)
    assert SECRET not in repr(caught.value)
    assert caught.value.__context__ is None


def test_a_tenant_may_have_two_keys_while_it_rotates_them():
    assert len(Settings(api_keys=("acme:one", "acme:two", "three")).api_keys) == 3


@pytest.mark.parametrize("value", ["", " ", f"{SECRET}\n", f"{SECRET} x", "ключ", 5])
def test_a_provider_key_is_one_printable_word_and_never_shown(value):
    with pytest.raises(SettingError) as caught:
        ProviderSettings(api_key=value)
    assert str(caught.value) == (
        "anthropic.api_key: must be printable ASCII without spaces; it is not shown"
    )


def test_secrets_stay_out_of_repr():
    settings = Settings(
        api_keys=(f"acme:{SECRET}",),
        anthropic=ProviderSettings(api_key=SECRET, auth_token=SECRET),
    )
    assert SECRET not in repr(settings)
    assert SECRET not in f"{settings.anthropic}"


@pytest.mark.parametrize(
    "value",
    [
        "",
        "api.anthropic.com",
        "ftp://api.anthropic.com",
        "javascript:alert(1)",
        "http://",
        "http://:80",
        "http://a:0",
        "http://a:99999",
        "http://a:b",
        "http://[::1",
        "http://a b/",
        "http://a\t/",
        "mailto:a@b.c",
        None,
        5,
    ],
)
def test_an_address_is_one_of_the_web(value):
    with pytest.raises(SettingError, match=r"anthropic\.base_url: must be an http:// or https://"):
        ProviderSettings(base_url=value)


@pytest.mark.parametrize("value", ["http://127.0.0.1:8788", "https://a.b/c?d=e", "http://[::1]:1"])
def test_addresses_of_the_web_are_taken(value):
    assert ProviderSettings(base_url=value).base_url == value


@pytest.mark.parametrize("value", [f"https://me:{SECRET}@a.b", f"htp://me:{SECRET}@a.b"])
def test_an_address_with_a_password_is_refused_and_not_shown(value):
    with pytest.raises(SettingError, match="may hold a password") as caught:
        ProviderSettings(base_url=value)
    assert SECRET not in str(caught.value)


def test_only_support_may_be_a_mailbox():
    assert LinkSettings(support="mailto:help@example.com").support == "mailto:help@example.com"
    with pytest.raises(SettingError, match="or mailto:"):
        LinkSettings(support="help@example.com")
    with pytest.raises(SettingError, match=r"links\.help"):
        LinkSettings(help="mailto:help@example.com")


@pytest.mark.parametrize("value", ["", "english", "../secrets", "de/", "en.toml"])
def test_a_locale_is_a_language_tag_and_never_a_path(value):
    with pytest.raises(SettingError, match="locale: must be a language tag such as en or de-AT"):
        Settings(locale=value)


@pytest.mark.parametrize("value", ["", "a b", "127.0.0.1/x", "http://localhost"])
def test_a_host_is_a_name_or_an_address(value):
    with pytest.raises(SettingError, match=r"server\.host"):
        ServerSettings(host=value)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (
            lambda: RetrySettings(base_delay_seconds=90),
            "retry.base_delay_seconds: must be at most retry.max_delay_seconds, 60; it is 90",
        ),
        (
            lambda: RetrySettings(park_seconds=7200),
            "retry.park_seconds: must be at most retry.park_max_seconds, 3600; it is 7200",
        ),
        (
            lambda: RetrySettings(bench_max_seconds=20),
            (
                "retry.rate_limit_default_seconds: must be at most retry.bench_max_seconds, 20; "
                "it is 30"
            ),
        ),
        (
            lambda: BreakerSettings(recovery="classic"),
            "breaker.recovery: must be adaptive or fixed; it is 'classic'",
        ),
        (
            lambda: TimerSettings(first_content_seconds=2),
            (
                "timers.first_content_min_seconds: must be at most "
                "timers.first_content_seconds, 2; it is 3"
            ),
        ),
    ],
)
def test_settings_that_bound_each_other_are_compared(make, said):
    with pytest.raises(SettingError) as caught:
        make()
    assert str(caught.value) == said


def test_a_target_is_named_as_in_a_chain():
    with pytest.raises(SettingError, match="targets: must be named provider/model; 'opus' is not"):
        Settings(targets={"opus": TargetSettings()})


@pytest.mark.parametrize("name", ["", "a b", "a.b", "ä", "a\n", "a" * 65])
def test_a_route_has_a_plain_name(name):
    with pytest.raises(SettingError, match="routes: must be named with 1 to 64 letters, digits"):
        Settings(routes={name: RouteSettings()})


@pytest.mark.parametrize("models", [(), ("",), ("a b",), ("a,b",), ("a\n",), "a", (5,), ("a", "a")])
def test_allowed_models_are_names_of_models(models):
    with pytest.raises(SettingError, match=r"routes\.allowed_models: must be a list of models"):
        RouteSettings(allowed_models=models)


@pytest.mark.parametrize(("deadline", "stream", "seconds"), [(60, 30, 30), (10, 30, 10)])
def test_the_deadline_caps_that_of_a_stream_and_leaves_what_was_set(deadline, stream, seconds):
    settings = Settings(deadline_seconds=deadline, stream_deadline_seconds=stream)
    assert settings.effective_stream_deadline_seconds == seconds
    assert settings.stream_deadline_seconds == stream


def test_the_tree_is_frozen_copied_with_changes_and_pickled():
    settings = Settings(anthropic=ProviderSettings(api_key=SECRET))
    with pytest.raises(FrozenInstanceError):
        settings.deadline_seconds = 1  # type: ignore[misc]
    with pytest.raises(SettingError):
        replace(settings, deadline_seconds=-1)
    assert pickle.loads(pickle.dumps(settings)) == settings


def test_every_field_of_every_section_is_a_documented_setting():
    known = list(known_settings())
    sections = {type(getattr(Settings(), one.place[0])) for one in known if len(one.place) == 2}
    at_the_top = [one for one in fields(Settings) if "spec" in one.metadata]
    in_sections = sum(len(fields(kind)) for kind in sections)
    assert len(known) == len(at_the_top) + in_sections
    assert all(one.spec.doc for one in known)
    assert all(one.spec.check(one.name, one.default) == one.default for one in known)
    assert len({one.variable for one in known}) == len(known)


def test_lookup_finds_what_exists_and_nothing_else():
    found = lookup(("targets", "anthropic/claude-opus-5-5", "account"))
    assert found is not None
    assert found.name == 'targets."anthropic/claude-opus-5-5".account'
    for place in [("breaker",), ("breaker", "x"), ("targets",), ("targets", "a"), ("a", "b", "c")]:
        assert lookup(place) is None
