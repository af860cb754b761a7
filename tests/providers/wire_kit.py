"""One exchange of the wire provider with a server on loopback, and how it ended."""

from pathlib import Path
from typing import Any

from loopback import Loopback, Respond, serving

from failsoft.classify.wire_errors import WireFailure
from failsoft.config.services import service_of
from failsoft.config.settings import ProviderSettings, Settings
from failsoft.policy.target import Target
from failsoft.providers.anthropic import AnthropicWire
from failsoft.providers.protocol import Provider, ProviderCall, WireEvent

JSON_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nrequest-id: req_1\r\n"
CORPUS = {path.stem: path.read_bytes() for path in (Path(__file__).parent / "corpus").glob("*.sse")}
TARGET = Target(provider="anthropic", model="claude-opus-5-5")


TEXT = CORPUS["text"]
EVENTS = [event + b"\n\n" for event in TEXT.split(b"\n\n")[:-1]]
SAID = "Hello! How can I help you today?"


def call(headers: dict[str, str] | None = None, **body: Any) -> ProviderCall:
    return ProviderCall(
        target=TARGET,
        body={"max_tokens": 9, "messages": [{"role": "user", "content": "hi"}], **body},
        headers=headers or {},
    )


def wire_to(server: Loopback, **settings: Any) -> AnthropicWire:
    return anthropic_wire(**{"api_key": "sk-test", "base_url": server.url, **settings})


def anthropic_wire(**settings: Any) -> AnthropicWire:
    own = Settings(anthropic=ProviderSettings(**settings))
    return AnthropicWire(service_of("anthropic", own))


class Outcome:
    """What one exchange gave, and how it ended."""

    def __init__(self) -> None:
        self.events: list[WireEvent] = []
        self.message: dict[str, Any] = {}
        self.error: BaseException | None = None

    @property
    def text(self) -> str:
        return "".join(event.text for event in self.events)


async def exchange_with(provider: Provider, request: ProviderCall | None = None) -> Outcome:
    outcome = Outcome()
    try:
        async with provider.exchange(request or call()) as exchange:
            try:
                async for event in exchange:
                    outcome.events.append(event)
            finally:
                outcome.message = exchange.message
    except Exception as error:  # noqa: BLE001  # what it is is the question
        outcome.error = error
    return outcome


async def ask(answer: bytes | Respond) -> Outcome:
    async with serving(answer) as server:
        provider = wire_to(server)
        try:
            return await exchange_with(provider)
        finally:
            await provider.aclose()


def failed(outcome: Outcome, kind: type[WireFailure]) -> WireFailure:
    assert type(outcome.error) is kind, repr(outcome.error)
    return outcome.error
