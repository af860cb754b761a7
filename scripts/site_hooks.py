"""What mkdocs.yml hooks into the build of the site: pages are written for a git host first."""

import re

# A link out of docs/ leads nowhere on the site: its words stay.
_OUT_OF_THE_SITE = re.compile(r"\[([^\]]*)\]\(\.\./[^)]*\)")


def on_page_markdown(markdown: str, **_: object) -> str:
    """Leave out links that only a checkout has."""
    return _OUT_OF_THE_SITE.sub(r"\1", markdown)
