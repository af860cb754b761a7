"""HTML in which a text is only ever text."""

from __future__ import annotations

from html import escape

__all__ = ["Html", "element"]


class Html(str):
    """Markup that :func:`element` made; every other ``str`` is text."""

    __slots__ = ()


def element(tag: str, *children: str, **attributes: str) -> Html:
    """One element. Children that are no :class:`Html` are escaped, and so is every attribute.

    ``class_`` is the attribute ``class``; an attribute that is empty is left out.
    """
    inside = "".join(each if isinstance(each, Html) else escape(each) for each in children)
    told = "".join(
        f' {name.rstrip("_")}="{escape(value)}"' for name, value in attributes.items() if value
    )
    return Html(f"<{tag}{told}>{inside}</{tag}>")
