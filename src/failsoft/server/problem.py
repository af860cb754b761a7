"""Problems of a request in the form of RFC 9457."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from starlette.responses import Response

from failsoft.server.render import json_bytes
from failsoft.server.schema import FieldProblem, ProblemBody

__all__ = ["Problem", "ProblemResponse"]

# A caller mends the first few and sends again; a thousand lines help no one.
_MAX_ERRORS = 10


class ProblemResponse(Response):
    """``application/problem+json``."""

    media_type = "application/problem+json"

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        errors: Sequence[FieldProblem] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        body = ProblemBody(
            type="about:blank", title=HTTPStatus(status).phrase, status=status, detail=detail
        )
        if errors:
            body["errors"] = list(errors[:_MAX_ERRORS])
        super().__init__(body, status, headers)

    def render(self, content: Any) -> bytes:
        """Give the body as JSON."""
        return json_bytes(content)


class Problem(Exception):
    """A request that cannot be taken: its status, and in plain words what to change.

    ``errors`` name the fields or headers; nothing of what the caller sent is shown but their names.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        errors: Sequence[FieldProblem] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status, detail)
        self.status = status
        self.detail = detail
        self.errors = errors
        self.headers = headers

    @classmethod
    def of_field(cls, status: int, field: str, problem: str) -> Problem:
        """One field or header that is wrong."""
        return cls(status, f"{field}: {problem}", errors=[{"field": field, "problem": problem}])

    def response(self) -> ProblemResponse:
        """The reply that carries it."""
        return ProblemResponse(self.status, self.detail, errors=self.errors, headers=self.headers)
