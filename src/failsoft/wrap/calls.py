"""What one wrapped client's calls go through: the engine, with the SDK in the provider's place."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httpx2
from anthropic import DEFAULT_MAX_RETRIES, Anthropic, APIRequest, AsyncAnthropic, NotGiven

from failsoft.config.fields import DAY
from failsoft.config.settings import TimerSettings
from failsoft.engine.answer import Answer
from failsoft.engine.deadline import monotonic, request_times
from failsoft.engine.pipeline import carry_out
from failsoft.engine.request import BodyFacts, Request, Turn
from failsoft.engine.runtime import Runtime
from failsoft.errors import SettingError
from failsoft.notices import Catalogue
from failsoft.policy.target import Target
from failsoft.policy.timers import RequestTimes, deadline_for
from failsoft.providers.http_wire import key_in
from failsoft.providers.models import chain_specs, host_of, target_for
from failsoft.providers.sdk import SdkProvider, Send
from failsoft.wrap.answer_of import ANSWER
from failsoft.wrap.attempts import Client
from failsoft.wrap.replies import Pipe, Reply, tells_itself
from failsoft.wrap.sdk_errors import exception_for

__all__ = ["Account", "Calls", "Streamed", "account_of", "client_of", "model_in"]

_PATH = "/v1/messages"
_MOST_MIDDLEWARE = 64

_PROVIDER = "anthropic"

# Targets that are remembered: who takes models or keys from users may be given any number.
_KNOWN_TARGETS = 1000

# The plan makes them for each target.
_OF_THE_CALL = ("model", "stream")


def model_in(request: APIRequest) -> str | None:
    """The model that is asked, ``None`` where this is no request for a message."""
    if request.method.lower() != "post" or urlsplit(request.url).path != _PATH:
        return None
    model = _body_of(request).get("model")
    return model if isinstance(model, str) and model else None


def _body_of(request: APIRequest) -> Mapping[str, Any]:
    body = request.json
    return body if isinstance(body, dict | Mapping) else {}


class Account(NamedTuple):
    """Whose call it is: the key that it shows, and where."""

    key: str
    base_url: str

    def __repr__(self) -> str:
        return f"Account(base_url={self.base_url!r})"


def account_of(client: Client) -> Account:
    """The account of what ``client`` sends by itself.

    One that gets its tokens by a way of its own has one account at each address.
    """
    # Its other headers say the platform, which the SDK finds out off the event loop.
    headers = {**client.auth_headers, **client._custom_headers}  # noqa: SLF001 - none else has them
    return Account(key_in(headers), str(client.base_url))


def client_of(call_next: Callable[..., Any], otherwise: Client) -> Client:
    """The copy of a wrapped client that calls; the SDK itself shows none to its middleware.

    ``call_next`` closes over it, or over the next of other middleware. ``otherwise`` is for an SDK
    that is made in another way.
    """
    try:
        for _ in range(_MOST_MIDDLEWARE):
            names = call_next.__code__.co_freevars
            cells = dict(zip(names, call_next.__closure__ or (), strict=True))
            if "self" in cells:
                found = cells["self"].cell_contents
                return found if isinstance(found, Anthropic | AsyncAnthropic) else otherwise
            call_next = cells["call_next"].cell_contents
    except (AttributeError, KeyError, ValueError):
        pass
    return otherwise


class Streamed:
    """A stream that has begun: its reply, and the pipe its bytes come through."""

    def __init__(self, reply: Reply, pipe: Pipe, task: asyncio.Task[Any]) -> None:
        self.reply = reply
        self.pipe = pipe
        self._task = task

    async def aclose(self) -> None:
        """End the request, wherever it is. Idempotent."""
        self._task.cancel()
        await asyncio.wait((self._task,))

    def cancel(self) -> None:
        """The same from any thread, without waiting for it."""
        loop = self._task.get_loop()
        if not self._task.done() and not loop.is_closed():
            loop.call_soon_threadsafe(self._task.cancel)


class Calls:
    """The requests of one wrapped client. ``chain`` is empty where its models never change."""

    def __init__(
        self,
        runtime: Runtime,
        catalogue: Catalogue,
        *,
        chain: Sequence[str],
        route: str,
        account: Account,
    ) -> None:
        self._runtime = runtime
        self._catalogue = catalogue
        self._route = route
        self._own = account
        self._url = account.base_url.rstrip("/") + _PATH
        self._known: dict[tuple[str, Account], Target] = {}
        self._latest: tuple[tuple[object, ...], Account] | None = None
        self._chain = chain_specs(chain)
        for spec in self._chain:
            self._target(spec, account)  # what is wrong with it is said here

    @property
    def max_bytes(self) -> int:
        """The largest answer, unpacked."""
        return self._runtime.settings.max_answer_bytes

    def _account(self, client: Client, headers: Mapping[str, Any]) -> Account:
        """Of a request with these ``headers``, which go before what ``client`` sends by itself.

        Most calls are of the client that called before.
        """
        if key := key_in(headers):
            return Account(key, str(client.base_url))
        shown = (client, client.api_key, client.auth_token, client.base_url)
        latest = self._latest
        if latest is None or latest[0] != shown:
            latest = self._latest = (shown, account_of(client))
        return latest[1]

    async def plain(
        self, request: APIRequest, model: str, client: Client, send: Send[Reply]
    ) -> Reply:
        """The reply to a request that is answered at once; raises what the SDK would raise."""
        provider = SdkProvider(request, model, send)
        made = self._request(request, model, client, provider)
        turn = Turn(self._runtime, made, self._catalogue)
        return self._concluded(await carry_out(turn), turn, provider, request)

    async def streamed(
        self, request: APIRequest, model: str, client: Client, send: Send[Reply]
    ) -> Reply | Streamed:
        """The stream once it has content, else the reply in its place."""
        provider = SdkProvider(request, model, send)
        pipe = Pipe(provider)
        made = self._request(request, model, client, provider)
        run = pipe.run(
            Turn(self._runtime, made, self._catalogue, pipe),
            lambda answer, turn: self._failure(answer, turn, provider, request),
        )
        task = asyncio.create_task(run)
        try:
            await pipe.begun()
        except BaseException:
            task.cancel()
            await asyncio.wait((task,))
            raise
        reply = provider.latest
        if not pipe.opened and pipe.conclusion is not None:
            reply = self._concluded(*pipe.conclusion, provider, request)
        if reply is None:
            raise RuntimeError("a stream began without a reply")
        return Streamed(reply, pipe, task) if reply.in_parts else reply

    def _concluded(
        self, answer: Answer, turn: Turn, provider: SdkProvider[Reply], request: APIRequest
    ) -> Reply:
        if answer.status == "success":
            reply = provider.latest
        else:
            reply = provider.reply_with(turn.cause(answer.verdict))
            if reply is None or not self._usable(reply, answer, turn, provider):
                raise self._failure(answer, turn, provider, request)
        if reply is None:
            raise RuntimeError("an answer came without a reply")
        reply.http.extensions[ANSWER] = answer
        return reply

    @staticmethod
    def _usable(reply: Reply, answer: Answer, turn: Turn, provider: SdkProvider[Reply]) -> bool:
        """Whether the SDK can make of it what it would have made without failsoft."""
        if reply.status >= HTTPStatus.BAD_REQUEST and reply.ended:
            reply.http.headers["x-should-retry"] = "false"  # all that helps was tried
            return True
        return tells_itself(provider, answer, turn)

    def _failure(
        self, answer: Answer, turn: Turn, provider: SdkProvider[Reply], request: APIRequest
    ) -> BaseException:
        cause = turn.cause(answer.verdict)
        return exception_for(answer, cause, _http_request(provider, request, self._url))

    def _request(
        self, request: APIRequest, model: str, client: Client, provider: SdkProvider[Reply]
    ) -> Request:
        given = _body_of(request).items()
        body = {name: value for name, value in given if name not in _OF_THE_CALL}
        timers = self._runtime.settings.timers
        if not request.stream:
            tokens = body.get("max_tokens")
            timers = _unseen(timers, tokens if isinstance(tokens, int) else 0)
        facts = BodyFacts.of(body)
        return Request(
            body=body,
            facts=facts,
            times=self._times(request, client, timers, facts.silence_seconds(timers)),
            route=self._route,
            model=model,
            degrades=False,
            targets=self._targets(model, self._account(client, request.headers)),
            timers=timers,
            retries=_retries(request, client),
            provider=self._runtime.breaking(provider),
            shows_first_content=bool(request.stream),
        )

    def _times(
        self, request: APIRequest, client: Client, timers: TimerSettings, silence_seconds: float
    ) -> RequestTimes:
        settings, now, cap = self._runtime.settings, monotonic(), _cap(request, client)
        if not request.stream:
            own, longest = settings.deadline_seconds, settings.answer_timeout_seconds
            if own >= 2 * timers.wrapped_seconds:  # a shorter one was chosen, and is kept
                own = max(own, min(2 * timers.first_content_seconds, longest))
            return request_times(settings, now, timeout=cap, stream=False, own_seconds=own)
        own = deadline_for(settings, silence_seconds, stream=True)
        times = request_times(settings, now, timeout=None, stream=True, own_seconds=own)
        # The SDK's own limit is on the silence in a stream, and not on its length.
        ends = times.deadline_at if cap is None else min(times.deadline_at, now + cap)
        return times._replace(deadline_at=ends)

    def _targets(self, model: str, account: Account) -> tuple[Target, ...]:
        first = self._target(model, account)
        chain = (self._target(spec, account) for spec in self._chain)
        return (first, *(target for target in chain if target != first))

    def _target(self, spec: str, account: Account) -> Target:
        known = self._known.get((spec, account))
        if known is None:
            known = self._make_target(spec, account)
            if len(self._known) >= _KNOWN_TARGETS:
                self._known.clear()
            self._known[spec, account] = known
        return known

    def _make_target(self, spec: str, account: Account) -> Target:
        name = spec if "/" in spec else f"{_PROVIDER}/{spec}"
        if not name.startswith(f"{_PROVIDER}/"):
            raise SettingError("chain", f"a client of Anthropic's cannot call {name}")
        target = target_for(name, self._runtime.settings)
        self._runtime.chain_of(self._route).check(target)
        host = host_of(account.base_url) if urlsplit(account.base_url).hostname else ""
        return target.under(account.key, host=host, shared=account == self._own)


def _cap(request: APIRequest, client: Client) -> float | None:
    """The seconds that the caller gives all of it: the call's own, else those of the client."""
    timeout = request.timeout
    if isinstance(timeout, NotGiven) and client._timeout_overridden:  # noqa: SLF001 - else the SDK's
        timeout = client.timeout
    return float(timeout) if isinstance(timeout, float | int) else None


def _retries(request: APIRequest, client: Client) -> int | None:
    """How often the caller lets one model be called again; ``None`` where it was not set."""
    retries = request.options.get_max_retries(client.max_retries)
    return retries if retries < DEFAULT_MAX_RETRIES else None


@lru_cache(maxsize=64)
def _unseen(timers: TimerSettings, max_tokens: int) -> TimerSettings:
    """The timers of a plain answer: nothing is seen of it until it is whole."""
    seconds = max(timers.wrapped_seconds, max_tokens / timers.wrapped_tokens_per_second)
    seconds = max(min(seconds, DAY), timers.first_content_min_seconds)
    return replace(timers, first_content_seconds=seconds)


def _http_request(provider: SdkProvider[Reply], request: APIRequest, url: str) -> httpx2.Request:
    reply = provider.latest
    return reply.http.request if reply else httpx2.Request(request.method.upper(), url)
