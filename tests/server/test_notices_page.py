"""The page for writers: every notice in every language, and nothing but text in them."""

import re
import sys
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import pytest
from server_kit import FakeProvider, assistant, call
from starlette.applications import Starlette
from starlette.routing import Route

from failsoft.notices import Catalogue
from failsoft.server.middleware import endpoint
from failsoft.server.playground.notices_page import Html, NoticesPage, element
from failsoft.server.service import Service

PATH = "/playground/notices"
CSS = Path(__file__).parents[2] / "web" / "playground" / "notices.css"
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&lt;</p></article>"
SHOWN = Catalogue.load()


@dataclass
class Page(HTMLParser):
    """What a browser would make of it."""

    html: str
    tags: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    open: list[str] = field(default_factory=list)

    def __post_init__(self):
        super().__init__()
        self.feed(self.html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in ("meta", "link"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)

    def of(self, tag, **attributes):
        return [a for t, a in self.tags if t == tag and attributes.items() <= a.items()]


def mounted(**changes):
    ai = assistant(FakeProvider(("Hi.",)), **changes)
    run = endpoint(NoticesPage(ai).show, service=Service.of(ai))
    return Starlette(routes=[Route(PATH, run, methods=["GET"])])


async def visit(query="", **changes):
    reply = await call(mounted(**changes), f"{PATH}{query}", method="GET")
    return reply, Page(reply.body.decode())


async def test_every_notice_is_there_in_every_language():
    reply, page = await visit()
    assert (reply.status, reply.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert [a["id"] for a in page.of("section") if "id" in a] == list(SHOWN.keys)
    assert len(page.of("article")) == (len(SHOWN.keys) + 1) * len(SHOWN.locales)
    for locale in SHOWN.locales:
        for key in SHOWN.keys:
            notice = SHOWN.notice(key, locale=locale, seconds=120, age_seconds=3 * 3600)
            assert {notice.title, notice.body, notice.primary_action_label} <= set(page.texts)
    assert page.texts.count("Nothing wrong") == len(page.of("article"))


async def test_arabic_is_set_from_right_to_left_and_what_the_check_says_is_not():
    _, page = await visit("?locale=ar-EG")
    assert page.of("html") == [{"lang": "en"}]
    assert len(page.of("div", lang="ar", dir="rtl")) == len(SHOWN.keys) + 1
    assert not page.of("div", dir="ltr")
    assert "ثانيتين" in page.texts
    assert page.of("a", href="?locale=ar") == [{"href": "?locale=ar", "aria-current": "page"}]


async def test_a_language_that_is_not_there_is_told():
    reply, page = await visit("?locale=%3Cb%3E")
    assert reply.status == 404
    assert "There are no notices in “<b>”." in page.texts
    assert not page.of("article")
    assert len(page.of("a")) == len(SHOWN.locales) + 1


async def test_a_browser_may_run_nothing_and_ask_nobody_else():
    reply, page = await visit()
    policy = reply.headers["content-security-policy"].split("; ")
    assert policy[0] == "default-src 'none'"
    assert "style-src 'self'" in policy
    assert {"base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"} <= set(policy)
    assert "script" not in reply.headers["content-security-policy"]
    assert not page.of("script") + page.of("style") + page.of("form")
    assert not [a for _, a in page.tags if "style" in a or any(name[:2] == "on" for name in a)]
    assert {a["href"] for a in page.of("link")} == {"data:,", "../web/playground/notices.css"}
    assert not re.search(r"url\(|@import|https?:", CSS.read_text("utf-8"))


async def test_every_class_has_its_style():
    _, page = await visit()
    classes = {a["class"] for _, a in page.tags if "class" in a} | {"wrong", "skipped"}
    styled = set(re.findall(r"\.([a-z]+)", re.sub(r"\{[^}]*\}", "", CSS.read_text("utf-8"))))
    assert classes - {"info"} <= styled


@pytest.mark.parametrize("name", ["title", "happened", "action_label"])
async def test_hostile_words_are_only_words(tmp_path, name):
    text = f"""[notices.minimal]\n{name} = '''{HOSTILE} '''"""
    (tmp_path / "de.toml").write_text(text, "utf-8")
    _, page = await visit("?locale=de", notices_dir=str(tmp_path))
    assert not page.of("script") + page.of("img")
    assert HOSTILE in "".join(page.texts)


async def test_hostile_names_and_durations_are_only_words(tmp_path):
    text = f"""[language]\nname = '''{HOSTILE}'''\nsentence_space = " "
    [actions]\nhelp = {{ text = '''{HOSTILE}''' }}\n["<b>"]\n'<i x="1">' = 1"""
    (tmp_path / "nl.toml").write_text(text, "utf-8")
    _, page = await visit(notices_dir=str(tmp_path))
    assert not page.of("script") + page.of("img") + page.of("i")
    assert '<b>.<i x="1">' in "".join(page.texts)


async def test_what_is_wrong_stands_beside_its_notice(tmp_path):
    text = '[notices.minimal]\ntitle = "Fehler 529"\n[actions.help]\ntext = "Der Server"'
    (tmp_path / "de.toml").write_text(text, "utf-8")
    _, page = await visit(notices_dir=str(tmp_path))
    told = "title: has a status code: '529'; say it in everyday words"
    assert page.texts.index("Fehler 529") < page.texts.index(told)
    assert page.texts.index(told) < page.texts.index("duplicate_joined", page.texts.index(told))
    assert "actions.help.text: has jargon: 'Server'; say it in everyday words" in page.texts
    assert " 2 wrong" in page.texts
    assert len(page.of("ul", **{"class": "wrong"})) == 2


async def test_a_change_is_seen_at_the_next_visit_and_a_broken_file_is_told(tmp_path):
    app = mounted(notices_dir=str(tmp_path))
    for title in ("Eins", "Zwei"):
        (tmp_path / "de.toml").write_text(f'[notices.minimal]\ntitle = "{title}"', "utf-8")
        reply = await call(app, f"{PATH}?locale=de", method="GET")
        assert title in Page(reply.body.decode()).texts
    (tmp_path / "de.toml").write_text("[<b>", "utf-8")
    reply = await call(app, f"{PATH}?locale=de", method="GET")
    page = Page(reply.body.decode())
    (told,) = (text for text in page.texts if "before its change" in text)
    assert "de.toml: is not TOML" in told
    assert reply.status == 200
    assert len(page.of("article")) == len(SHOWN.keys) + 1


async def test_a_check_that_could_not_be_made_is_no_fault(monkeypatch):
    monkeypatch.setitem(sys.modules, "textstat", None)
    _, page = await visit("?locale=en")
    assert any(text.startswith("body: the reading grade was not measured") for text in page.texts)
    assert len(page.of("ul", **{"class": "skipped"})) == 1
    assert not [text for text in page.texts if text.endswith(" wrong") and text[1:2].isdigit()]


def test_an_element_escapes_what_is_not_markup():
    inner = element("b", "<&>")
    made = element("p", inner, '"<', class_='x" onclick="y', lang="")
    assert made == '<p class="x&quot; onclick=&quot;y"><b>&lt;&amp;&gt;</b>&quot;&lt;</p>'
    assert isinstance(made, Html)
