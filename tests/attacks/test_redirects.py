"""A gateway that redirects: no key, no header and no prompt goes to another place."""

import asyncio
from pathlib import Path

import pytest
from loopback import SSE_HEAD, chunked, serving

from failsoft import Failsoft, SettingError, Settings
from failsoft.config.settings import CacheSettings, ProviderSettings, RetrySettings

ONCE = RetrySettings(max_attempts=1)
CORPUS = Path(__file__).parents[1] / "providers" / "corpus"
ANSWER = chunked(SSE_HEAD, (CORPUS / "text.sse").read_bytes())


def redirect(status, location):
    lines = [f"HTTP/1.1 {status} Moved", *([f"location: {location}"] if location else [])]
    return "\r\n".join([*lines, "content-length: 0", "", ""]).encode()


class Gateway:
    """Redirects its first path; everything else is answered."""

    def __init__(self, status, location):
        self.reply = redirect(status, location)
        self.seen = []

    async def respond(self, peer):
        self.seen.append(peer.request)
        first = peer.request.line.startswith("POST /first/")
        await peer.send(self.reply if first else ANSWER)


async def ask(url, *, retry=ONCE, **settings):
    there = Settings(
        anthropic=ProviderSettings(api_key="sk-secret", base_url=f"{url}/first"),
        retry=retry,
        cache=CacheSettings(enabled=False),
        **settings,
    )
    async with Failsoft(there, chain=["anthropic/claude-opus-5-5"]) as ai, asyncio.timeout(20):
        return await ai.ask("My secret question")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_nothing_goes_to_another_place(status):
    elsewhere = Gateway(status, "")
    async with serving(elsewhere.respond) as other:
        gateway = Gateway(status, f"{other.url}/v1/messages")
        async with serving(gateway.respond) as server:
            answer = await ask(server.url)
    assert (answer.status, len(gateway.seen), elsewhere.seen) == ("error", 1, [])
    assert "ANTHROPIC_BASE_URL" in answer.verdict.internal_detail
    assert "secret" not in answer.verdict.internal_detail


async def test_a_circle_is_walked_once():
    async def circle(peer):
        await peer.send(redirect(307, "/first/v1/messages"))

    async with serving(circle) as server:
        answer = await ask(server.url, retry=RetrySettings())
    assert str(answer.verdict) == "auth_error · wrong_address"
    assert len(server.requests) == 4
    assert "ANTHROPIC_BASE_URL" in answer.verdict.internal_detail


async def test_it_goes_where_the_settings_name_the_place():
    elsewhere = Gateway(200, "")
    async with serving(elsewhere.respond) as other:
        gateway = Gateway(307, f"{other.url}/second/v1/messages")
        async with serving(gateway.respond) as server:
            there = ProviderSettings(
                api_key="sk-secret",
                base_url=f"{server.url}/first",
                follow_redirects_to=(other.url, "https://gateway.example"),
            )
            settings = Settings(anthropic=there, cache=CacheSettings(enabled=False))
            async with Failsoft(settings) as ai, asyncio.timeout(20):
                answer = await ai.ask("My secret question")
    assert answer.text == "Hello! How can I help you today?"
    assert elsewhere.seen[0].headers["authorization"] == "Bearer sk-secret"


@pytest.mark.parametrize("place", ["gateway.example", "https://gateway.example/v1", "ftp://a", ""])
def test_a_place_is_an_origin(place):
    with pytest.raises(SettingError, match=r"anthropic\.follow_redirects_to: must be a list"):
        ProviderSettings(follow_redirects_to=(place,))


@pytest.mark.parametrize("status", [307, 308])
async def test_the_same_place_is_asked_again(status):
    gateway = Gateway(status, "/second/v1/messages")
    async with serving(gateway.respond) as server:
        answer = await ask(server.url)
    assert answer.text == "Hello! How can I help you today?"
    first, second = gateway.seen
    assert (second.line, second.body) == ("POST /second/v1/messages HTTP/1.1", first.body)
    assert second.headers["authorization"] == "Bearer sk-secret"


@pytest.mark.parametrize(
    ("status", "location", "calls"),
    [
        (307, "/first/v1/messages", 4),
        (307, "", 1),
        (307, "http://[", 1),
        (302, "/login", 1),
        (307, "//evil.example/v1/messages", 1),
        (307, "http://127.0.0.1:1/v1/messages", 1),
        (307, "https://localhost/v1/messages", 1),
    ],
)
async def test_what_leads_nowhere_ends(status, location, calls):
    gateway = Gateway(status, location)
    async with serving(gateway.respond) as server:
        answer = await ask(server.url)
    assert (answer.status, len(gateway.seen)) == ("error", calls)
    assert "ANTHROPIC_BASE_URL" in answer.verdict.internal_detail
