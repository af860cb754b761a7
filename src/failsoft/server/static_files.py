"""The files of the browser package at ``/web/…``, and the page at ``/``.

The page is one file that loads nothing from anywhere else.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from pathlib import Path

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

import failsoft
from failsoft.server.problem import Problem

__all__ = ["PAGE_POLICY", "Page", "Web", "web_folder"]

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""What a page may do: its own files, this service, and nothing written into the page."""

_TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".svg": "image/svg+xml",
}
_PLAYGROUND = "playground"


@dataclass(frozen=True, kw_only=True)
class _File:
    content: bytes
    headers: dict[str, str]

    @cached_property
    def packed(self) -> bytes:
        """Made when it is first asked for: many services never are."""
        return gzip.compress(self.content, mtime=0)


class Web:
    """Reads the files once, when the service is made: nothing else in the folder can be had."""

    def __init__(self) -> None:
        self._files = dict(_read(web_folder()))

    async def show(self, request: Request, _request_id: str) -> Response:
        """A file of the package."""
        return self.file(request.path_params["path"], request)

    def file(self, name: str, request: Request) -> Response:
        """The file, or 304 where the browser has it.

        Raises :class:`~failsoft.server.problem.Problem` (404) where there is none.
        """
        found = self._files.get(name)
        if found is None:
            raise Problem(404, "There is nothing at this address.")
        known = (tag.strip() for tag in request.headers.get("if-none-match", "").split(","))
        if found.headers["etag"] in (tag.removeprefix("W/") for tag in known):
            return Response(status_code=304, headers=found.headers)
        if "gzip" not in request.headers.get("accept-encoding", ""):
            return Response(found.content, headers=found.headers)
        packed = {"content-encoding": "gzip", "etag": f"W/{found.headers['etag']}"}
        return Response(found.packed, headers=found.headers | packed)


def web_folder() -> Path:
    """Where the package is: next to this code when installed, at the root of a checkout else."""
    inside = Path(failsoft.__file__).parent / "web"
    return inside if inside.is_dir() else inside.parents[2] / "web"


def _read(folder: Path) -> Iterator[tuple[str, _File]]:
    for path in (*folder.iterdir(), *(folder / _PLAYGROUND).rglob("*")):
        if path.suffix in _TYPES and path.is_file():
            yield path.relative_to(folder).as_posix(), _file(path)


def _file(path: Path) -> _File:
    content = path.read_bytes()
    headers = {
        "content-type": _TYPES[path.suffix],
        "etag": f'"{hashlib.sha256(content).hexdigest()[:32]}"',
        "cache-control": "no-cache",
        "vary": "accept-encoding",
    }
    if path.suffix == ".html":
        headers["content-security-policy"] = PAGE_POLICY
    return _File(content=content, headers=headers)


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
