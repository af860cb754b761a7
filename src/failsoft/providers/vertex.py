"""Claude on Google's Vertex AI: the Messages API behind a Google access token."""

from __future__ import annotations

import asyncio
from threading import Lock
from typing import Any
from urllib.parse import quote

from failsoft.classify.wire_errors import ReplyFailed
from failsoft.config.services import Endpoint
from failsoft.errors import extra
from failsoft.providers.anthropic import API_VERSION
from failsoft.providers.anthropic_stream import AnthropicExchange
from failsoft.providers.http_wire import HttpProvider, WireReply
from failsoft.providers.payload import encode
from failsoft.providers.protocol import ProviderCall

__all__ = ["VertexWire"]

_SCOPE = "https://www.googleapis.com/auth/cloud-platform"


class VertexWire(HttpProvider):
    """Vertex in one project and region; :mod:`failsoft.providers.protocol` is its contract.

    Raises :class:`~failsoft.errors.MissingExtraError` without the extra ``vertex``.
    """

    _exchange = AnthropicExchange

    def __init__(self, service: Endpoint) -> None:
        super().__init__(service)
        self._credentials: Any = None
        self._project = service.project
        self._one_at_a_time = Lock()
        with extra("vertex", f"providers.{service.name}"):
            import google.auth.transport.requests  # noqa: F401, PLC0415 - an extra, slow to load

    async def _send(self, call: ProviderCall) -> WireReply:
        token = self._token_at_hand() or await asyncio.to_thread(self._token)
        passed = {name.lower(): value for name, value in call.headers.items()}
        version = passed.pop("anthropic-version", API_VERSION)
        body = encode({**call.body, "anthropic_version": version, "stream": True})
        headers = self._http.headers({"authorization": f"Bearer {token}"}, passed)
        return await self._http.post(self._url(call.target.model), body, headers, fresh=call.fresh)

    def _url(self, model: str) -> str:
        if not self._project:
            problem = (
                f"no project is known: set {self._service.section}.project or "
                "ANTHROPIC_VERTEX_PROJECT_ID"
            )
            raise ReplyFailed(problem, status=401)
        place = f"projects/{self._project}/locations/{self._service.region}"
        named = quote(model, safe="@")
        return f"{self._base_url}/{place}/publishers/anthropic/models/{named}:streamRawPredict"

    def _token_at_hand(self) -> str:
        credentials = self._credentials
        return credentials.token if credentials is not None and credentials.valid else ""

    def _token(self) -> str:
        """A token that is valid, by whatever way Google's tools find; it may ask the network."""
        import google.auth  # noqa: PLC0415 - an extra
        from google.auth.exceptions import DefaultCredentialsError  # noqa: PLC0415 - an extra
        from google.auth.transport.requests import Request  # noqa: PLC0415 - an extra

        with self._one_at_a_time:
            try:
                if self._credentials is None:
                    self._credentials, project = google.auth.default(scopes=[_SCOPE])
                    self._project = self._project or project
            except DefaultCredentialsError as error:
                problem = "no Google credentials are found: set GOOGLE_APPLICATION_CREDENTIALS"
                raise ReplyFailed(problem, status=401) from error
            if not self._credentials.valid:
                self._credentials.refresh(Request())
            return str(self._credentials.token)
