"""``GET /``: one page, in one file, that loads nothing from anywhere else."""

from __future__ import annotations

import base64
import hashlib
import re
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

__all__ = ["Page"]

_INLINE = r"<{tag}[^>]*>(.*?)</{tag}>"


class Page:
    """Reads the file once; its own script and style are the only ones a browser may run."""

    def __init__(self) -> None:
        self._html = files(__package__).joinpath("static", "index.html").read_text("utf-8")
        self._policy = "; ".join(
            (
                "default-src 'none'",
                f"script-src {_hashes('script', self._html)}",
                f"style-src {_hashes('style', self._html)}",
                "connect-src 'self'",
                "img-src data:",
                "base-uri 'none'",
                "form-action 'none'",
                "frame-ancestors 'none'",
            )
        )

    async def show(self, _request: Request, _request_id: str) -> Response:
        """The page."""
        headers = {"content-security-policy": self._policy, "cache-control": "no-cache"}
        return HTMLResponse(self._html, headers=headers)


def _hashes(tag: str, html: str) -> str:
    found = re.findall(_INLINE.format(tag=tag), html, re.DOTALL)
    digests = (hashlib.sha256(inline.encode()).digest() for inline in found)
    return " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
