"""A token is what the key signed, for as long as it says."""

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failsoft.faults import TokenError, check_token, make_token

KEY = "a key of 16 letters or more"
TOKEN = make_token(KEY, expires_at=1000.9)
FORM = "has not the form"
FORGED = "is not signed with the key"


def test_it_holds_until_it_expires():
    check_token(TOKEN, KEY, now=999.9)
    with pytest.raises(TokenError, match="has expired"):
        check_token(TOKEN, KEY, now=1000.0)


def test_it_is_the_hmac_of_its_purpose_version_expiry_and_tenant():
    digest = hmac.new(KEY.encode(), b"failsoft.simulate:v2.1000.", hashlib.sha256).hexdigest()
    assert f"v2.1000..{digest}" == TOKEN
    assert KEY not in TOKEN


@pytest.mark.parametrize("tenant", ["acme", "a.b-c_d", "é"])
def test_it_is_of_one_tenant(tenant):
    token = make_token(KEY, expires_at=1000, tenant=tenant)
    check_token(token, KEY, now=0.0, tenant=tenant)
    for other in ("", "acm", tenant + "x"):
        with pytest.raises(TokenError, match="another tenant's"):
            check_token(token, KEY, now=0.0, tenant=other)


@pytest.mark.parametrize(
    ("token", "why"),
    [
        (make_token(KEY + "x", expires_at=1000), FORGED),
        (TOKEN.replace("v2.1000", "v2.2000"), FORGED),
        (TOKEN[:-1] + ("0" if TOKEN[-1] != "0" else "1"), FORGED),
        (TOKEN[:-1], FORM),
        (TOKEN.upper(), FORM),
        (TOKEN + "\n", FORM),
        (TOKEN.replace("v2.1000", "v2.\u0661\u0660\u0660\u0660"), FORM),
        ("", FORM),
        ("é", FORM),
    ],
)
def test_nothing_else_is_believed(token, why):
    with pytest.raises(TokenError, match=why):
        check_token(token, KEY, now=0.0)


@given(st.text() | st.binary().map(lambda raw: raw.decode("latin-1")))
def test_no_text_is_too_odd(text):
    with pytest.raises(TokenError):
        check_token(text, KEY, now=0.0)
