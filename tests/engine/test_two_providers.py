"""A chain over two providers that speak different protocols, on the wire."""

import json
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from loopback import SSE_HEAD, Loopback, chunked, fixed, serving

from failsoft import Failsoft, NamedProviderSettings, ProviderSettings, Settings
from failsoft.config.settings import CacheSettings
from failsoft.errors import SettingError

DOWN = fixed(
    b"HTTP/1.1 529 Overloaded\r\ncontent-type: application/json\r\n",
    b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}',
)
CHAIN = ("anthropic/claude-opus-5-5", "openai/gpt-5.5")
TOOL = {"name": "weather", "input_schema": {"type": "object", "properties": {}}}
ASKED = {"role": "user", "content": "How is the weather?"}


def chat(*deltas: dict[str, Any], finish: str = "stop") -> bytes:
    told = [{"id": "c1", "choices": [{"index": 0, "delta": one}]} for one in deltas]
    end = {"id": "c1", "choices": [{"index": 0, "delta": {}, "finish_reason": finish}]}
    events = [f"data: {json.dumps(one)}\n\n".encode() for one in (*told, end)]
    return chunked(SSE_HEAD, b"".join(events), b"data: [DONE]\n\n")


def messages(*blocks: dict[str, Any], stop_reason: str = "end_turn") -> bytes:
    body = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-opus-5-5"}
    body |= {"content": list(blocks), "stop_reason": stop_reason, "usage": {"input_tokens": 1}}
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
    return fixed(head, json.dumps(body).encode())


class Upstreams:
    """What each of two servers answers next."""

    def __init__(self, first: Loopback, second: Loopback, ai: Failsoft) -> None:
        self.first, self.second, self.ai = first, second, ai

    @property
    def sent(self) -> dict[str, Any]:
        """The body of the second provider's latest request."""
        body: dict[str, Any] = json.loads(self.second.requests[-1].body)
        return body


@asynccontextmanager
async def two(first: Any, second: Any, **more: Any):
    async with AsyncExitStack() as stack:
        one, other = [await stack.enter_async_context(serving(a)) for a in (first, second)]
        settings = Settings(
            chain=CHAIN,
            cache=CacheSettings(enabled=False),
            anthropic=ProviderSettings(api_key="sk-ant", base_url=one.url),
            providers={"openai": NamedProviderSettings(api_key="sk-oai", base_url=other.url)},
            **more,
        )
        ai = await stack.enter_async_context(Failsoft(settings))
        yield Upstreams(one, other, ai)


async def test_the_other_provider_answers():
    async with two(DOWN, chat({"content": "Sunny."})) as up:
        answer = await up.ai.ask("How is the weather?", system="Be brief.")

    assert (answer.status, answer.text, answer.target) == ("success", "Sunny.", CHAIN[1])
    assert [str(one.verdict) for one in answer.attempts] == ["transient · overloaded", "None"]
    assert up.sent["messages"] == [{"role": "system", "content": "Be brief."}, ASKED]
    assert up.sent["max_completion_tokens"] == 2048


async def test_a_stream_goes_on_with_the_other_provider():
    sunny = chat({"content": "Sun"}, {"content": "ny."})
    async with two(DOWN, sunny) as up, up.ai.stream("How is the weather?") as events:
        told = [event async for event in events]

    assert "".join(event.text for event in told if event.type == "text") == "Sunny."
    assert told[-1].answer.target == CHAIN[1]


async def test_what_a_caller_shows_one_provider_no_other_sees():
    async with two(DOWN, chat({"content": "Sunny."})) as up:
        answer = await up.ai.complete(
            messages=[ASKED], extra_headers={"x-api-key": "sk-callers", "anthropic-beta": "b"}
        )

    assert up.first.requests[0].headers["x-api-key"] == "sk-callers"
    headers = up.second.requests[0].headers
    assert headers["authorization"] == "Bearer sk-oai"
    assert not {"x-api-key", "anthropic-beta"} & headers.keys()
    assert answer.attempts[1].changes == ("headers x-api-key, anthropic-beta left out",)


async def test_a_target_that_cannot_take_a_request_is_left_out():
    search = {"type": "web_search_20250305", "name": "web_search"}
    async with two(messages({"type": "text", "text": "Found."}), chat()) as up:
        answer = await up.ai.complete(messages=[ASKED], tools=[search])

    assert answer.text == "Found."
    assert answer.left_out == (CHAIN[1],)


async def test_where_no_target_can_take_it_the_field_is_named():
    search = {"type": "web_search_20250305", "name": "web_search"}
    async with two(DOWN, chat()) as up:
        only = Failsoft(up.ai.settings, chain=CHAIN[1:])
        with pytest.raises(SettingError, match=r"^tools\[0\]"):
            await only.complete(messages=[ASKED], tools=[search])
        await only.aclose()

    assert up.second.requests == []


async def test_a_missing_key_takes_a_target_out_with_one_line(caplog):
    async with Failsoft(Settings(chain=CHAIN, anthropic=ProviderSettings(api_key="sk-ant"))) as ai:
        assert [target.id for target in ai.routes["chat"]] == [CHAIN[0]]

    (record,) = caplog.records
    assert "OPENAI_API_KEY" in record.getMessage()


def use(call_id: str) -> dict[str, Any]:
    return {"type": "tool_use", "id": call_id, "name": "weather", "input": {}}


def result(call_id: str) -> dict[str, Any]:
    block = {"type": "tool_result", "tool_use_id": call_id, "content": "20 degrees"}
    return {"role": "user", "content": [block]}


async def test_three_turns_of_tools_by_one_provider_the_other_and_the_first_again():
    replies = [messages(use("toolu_1"), stop_reason="tool_use"), DOWN]
    call = {"index": 0, "id": "call_2", "type": "function"}
    call["function"] = {"name": "weather", "arguments": "{}"}

    async def first(peer):
        await peer.send(replies.pop(0) if replies else messages({"type": "text", "text": "20."}))

    later = [chat({"tool_calls": [call]}, finish="tool_calls"), DOWN]

    async def second(peer):
        await peer.send(later.pop(0))

    thinking = {"type": "enabled", "budget_tokens": 2000}
    history = [ASKED]
    async with two(first, second) as up:
        for _ in range(2):
            answer = await up.ai.complete(
                messages=history, tools=[TOOL], max_tokens=4000, thinking=thinking
            )
            used = answer.message["content"]
            history += [{"role": "assistant", "content": used}, result(used[-1]["id"])]
        assert answer.target == CHAIN[1]
        last = await up.ai.complete(
            messages=history, tools=[TOOL], max_tokens=4000, thinking=thinking
        )

    assert (last.text, last.target) == ("20.", CHAIN[0])
    # The target that asked for the tool is the first to see its result.
    assert [one.target for one in last.attempts] == [CHAIN[1], CHAIN[0]]
    assert len(up.first.requests) == 3
    sent = json.loads(up.first.requests[-1].body)
    assert "thinking" not in sent or sent["thinking"]["type"] == "disabled"
    assert [m["content"][-1].get("id") for m in sent["messages"] if m["role"] == "assistant"] == [
        "toolu_1",
        "call_2",
    ]


async def test_the_key_a_caller_brings_for_a_provider_without_one_reaches_no_other():
    async with serving(chat({"content": "Sunny."})) as other:
        settings = Settings(
            chain=CHAIN,
            cache=CacheSettings(enabled=False),
            providers={"openai": NamedProviderSettings(api_key="sk-oai", base_url=other.url)},
        )
        async with Failsoft(settings) as ai:
            answer = await ai.complete(
                messages=[ASKED], extra_headers={"Authorization": "Bearer sk-ant-callers"}
            )

    assert answer.target == CHAIN[1]
    assert other.requests[0].headers["authorization"] == "Bearer sk-oai"
    assert answer.attempts[0].changes == ("headers Authorization left out",)
