"""``failsoft token``: what it prints is let in, for as long as it says."""

from __future__ import annotations

import time

import pytest

from failsoft.faults import TokenError, check_token

KEY = "a-key-of-the-service"


@pytest.mark.parametrize(
    ("valid", "seconds"), [((), 3600), (("--valid", "90s"), 90), (("--valid", "30d"), 30 * 86_400)]
)
def test_it_holds_for_so_long(invoke, valid, seconds):
    before = int(time.time())
    ended = invoke("token", *valid, FAILSOFT_SIMULATE_TOKEN_KEY=KEY)
    token = ended.out.removesuffix("\n")
    assert ended.code == 0
    assert ended.err.startswith("failsoft: valid until 20")
    check_token(token, KEY, now=before + seconds - 1)
    with pytest.raises(TokenError, match="expired"):
        check_token(token, KEY, now=time.time() + seconds + 1)


def test_it_is_of_the_tenant_that_is_named(invoke):
    ended = invoke("token", "--tenant", "acme", FAILSOFT_SIMULATE_TOKEN_KEY=KEY)
    token = ended.out.removesuffix("\n")
    check_token(token, KEY, now=time.time(), tenant="acme")
    with pytest.raises(TokenError, match="another tenant's"):
        check_token(token, KEY, now=time.time())


@pytest.mark.parametrize("valid", ["", "1", "0h", "1.5h", "-1h", "31d", "9999999d", "1 year"])
def test_other_times_are_refused(invoke, valid):
    ended = invoke("token", "--valid", valid, FAILSOFT_SIMULATE_TOKEN_KEY=KEY)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == "failsoft: --valid must be like 90s, 15m, 1h or 7d, at most 30d\n"


def test_a_key_that_is_too_short_is_not_shown(invoke):
    ended = invoke("token", FAILSOFT_SIMULATE_TOKEN_KEY="hunter2")
    assert ended.code == 2
    assert "simulate_token_key: must be 16 or more printable ASCII characters" in ended.err
    assert "hunter2" not in ended.err
    shown = invoke("config", "show", FAILSOFT_SIMULATE_TOKEN_KEY=KEY)
    assert KEY not in shown.out


def test_settings_that_production_refuses(invoke):
    for command in (("config", "check"), ("serve", "--port", "0")):
        ended = invoke(*command, FAILSOFT_SIMULATE_ERROR="overloaded", ANTHROPIC_API_KEY="any")
        assert (ended.code, ended.out) == (2, "")
        assert "simulate_error: would fail real people's requests here" in ended.err
        assert "serving at" not in ended.err
