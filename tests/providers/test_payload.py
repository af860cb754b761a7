"""JSON out and in: no text can make it fail."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failsoft.providers.payload import encode, parse

any_text = st.text(st.sampled_from('aé😀\ud800\udfff\x00\n"\\u{}[1:,'), max_size=12)
values = st.recursive(
    st.none() | st.integers() | any_text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(any_text, inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(any_text, values, max_size=4))
def test_whatever_can_be_json_is_encoded(body: dict[str, object]) -> None:
    decoded = json.loads(encode(body))

    assert json.dumps(decoded, ensure_ascii=False).encode()


def test_a_lone_surrogate_is_replaced_and_the_rest_is_kept() -> None:
    assert encode({"a": "é😀\ud800!"}) == '{"a":"é😀?!"}'.encode()


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_no_number_that_json_does_not_have_is_sent(number: float) -> None:
    with pytest.raises(ValueError):
        encode({"a": [number]})


@given(values)
def test_what_json_can_say_is_parsed_as_the_standard_library_does(value: object) -> None:
    text = json.dumps(value)

    expected = json.loads(json.dumps(json.loads(text), ensure_ascii=False).encode(errors="replace"))
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r'"\ud83d\ude00 \u00e9"', "😀 é"),
        (r'"\ud83d alone, and \uDE00"', "? alone, and ?"),
        (r'{"\ud800": "\\ud800"}', {"?": "\\ud800"}),
        ("  [1]\n", [1]),
    ],
)
def test_escaped_surrogates(text: str, value: object) -> None:
    assert parse(text) == value


@pytest.mark.parametrize(
    "text",
    ["", "{", "[DONE]", "{} {}", "'a'", "[" * 100_000,
     "9" * 5_000, '{"a":' * 50_000],
    ids=lambda text: text[:9],
)  # fmt: skip
def test_what_is_not_json_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):
        parse(text)


def test_what_the_sdk_reads_is_read():
    """A byte order mark, and numbers that JSON does not have."""
    assert parse('\ufeff{"a":1}') == {"a": 1}
    assert parse('{"a":[NaN,Infinity,-Infinity]}') == {"a": [None, None, None]}


@given(any_text)
def test_no_text_raises_anything_else(text: str) -> None:
    try:
        parse(text)
    except ValueError:
        return
    assert parse(text) == json.loads(text)
