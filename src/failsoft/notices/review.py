"""The sheet to read notices aloud from: ``failsoft notices review``."""

from __future__ import annotations

from failsoft.notices.catalogue import Catalogue
from failsoft.notices.notice import Notice

__all__ = ["facts", "review", "sample"]

# A wait and an age to read aloud; any that are a minute or more would do.
_SECONDS = 120.0
_AGE_SECONDS = 3 * 3600.0

_HEAD = """\
# Notices to read aloud: {name} ({locale})

Read each notice to a colleague who is not technical, once, without explaining it. Ask the three
questions. Tick a box only when the answer came at once and in their own words. Write down every
word they stumbled over.

Read by: ____________________  To: ____________________  Date: ____________
"""

_NOTICE = """
## {key}

> **{title}**
> {body}
> [ {label} ]{actions}

({facts})

- [ ] What happened?
- [ ] Is it your fault, do you need to do anything?
- [ ] What do you do now?

Words to change: ________________________________________
"""


def review(catalogue: Catalogue, locale: str) -> str:
    """Every notice of a language as a Markdown sheet with empty boxes to tick by hand."""
    language = catalogue.language(locale)
    sheets = (_sheet(catalogue, key, language.tag) for key in catalogue.keys)
    return _HEAD.format(name=language.name, locale=language.tag) + "".join(sheets)


def sample(catalogue: Catalogue, key: str, locale: str) -> tuple[Notice, tuple[str, ...]]:
    """A notice and all its suggestions as a person might meet them."""
    notice = catalogue.notice(key, locale=locale, seconds=_SECONDS, age_seconds=_AGE_SECONDS)
    links = ("help", "history", "status_page")
    return notice, catalogue.actions(key, locale=locale, seconds=_SECONDS, links=links)


def facts(notice: Notice) -> str:
    """What a notice is apart from its text: how grave, what its button does, what it shows."""
    told = [notice.severity, f"button: {notice.primary_action_type}"]
    if notice.retry_countdown_seconds is not None:
        told.append("counts down")
    if notice.show_status_page_link:
        told.append("links to the status page")
    return ", ".join(told)


def _sheet(catalogue: Catalogue, key: str, locale: str) -> str:
    notice, actions = sample(catalogue, key, locale)
    return _NOTICE.format(
        key=key,
        title=notice.title,
        body=notice.body,
        label=notice.primary_action_label,
        actions="".join(f"\n> • {action}" for action in actions),
        facts=facts(notice),
    )
