"""Claude on Amazon Bedrock: the Messages API in an envelope of Amazon's.

The request is signed by botocore, with whatever credentials AWS tools find; where there is an API
key of Bedrock, that is shown instead. Events come in Amazon's binary frames.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import cached_property
from typing import Any
from urllib.parse import quote

from failsoft.classify.wire_errors import ReplyFailed
from failsoft.config.services import Endpoint
from failsoft.errors import extra
from failsoft.providers.anthropic import API_VERSION
from failsoft.providers.anthropic_stream import AnthropicExchange
from failsoft.providers.aws_frames import AwsFrameReader
from failsoft.providers.http_wire import HttpProvider, WireReply
from failsoft.providers.payload import encode
from failsoft.providers.protocol import ProviderCall

__all__ = ["BedrockExchange", "BedrockWire"]

_FRAMES = "application/vnd.amazon.eventstream"
_SIGNED_SERVICE = "bedrock"


class BedrockExchange(AnthropicExchange):
    """An :class:`~failsoft.providers.protocol.Exchange` whose events come in Amazon's frames."""

    def _reader_of(self) -> AwsFrameReader | None:
        return AwsFrameReader() if _FRAMES in self._content_type else None


class BedrockWire(HttpProvider):
    """Bedrock in one region; :mod:`failsoft.providers.protocol` is its contract.

    Raises :class:`~failsoft.errors.MissingExtraError` without the extra ``bedrock``, unless there
    is an API key.
    """

    _exchange = BedrockExchange

    def __init__(self, service: Endpoint) -> None:
        super().__init__(service)
        if not service.key:
            with extra("bedrock", f"providers.{service.name}"):
                import botocore.auth  # noqa: F401, PLC0415 - an extra, and slow to load

    async def _send(self, call: ProviderCall) -> WireReply:
        model = quote(call.target.model, safe=":")
        url = f"{self._base_url}/model/{model}/invoke-with-response-stream"
        passed = {name.lower(): value for name, value in call.headers.items()}
        body = {**call.body, "anthropic_version": passed.pop("anthropic-version", API_VERSION)}
        if betas := passed.pop("anthropic-beta", ""):
            body["anthropic_beta"] = [beta.strip() for beta in betas.split(",")]
        data = encode(body)
        signed = {} if self._service.key else await self._signed(url, data)
        headers = self._http.headers(signed, passed) | {"accept": _FRAMES}
        return await self._http.post(url, data, headers, fresh=call.fresh)

    async def _signed(self, url: str, data: bytes) -> Mapping[str, str]:
        """The headers that sign a request."""
        from botocore.auth import SigV4Auth  # noqa: PLC0415 - an extra
        from botocore.awsrequest import AWSRequest  # noqa: PLC0415 - an extra

        credentials = await self._credentials()
        headers = {"content-type": "application/json"}
        request = AWSRequest(method="POST", url=url, data=data, headers=headers)
        SigV4Auth(credentials, _SIGNED_SERVICE, self._service.region).add_auth(request)
        return {name.lower(): value for name, value in request.headers.items()}

    async def _credentials(self) -> Any:
        """Those that AWS tools find: the environment, files, roles of the machine."""
        found = await asyncio.to_thread(self._find)
        if found is None:
            problem = (
                "no AWS credentials are found: set AWS_ACCESS_KEY_ID and its secret, or a role"
            )
            raise ReplyFailed(problem, status=401)
        return found

    def _find(self) -> Any:
        credentials = self._session.get_credentials()
        return None if credentials is None else credentials.get_frozen_credentials()

    @cached_property
    def _session(self) -> Any:
        from botocore.session import Session  # noqa: PLC0415 - an extra

        return Session()
