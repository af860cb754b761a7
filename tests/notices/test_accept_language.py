"""Choosing a language from a header."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failsoft.notices import Catalogue
from failsoft.notices.catalogue import best_language, nearest

AVAILABLE = ("en", "es", "de", "zh", "zh-hant", "pt-br")


@pytest.mark.parametrize(
    ("header", "chosen"),
    [
        ("es", "es"),
        ("ES", "es"),
        ("es-MX", "es"),
        ("es-MX,es;q=0.9,en;q=0.8", "es"),
        ("en;q=0.8, de", "de"),
        ("en;q=0.8,de;q=0.9", "de"),
        ("de;q=0.5,es;q=0.5", "de"),
        ("fr, de;q=0.1", "de"),
        ("zh-Hant-TW", "zh-hant"),
        ("zh-Hans-CN", "zh"),
        ("pt-BR", "pt-br"),
        ("pt-PT", None),
        ("de;q=0, es;q=0.1", "es"),
        ("es-MX, es;q=0, de;q=0.2", "de"),
        ("de ; q=0.3 , es\t;\tq=0.4", "es"),
        ("*", None),
        ("*;q=0.5, de;q=0.1", "de"),
        ("", None),
        ("de;q=2, es", "es"),
        ("de;q=0.1234, es;q=0.1", "es"),
        ("de;q=-1", None),
        ("de;level=1", None),
        (";q=1,,,de", "de"),
        ("d\u00e9, \u0664, es", "es"),
        ("es" + "-a" * 5000, None),
        ("fr," * 1000 + "de", None),
    ],
)
def test_the_best_available_language(header, chosen):
    assert best_language(header, AVAILABLE) == chosen


def test_a_range_that_the_limit_cuts_is_not_half_read():
    header = "fr," * 332 + "q,enx"
    assert header[:1000].endswith(",en")
    assert best_language(header, AVAILABLE) is None


@given(st.text(max_size=3000))
def test_no_header_raises(header):
    assert best_language(header, AVAILABLE) in (*AVAILABLE, None)


@given(st.text(alphabet="desn-*;q=01. ,\t", max_size=200))
def test_no_header_that_is_nearly_right_raises(header):
    assert best_language(header, AVAILABLE) in (*AVAILABLE, None)


@given(
    st.lists(
        st.tuples(st.sampled_from(AVAILABLE), st.integers(1, 1000)),
        min_size=1,
        max_size=6,
        unique_by=lambda each: each[0],
    )
)
def test_the_highest_quality_wins_and_the_first_of_equals(ranges):
    header = ", ".join(f"{tag};q={quality / 1000:.3f}" for tag, quality in ranges)
    best = max(quality for _, quality in ranges)
    assert best_language(header, AVAILABLE) == next(t for t, q in ranges if q == best)


@given(st.text(max_size=3000))
def test_nearest_takes_anything(tag):
    assert nearest(tag, AVAILABLE) in (*AVAILABLE, None)


def test_the_catalogue_falls_back_to_the_default_then_to_english(catalogue):
    assert catalogue.choose(None) == "en"
    assert catalogue.choose("xx-YY", default="also-unknown") == "en"
    assert catalogue.choose("en-GB;q=0.1, xx") == "en"


def test_the_catalogue_chooses_among_its_files(write):
    loaded = Catalogue.load(write("nl.toml", ""))
    assert loaded.choose("nl-BE, en;q=0.5") == "nl"
    assert loaded.choose("pt", default="nl-BE") == "nl"
    assert loaded.notice("saved", locale="nl_BE").locale == "nl"


@pytest.mark.parametrize(
    ("header", "chosen"),
    [
        ("ja-JP,ja;q=0.9,en-US;q=0.8,en;q=0.7", "ja"),
        ("fr-CA,fr;q=0.8,en;q=0.5", "fr"),
        ("de-CH-1996, en;q=0.1", "de"),
        ("es-419,es;q=0.9", "es"),
        ("ar-EG,ar;q=0.9,en;q=0.8", "ar"),
        ("ko, ja;q=0.9", "ja"),
        ("ko", "en"),
    ],
)
def test_browsers_get_the_languages_that_ship(catalogue, header, chosen):
    assert catalogue.choose(header) == chosen
