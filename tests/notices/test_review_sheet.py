"""The sheet to read aloud."""

import pytest

from failsoft.notices.review import review


@pytest.mark.parametrize("locale", ["en", "es", "de", "fr", "ja", "ar"])
def test_the_sheet_has_every_notice_with_boxes_nobody_has_ticked(catalogue, locale):
    sheet = review(catalogue, locale)
    assert [line[3:] for line in sheet.splitlines() if line.startswith("## ")] == list(
        catalogue.keys
    )
    assert sheet.count("- [ ]") == 3 * len(catalogue.keys)
    assert "[x]" not in sheet.lower()
    for key in catalogue.keys:
        notice = catalogue.notice(key, locale=locale, seconds=120, age_seconds=3 * 3600)
        assert notice.title in sheet
        assert notice.body in sheet
    assert "{" not in sheet


def test_a_region_is_read_in_its_language(catalogue):
    assert review(catalogue, "en-GB") == review(catalogue, "en")
