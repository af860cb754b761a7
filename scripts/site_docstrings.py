"""Docstrings on the site: the roles and examples that they are written with, as Markdown."""

import re
from textwrap import dedent
from typing import Any

import griffe

_ROLE = re.compile(r":(?:class|meth|func|data|attr|mod):`(~?)\.?([\w.]+)`")
_INDENTED = re.compile(r"(?<=\n\n)(?: {4}[^\n]*(?:\n|$)|\n(?= {4}))+")
_EXAMPLE = re.compile(r"^>>> .*(?:\n(?!\n).*)*", re.MULTILINE)


class Docstrings(griffe.Extension):
    """Turns every docstring into Markdown when it has been read."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Called by griffe with every object of the package."""
        if obj.docstring is not None:
            obj.docstring.value = as_markdown(obj.docstring.value)


def as_markdown(text: str) -> str:
    """A docstring with links, and with its examples as blocks of code."""
    text = _ROLE.sub(_link, text.replace("::\n\n", ":\n\n"))
    text = _INDENTED.sub(lambda found: f"```python\n{dedent(found[0]).rstrip()}\n```\n", text)
    return _EXAMPLE.sub(lambda found: f"```pycon\n{found[0]}\n```", text)


def _link(found: re.Match[str]) -> str:
    short, path = found.groups()
    shown = path.rpartition(".")[2] if short else path
    return f'<autoref identifier="{path}" optional><code>{shown}</code></autoref>'
